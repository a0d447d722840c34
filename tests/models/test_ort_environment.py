"""No ONNX Runtime session opens with telemetry."""

import ast
import subprocess
import sys
from pathlib import Path

import impasto.models
from tests.helpers.onnx_models import model

WINGS = [Path(impasto.models.__path__[0]).parent / wing for wing in ("configs", "models", "train", "export")]


def test_open_session_disables_telemetry_before_importing_onnx_runtime(tmp_path: Path) -> None:
    program = """
import builtins, os, sys
from pathlib import Path
from impasto.models import onnx_model
original, states = builtins.__import__, []
def record(name, *arguments):
    if name == "onnxruntime":
        states.append(os.environ.get("ORT_DISABLE_TELEMETRY"))
    return original(name, *arguments)
builtins.__import__ = record
onnx_model.open_session(Path(sys.argv[1]))
assert states and set(states) == {"1"}, states
"""
    path = model(tmp_path / "model.onnx")
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_onnx_runtime_is_imported_only_where_a_session_opens() -> None:
    importing = []
    for path in (path for wing in WINGS for path in wing.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "onnxruntime" for name in names):
                importing.append((path.name, ast.unparse(node)))
    assert sorted(importing) == [
        ("onnx_model.py", "from onnxruntime import InferenceSession"),  # for type checkers only
        ("ort_environment.py", "import onnxruntime"),
    ]
