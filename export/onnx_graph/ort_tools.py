"""ONNX Runtime's command-line tools. Each runs in a child process, since they print, log and change global state."""

import subprocess
from pathlib import Path

from impasto.export import child_process


def run(tool: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `onnxruntime.tools.<tool>` in a folder; the caller checks the exit code."""
    return subprocess.run(
        child_process.python_module(f"onnxruntime.tools.{tool}", *arguments),
        cwd=folder,
        env=child_process.environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
