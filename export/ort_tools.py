"""ONNX Runtime's own command-line tools, each in a process of its own: they print, log and set things process-wide."""

import os
import subprocess
import sys
from pathlib import Path


def run(tool: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `onnxruntime.tools.<tool>` in a folder, without telemetry; raises nothing where it fails."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    return subprocess.run(
        [sys.executable, "-m", f"onnxruntime.tools.{tool}", *arguments],
        cwd=folder,
        env=kept | {"ORT_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
