import os
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.bench import BenchmarkConfig
from impasto.export import child_process
from impasto.export.onnx_graph import ort_tools
from impasto.export.validation import latency, ort_web

ROOT = str(Path(__file__).parents[2])
SHADOWED = ("random", "resource", "numpy", "onnxruntime", "runpy", "json", "impasto")


@pytest.fixture
def shadowing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files that have the names of modules; each leaves a file when it is run."""
    for name in SHADOWED:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'RUN')!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("python_path", ["", os.pathsep, ".", "{here}"])
def test_children_run_no_module_of_the_current_folder(
    shadowing: Path, monkeypatch: pytest.MonkeyPatch, python_path: str
) -> None:
    """Neither by the path of `-m`, nor by an empty, relative or absolute entry of PYTHONPATH."""
    entries = [python_path.format(here=shadowing), ROOT]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entries))
    monkeypatch.setattr(sys, "path", [str(shadowing), "", *sys.path, ROOT])
    with pytest.raises(CheckFailed, match=r"model\.onnx could not be timed at 64x64: "):
        latency.measure(shadowing, ["model.onnx"], BenchmarkConfig([64], [1], 1), lambda line: None)
    done = ort_tools.run("check_onnx_model_mobile_usability", shadowing, "--help")
    assert done.returncode == 0, done.stderr
    assert not (shadowing / "RUN").exists()


def test_a_checkout_as_the_current_folder_stays_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [ROOT, *sys.path])
    line = child_process.python_module("timeit", "-n1", "-r1", "import impasto.export.child_process as c; print(c)")
    done = subprocess.run(line, capture_output=True, text=True, env=child_process.environment(), check=True)
    assert ROOT in done.stdout


def test_programs_of_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", *ort_web.BROWSERS):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NODE_OPTIONS", "--require ./hook.js")
    for path in (":", ".", "", f"bin{os.pathsep}."):
        monkeypatch.setenv("PATH", path)
        assert child_process.find_program("node") is None
        assert child_process.environment()["PATH"] == "" and "NODE_OPTIONS" not in child_process.environment()
    monkeypatch.setenv("PATH", f".{os.pathsep}{tmp_path}")  # named
    assert child_process.find_program("node") == str(tmp_path / "node")
