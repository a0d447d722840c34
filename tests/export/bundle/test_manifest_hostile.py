"""Manifests and bundles that somebody else wrote: each ends in one sentence, and nothing outside the bundle is read."""

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed, UsageError
from impasto.export.bundle import checksummed_json
from impasto.export.bundle.manifest import MANIFEST, Manifest
from impasto.export.bundle.verification import validate_models
from impasto.export.validation.checks import Checks
from tests.helpers.commands import Run

VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**70, 1e308, "", "x", "../x", "\ud800", "\x1b[2J", "a" * 5000),
    *([], [[]], {}, {"": None}),
)


@pytest.fixture
def bundle(exported: tuple[Path, Run], tmp_path: Path) -> Path:
    return shutil.copytree(exported[0], tmp_path / "swirls")


def check(bundle: Path) -> None:
    Manifest.load(bundle).check_files(bundle)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container inside a JSON value, with each of its keys."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def seal(bundle: Path, values: dict[str, Any]) -> None:
    """Write a manifest with its hash, as an attacker would."""
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    try:
        checksummed_json.write(bundle / MANIFEST, values)
    except UnicodeEncodeError:
        (bundle / MANIFEST).write_bytes(text.encode(errors="surrogatepass"))


def test_any_value_of_a_sealed_manifest_gives_one_sentence(bundle: Path) -> None:
    original, models = checksummed_json.read(bundle / MANIFEST), Manifest.load(bundle).models
    config = compose("verify", [f"bundle={bundle}", "runtimes=[onnxruntime]"])
    dice = random.Random(0)
    for _ in range(150):
        values = json.loads(json.dumps(original))
        container, key = dice.choice([*places(values)])
        if dice.random() < 0.3:
            del container[key]
        else:
            container[key] = dice.choice(VALUES)
        seal(bundle, values)
        try:
            manifest = Manifest.load(bundle)
            if manifest.models != models:
                validate_models(bundle, manifest, config, lambda line: None, Checks(fail_fast=True))
        except (CheckFailed, UsageError) as error:
            assert "\n" not in str(error) and len(str(error)) < 1000


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("models",), [], "no picture was compared"),
        (("models", 0, "file"), "../../secret.onnx", r"the model \.\./\.\./secret\.onnx is not among its files"),
        (("models", 0, "file"), "/etc/passwd", "the model /etc/passwd is not among its files"),
        (("models", 0, "contract", "inputs"), [], "has no input"),
        (("models", "onnx-tiles", "tiling", "stats"), "../x.onnx", r"\.\./x\.onnx is not among its files"),
        (("models", "onnx-tiles", "tiling", "multiple"), 0, "has impossible tiles"),
        (("models", "onnx-tiles", "tiling", "margin"), 80, "has an impossible margin"),
        (("models", "coreml", "functions", "main", "width"), 2**40, "has a function of an impossible size"),
        (("models", 0, "tolerance"), {}, "has no tolerance, or two"),
    ],
)
def test_manifest_that_contradicts_itself_raises(bundle: Path, path: Any, value: Any, sentence: str) -> None:
    values = checksummed_json.read(bundle / MANIFEST)
    container: Any = values
    for key in path[:-1]:
        by_format = {model["format"]: model for model in reversed(container)} if isinstance(container, list) else {}
        container = by_format.get(key) or container[key]
    container[path[-1]] = value
    seal(bundle, values)
    with pytest.raises(CheckFailed, match=sentence):
        config = compose("verify", [f"bundle={bundle}"])
        validate_models(bundle, Manifest.load(bundle), config, lambda line: None, Checks(fail_fast=True))


@pytest.mark.parametrize(
    "data",
    [
        *(b"[" * 10**6, b"\xff\xfe", b"", b"null", b"NaN", b'{"sha256": NaN}', b"9" * 10**5, b'{"a": 1e999}'),
        *(b"\0" * 100, b'{"format": "\\ud800", "sha256": "0"}', b'\xef\xbb\xbf{"sha256": "0"}'),
    ],
)
def test_bytes_that_are_no_manifest_give_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(data)
    with pytest.raises(CheckFailed, match=r"manifest\.json was changed"):
        check(tmp_path)


def test_manifest_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / MANIFEST).open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(CheckFailed, match=r"manifest\.json has 1,099,511,627,776 bytes, too many"):
        check(tmp_path)


@pytest.mark.parametrize("name", ["android/model.onnx", MANIFEST, "SHA256SUMS", "measured.json", "README.md"])
def test_link_in_place_of_a_file_is_named(bundle: Path, tmp_path: Path, name: str) -> None:
    (bundle / name).rename(tmp_path / "outside")
    (bundle / name).symlink_to(tmp_path / "outside")
    with pytest.raises(CheckFailed, match=f"{name} is a link; put the file itself there"):
        check(bundle)


def test_link_in_place_of_a_folder_or_beside_the_files_is_named(bundle: Path, tmp_path: Path) -> None:
    (bundle / "extra").symlink_to(tmp_path)
    with pytest.raises(CheckFailed, match="extra is a link"):
        check(bundle)
    (bundle / "extra").unlink()
    (bundle / "golden").rename(tmp_path / "golden")
    (bundle / "golden").symlink_to(tmp_path / "golden")
    with pytest.raises(CheckFailed, match="golden is a link"):
        check(bundle)


@pytest.mark.parametrize("relative", [True, False])
def test_file_outside_the_bundle_is_named_although_it_is_as_listed(bundle: Path, relative: bool) -> None:
    outside = bundle.with_name("outside.onnx")
    shutil.copyfile(bundle / "android/model.onnx", outside)
    name = f"../{outside.name}" if relative else str(outside)
    values = checksummed_json.read(bundle / MANIFEST)
    values["files"][name] = values["files"]["android/model.onnx"]
    values["models"][1]["file"] = name
    seal(bundle, values)
    with pytest.raises(CheckFailed, match=f"{name} is outside the bundle"):
        check(bundle)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe")
@pytest.mark.parametrize("name", ["measured.json", "android/model.onnx", "SHA256SUMS", "extra"])
def test_pipe_in_a_bundle_is_not_opened(bundle: Path, name: str) -> None:
    (bundle / name).unlink(missing_ok=True)
    os.mkfifo(bundle / name)
    with pytest.raises(CheckFailed, match=f"{name} is not a regular file"):
        check(bundle)


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "ios/Model_ios18.mlpackage/Data/Thumbs.db", "android/.hidden", ".DS_Store"]
)
def test_any_file_that_the_manifest_does_not_list_is_named(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"x" * 2**20)
    with pytest.raises(CheckFailed, match=f"{name} is not part of the bundle; delete it"):
        check(bundle)
