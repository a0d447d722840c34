"""What a command does without the libraries of its extra."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import EntryPoint, packages_distributions
from pathlib import Path

import pytest

from impasto.configs import extras
from impasto.configs.errors import UsageError
from tests.helpers.in_process import call_main

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUESTS = {
    "train": "data.root=.",
    "sweep": "sweep=.",
    "check": "data.root=.",
    "optimize": "content=a.jpg style=swirls",
    "evaluate": "checkpoint=a.safetensors photos=.",
    "explore": "content=a.jpg style=swirls",
    "export": "checkpoint=a.safetensors output=bundle",
}
BASE_REQUESTS = {
    "bench": "model=zoo/udnie",
    "verify": "bundle=.",
    "stylize": "model=zoo/udnie input=a.jpg output=b.jpg",
    "app": "output=out",
    "preview": "bundle=.",
    "vote": "models=[zoo/udnie,zoo/the_scream] photos=. output=out",
}
SEPARATE = {"qnn"}  # not a part of all
WITHOUT_EXTRAS = """
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ModuleNotFoundError(f"{{name}} is absent", name=name)
sys.meta_path.insert(0, Absent())
for module, function, line in {calls}:
    sys.argv = line.split()
    try:
        getattr(importlib.import_module(module), function)()
    except SystemExit as stop:
        assert not stop.code, line
"""


def names(requirements: Iterable[str]) -> set[str]:
    """The names of the packages in a list of requirements, in lower case."""
    return {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}


def without_extras(tmp_path: Path, lines: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Call console scripts in one process in which the libraries of all extras are absent."""
    absent = {module.partition(".")[0] for libraries in extras.EXTRAS.values() for module in libraries}
    calls = [(*PROJECT["scripts"][line.split()[0]].split(":"), line) for line in lines]
    program = WITHOUT_EXTRAS.format(absent=absent - {"hydra_plugins"}, calls=calls)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )


def test_missing_names_the_first_absent_library_and_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extras.missing("train") is None
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert extras.missing("train") == 'needs SciPy; install it by pip install "impasto[train]"'
    monkeypatch.setitem(sys.modules, "hydra_plugins.hydra_ray_launcher", None)
    assert extras.missing("ray") == 'needs hydra-ray-launcher; install it by pip install "impasto[ray]"'


def test_require_raises_for_its_subject_and_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    before = {*sys.modules}
    with pytest.raises(UsageError, match=r'^a\.mp4 is a video, which needs OpenCV; install it by pip install "impasto'):
        extras.require("video", "a.mp4 is a video, which")
    extras.require("export")
    assert before == {*sys.modules}


def test_extras_bring_the_libraries_that_they_are_named_for() -> None:
    distributions = packages_distributions()
    for extra, libraries in extras.EXTRAS.items():
        required = names(PROJECT["optional-dependencies"][extra])
        for module in libraries:
            if module.startswith("hydra_plugins") or extra in ("ray", "slurm"):  # the plugin brings the library
                continue
            if extra in SEPARATE and module not in distributions:
                continue
            assert required & {name.lower() for name in distributions[module]}, module
    assert {*extras.EXTRAS} - SEPARATE <= names(PROJECT["optional-dependencies"]["all"][0].split("[")[1].split(","))


def test_base_dependencies_are_no_library_of_an_extra() -> None:
    base = names(PROJECT["dependencies"])
    assert not base & {"torch", "torchvision", "coremltools", "matplotlib", "tensorboard", "av", "scipy", "jinja2"}


@pytest.mark.parametrize("command", REQUESTS)
def test_command_without_its_extra_is_one_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    main = EntryPoint(command, PROJECT["scripts"][f"impasto-{command}"], "console_scripts").load()
    assert call_main(monkeypatch, f"impasto-{command}", main, *REQUESTS[command].split()) == 2
    printed = capsys.readouterr()
    extra = "export" if command == "export" else "train"
    sentence = f'this command needs PyTorch; install it by pip install "impasto[{extra}]"'
    assert (printed.out, printed.err) == ("", f"impasto-{command}: {sentence}\n")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_commands_without_extras_show_help_version_and_configuration(tmp_path: Path) -> None:
    requests = (REQUESTS | BASE_REQUESTS).items()
    lines = ["impasto-train --version", *(f"impasto-{command} --help" for command, _ in requests)]
    lines += [f"impasto-{command} {request} --cfg job" for command, request in requests]
    done = without_extras(tmp_path, ["impasto --help", *lines])
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.count("usage: impasto-") == len(requests)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_base_commands_run_without_extras_and_import_what_they_use(tmp_path: Path, photo_folder: Path) -> None:
    photo = photo_folder / "photo_0.jpg"
    small = without_extras(tmp_path, [f"impasto-stylize model=zoo/udnie/tiny input={photo} output=a.jpg threads=1"])
    assert (small.returncode, small.stdout) == (0, f"1 photo written to {tmp_path / 'a.jpg'}\n"), small.stderr
    lines = [
        f"impasto-stylize model=zoo/udnie/tiny input={photo} output=b.jpg threads=1 tiles.threshold_mp=0",
        "impasto-bench model=zoo/udnie/tiny benchmark.sizes=[32] benchmark.repeats=1 benchmark.rounds=1",
        f"impasto-vote models=[zoo/udnie/tiny,zoo/the_scream/tiny] photos={photo_folder} output=vote",
    ]
    done = without_extras(tmp_path, lines)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.jpg").is_file() and (tmp_path / "vote" / "index.html").is_file()
