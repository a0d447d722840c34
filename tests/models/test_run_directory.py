from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.models import run_directory, zoo


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_find_in_a_run_gives_its_last_network(tmp_path: Path) -> None:
    steps = [tmp_path / f"step_{step:08d}.safetensors" for step in (900, 1000)]
    touch(*steps, tmp_path / "best.safetensors", tmp_path / "last.onnx")
    for reference in (run_directory.find, lambda path, suffix: zoo.resolve(str(path), suffix)):
        assert reference(tmp_path, ".safetensors") == steps[1]
        assert reference(tmp_path, ".onnx") == tmp_path / "last.onnx"


def test_find_gives_other_paths_as_they_are(tmp_path: Path) -> None:
    touch(tmp_path / "bundle" / "android" / "model.onnx")
    for path in (tmp_path / "bundle", tmp_path / "bundle" / "android" / "model.onnx", tmp_path / "missing"):
        assert run_directory.find(path, ".onnx") == run_directory.find(path, ".safetensors") == path


def test_find_in_a_run_without_the_file_says_what_to_do(tmp_path: Path) -> None:
    touch(tmp_path / ".hydra" / "overrides.yaml")
    for suffix in (".onnx", ".safetensors"):
        with pytest.raises(UsageError, match="a run that has no checkpoint yet"):
            run_directory.find(tmp_path, suffix)
    touch(tmp_path / "step_00000003.safetensors")
    with pytest.raises(UsageError, match=f"impasto-export checkpoint={tmp_path} output=DIR"):
        run_directory.find(tmp_path, ".onnx")
