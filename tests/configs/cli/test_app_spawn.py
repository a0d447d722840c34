"""Python processes that libraries start, such as the workers of a loader, import nothing of the current folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import multiprocessing, sys
from impasto.configs.cli import app

def task(config):
    process = multiprocessing.get_context("spawn").Process(target=print, args=("spawned",), kwargs={"flush": True})
    process.start()
    process.join()

if __name__ == "__main__":
    sys.argv = ["impasto-preview", "bundle=x"]
    app.run("preview", task)
"""


@pytest.mark.slow
def test_spawned_process_imports_nothing_of_the_current_folder(tmp_path: Path) -> None:
    scripts, folder = tmp_path / "bin", tmp_path / "folder"
    for path in (scripts, folder):
        path.mkdir()
    (scripts / "script.py").write_text(SCRIPT)
    for name in ("random", "signal", "struct", "tempfile"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'RUN')!r}, 'w')\n")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    line = [sys.executable, str(scripts / "script.py")]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "spawned\n"), done.stderr
    assert not (tmp_path / "RUN").exists()
