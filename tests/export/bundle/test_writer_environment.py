"""What of the machine an export depends on: its runtimes; and what it does not: paths and users."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.export import EMULATORS
from impasto.export.bundle import writer
from impasto.export.bundle.manifest import Manifest
from tests.helpers.bundles import SETTINGS, bytes_in
from tests.helpers.commands import Run


@pytest.mark.slow
def test_export_from_another_folder_home_and_user_gives_the_same_bytes(
    exported: tuple[Path, Run], saved: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    environment = dict(os.environ) | {"USER": "somebody", "LOGNAME": "somebody"}
    for name, variable in (("home", "HOME"), ("scratch", "TMPDIR")):
        (folder / name).mkdir(parents=True)
        environment[variable] = str(folder / name)
    shutil.copy(saved, folder / "another.safetensors")
    line = [sys.executable, "-c", "from impasto.export.commands.export import main; main()"]
    line += ["checkpoint=another.safetensors", "output=out", *SETTINGS]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stderr
    one, other = (bytes_in(bundle) for bundle in (exported[0], folder / "out"))
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] in ([], ["measured.json"])  # latencies
    reasons = Manifest.load(folder / "out").skipped_runtimes
    assert {*reasons} == {"node", "chromium", "arm64", *EMULATORS}
    assert not re.search(r"(?<!\w)/|somebody", " ".join(reasons.values()))


def test_export_of_a_runtime_that_cannot_run_fails_before_any_work(saved: Path, tmp_path: Path) -> None:
    line = [f"checkpoint={saved}", f"output={tmp_path / 'out'}", f"tools_dir={tmp_path}"]
    steps: list[str] = []
    with pytest.raises(CheckFailed, match=r"runtime node was asked for and did not run: .*run make tools$"):
        writer.write(compose("export", [*line, "parity.runtimes=[onnxruntime,node]"]), steps.append)
    assert steps == [] and [*tmp_path.iterdir()] == []
    with pytest.raises(UsageError, match=r"parity\.runtimes=\[\] is empty; name a runtime"):
        compose("export", [*line, "parity.runtimes=[]"])
