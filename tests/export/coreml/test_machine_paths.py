import json
import os
import sys
from pathlib import Path

import coremltools as ct
import pytest

from impasto.export.coreml.machine_paths import json_texts, machine_path, proto_texts

OWN = (
    "@model_path/weights/weight.bin",
    "com.apple.CoreML/weights",
    "https://w/license",
    "Style w/o /wide",
    "a/w",
    "~/w",
)


@pytest.mark.parametrize("folder", ["/w", "/weights", "/", "/work"])
def test_machine_path_ignores_the_names_of_the_format(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "cwd", lambda: Path(folder))
    monkeypatch.setattr(Path, "home", lambda: Path(folder))
    monkeypatch.setenv("PWD", folder)
    assert machine_path(OWN) is None


@pytest.mark.parametrize(
    "text",
    ["/w", "/w/model.py", "at '/w/model.py':3", "file:///w/a", "x=/w/a", "[/w]", "C:\\Users\\w\\a", "C:\\Users\\w"],
)
def test_machine_path_finds_a_path_below_a_folder(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "cwd", lambda: Path("/w"))
    monkeypatch.setenv("PWD", "C:\\Users\\w")
    assert machine_path([*OWN, text]) == ("C:\\Users\\w" if "Users" in text else "/w")


def test_machine_path_finds_the_home_prefix_and_packages() -> None:
    for folder in (str(Path.home() / "a"), f"{sys.prefix}/lib", "anywhere/site-packages/torch"):
        if folder not in (os.sep, f"{os.sep}a"):
            assert machine_path([folder]) is not None


def test_texts_of_a_package_are_all_found_and_weights_are_not_texts(package: Path) -> None:
    spec = ct.models.MLModel(str(package), skip_model_load=True).get_spec()
    spec.description.metadata.userDefined["/w/key"] = "/w/value"
    texts = {*proto_texts(spec)}
    assert {"/w/key", "/w/value", "image", "main", "@model_path/weights/weight.bin"} <= texts
    assert all(isinstance(text, str) for text in texts)
    values = {*json_texts(package / "Manifest.json")}
    assert "com.apple.CoreML/weights" in values and "itemInfoEntries" in values
    changed = package.parent / "escaped.json"
    changed.write_text(json.dumps({"a": [{"b": "C:\\w"}]}))
    assert {*json_texts(changed)} == {"a", "b", "C:\\w"}
