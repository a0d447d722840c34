import hashlib
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.verify import VerifyConfig
from impasto.export.bundle import checksummed_json, verification
from impasto.export.bundle.manifest import FileEntry, Manifest
from impasto.export.commands import verify
from impasto.export.coreml.contracts import COREML
from impasto.export.onnx_graph.contracts import ONNX, ORT
from impasto.export.validation.checks import Checks
from impasto.models.contract import TensorSpec
from impasto.models.provenance import sha256
from tests.helpers import heavy
from tests.helpers.commands import Run

Impasto = Callable[..., Run]


def wrong_type(spec: TensorSpec) -> TensorSpec:
    return replace(spec, type="float32")


@pytest.fixture
def bundle(exported: tuple[Path, Run], tmp_path: Path) -> Path:
    """A copy of the bundle."""
    return shutil.copytree(exported[0], tmp_path / "swirls")


@cache
def settings(bundle: Path) -> VerifyConfig:
    config = compose("verify", [f"bundle={bundle}", "runtimes=[onnxruntime]"])
    assert isinstance(config, VerifyConfig)
    return config


def check(bundle: Path) -> None:
    verify.task(settings(bundle))


def rewrite(bundle: Path, name: str, data: bytes) -> None:
    """Change a file, and the checksums with it, as an attacker would."""
    (bundle / name).write_bytes(data)
    manifest = Manifest.load(bundle)
    manifest.files[name] = FileEntry(len(data), sha256(bundle / name))
    manifest.save(bundle)


def edit(bundle: Path, **values: Any) -> None:
    """Change values of the manifest, and the checksums with it."""
    replace(Manifest.load(bundle), **values).save(bundle)


def test_verify_command_of_a_fresh_bundle_passes(exported: tuple[Path, Run], impasto: Impasto) -> None:
    folder, _ = exported
    done = impasto("verify", f"bundle={folder}")
    assert (done.returncode, done.stderr) == (0, "")
    digest = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    for words in ("android/model.int8.onnx", "ios/Model_ios18.mlpackage", "is intact: ", "pictures compared"):
        assert words in done.stdout
    assert f"\ndigest={digest}\n" in done.stdout and f"\ndigest={digest}\n" in exported[1].stdout


def test_verify_warns_of_unknown_licenses_and_fails_if_asked(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    entries = Manifest.load(bundle).licenses
    licenses = {entry.part: replace(entry, license="CC0-1.0") for entry in entries}
    licenses["photos"] = replace(licenses["photos"], title="training photos", license="unknown")
    edit(bundle, licenses=[*licenses.values()])
    sentence = "the license of the photos (training photos) is unknown; export again with licenses.photos=LICENSE"
    check(bundle)
    assert [record.getMessage() for record in caplog.records] == [sentence]
    with pytest.raises(CheckFailed, match=re.escape(sentence)):
        verify.task(replace(settings(bundle), require_licenses=True))
    edit(bundle, licenses=[replace(entry, license="CC0-1.0") for entry in entries])
    caplog.clear()
    verify.task(replace(settings(bundle), require_licenses=True))
    assert not caplog.records


def test_verify_runs_without_torch(exported: tuple[Path, Run]) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['coremltools'] = None\n"
        "from impasto.configs.cli.app import compose; from impasto.export.commands import verify\n"
        f"verify.task(compose('verify', ['bundle={exported[0]}', 'runtimes=[onnxruntime]']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "is intact" in done.stdout


def test_verify_names_the_file_with_a_flipped_byte(bundle: Path) -> None:
    names = [path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()]
    assert len(names) > 20
    for name in names:
        data = (bundle / name).read_bytes()
        for position in {0, len(data) // 2, len(data) - 1}:
            flipped = bytes([data[position] ^ 1])
            (bundle / name).write_bytes(data[:position] + flipped + data[position + 1 :])
            with pytest.raises(CheckFailed) as error:
                check(bundle)
            assert name in str(error.value) and "was changed" in str(error.value) and "\n" not in str(error.value)
        (bundle / name).write_bytes(data)
    check(bundle)


def test_verify_names_missing_and_added_files(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    (bundle / "android/model.ort").unlink()
    (bundle / "android/notes.txt").write_text("mine")
    (bundle / ".DS_Store").write_text("a file manager's")
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(CheckFailed, match=r"android/model\.ort is missing \(and 2 more\); get the bundle again"),
    ):
        check(bundle)
    assert "android/notes.txt is not part of the bundle" in caplog.text
    assert ".DS_Store is not part of the bundle" in caplog.text


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (None, "is not a folder; name one"),
        ({}, r"is not a bundle: it contains no manifest\.json"),
        ({"manifest.json": "{}"}, r"manifest\.json was changed"),
    ],
)
def test_verify_of_another_folder_raises_one_sentence(
    tmp_path: Path, files: dict[str, str] | None, sentence: str
) -> None:
    folder = tmp_path / "folder"
    if files is not None:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    with pytest.raises((CheckFailed, UsageError), match=sentence):
        check(folder)


def test_verify_of_another_format_raises(bundle: Path) -> None:
    values = checksummed_json.read(bundle / "manifest.json")
    for found, remedy in (
        ("impasto-bundle-9", "update impasto"),
        ("impasto-bundle-2", "export it again"),
        (7, "export"),
    ):
        checksummed_json.write(bundle / "manifest.json", values | {"format": found})
        with pytest.raises(UsageError, match=f"has the format {found}, not impasto-bundle-4; {remedy}"):
            check(bundle)


def test_verify_of_another_network_fails_parity(bundle: Path) -> None:
    model = onnx.load(bundle / "android/model.int8.onnx")
    (bias,) = [
        weight for weight in model.graph.initializer if weight.name.startswith("conv") and weight.name.endswith("bias")
    ]
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.3), bias.name))
    rewrite(bundle, "android/model.int8.onnx", model.SerializeToString())
    with pytest.raises(CheckFailed, match=r"android/model\.int8\.onnx in ONNX Runtime .* differs .* less than 40 dB; "):
        check(bundle)


def test_verify_of_another_golden_image_fails_parity(bundle: Path) -> None:
    path = bundle / "golden/96x64.stylized.png"
    with Image.open(path) as picture:
        pixels = np.asarray(picture).copy()
    pixels[3, 4, 1] ^= 4
    Image.fromarray(pixels).save(path)
    rewrite(bundle, "golden/96x64.stylized.png", path.read_bytes())
    with pytest.raises(CheckFailed, match=r"android/model\.onnx in .* at 96x64 by up to [345] of 255, more than 1"):
        check(bundle)


def test_verify_of_another_contract_or_a_broken_file_raises(bundle: Path) -> None:
    models = Manifest.load(bundle).models
    changed = replace(
        models[0], contract=replace(models[0].contract, inputs=(wrong_type(models[0].contract.inputs[0]),))
    )
    edit(bundle, models=[changed, *models[1:]])
    with pytest.raises(CheckFailed, match=r"android/model\.onnx has .*uint8.* where the manifest promises .*float"):
        check(bundle)
    edit(bundle, models=models)
    rewrite(bundle, "android/model.fp16.onnx", b"no model")
    with pytest.raises(CheckFailed, match=r"android/model\.fp16\.onnx cannot be opened by ONNX Runtime"):
        check(bundle)


def test_verify_of_another_pair_raises(bundle: Path) -> None:
    tile = onnx.load(bundle / "android/tile.onnx")
    for node in tile.graph.node:
        if node.op_type == "BatchNormalization":
            node.input[3], node.input[4] = node.input[4], node.input[3]
            break
    rewrite(bundle, "android/tile.onnx", tile.SerializeToString())
    with pytest.raises(CheckFailed, match=r"android/tile\.onnx in .* differs from android/model\.onnx at .* than 2; "):
        check(bundle)
    rewrite(bundle, "android/tile.onnx", (bundle / "android/stats.onnx").read_bytes())
    with pytest.raises(CheckFailed, match=r"android/tile\.onnx has .* where the manifest promises .*'statistics'"):
        check(bundle)


def test_verify_lists_runtimes_without_their_tools(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "RUNTIMES", ("onnxruntime", "node", "arm64"))
    verify.task(compose("verify", [f"bundle={bundle}", f"tools_dir={tmp_path}"]))
    shown = " ".join(capsys.readouterr().out.split())
    assert "why" in shown and "make tools" in shown and shown.endswith("pictures compared, not run: node, arm64")


@pytest.mark.heavy
def test_verify_in_every_runtime_passes(exported: tuple[Path, Run]) -> None:
    packages = heavy.tool("onnxruntime-web"), heavy.tool("playwright-core")
    for program in ("node", "chromium-headless-shell", "qemu-aarch64-static", "aarch64-linux-gnu-gcc"):
        heavy.tool(program)
    tools = packages[0].parents[1]
    manifest = Manifest.load(exported[0])
    config = compose("verify", [f"bundle={exported[0]}", f"tools_dir={tools}", "runtimes=[node,chromium,arm64]"])
    outcome, _ = verification.verify(exported[0], config, lambda line: None)
    assert outcome.failures == [] and not outcome.skipped_runtimes
    assert len({row.runtime for row in outcome.parity}) == 3
    models = [model for model in manifest.models if model.format in (ONNX, ORT)]
    files = {model.file for model in models if model.contract.inputs[0].type == "uint8"}  # not that for NPUs
    assert {row.file for row in outcome.parity} == files


def test_validate_compares_a_core_ml_size_without_golden_image_with_the_onnx_file(bundle: Path) -> None:
    (bundle / "golden/96x64.stylized.png").unlink()
    manifest = Manifest.load(bundle)
    config = compose("verify", [f"bundle={bundle}", "runtimes=[coreml]"])
    checks = Checks()
    validation = verification.validate_models(bundle, manifest, config, lambda line: None, checks)
    assert checks.failures == [] and not validation.skipped_runtimes
    assert {row.reference for row in validation.results} == {"android/model.onnx"}
    packages = {model.file for model in manifest.models if model.format == COREML}
    assert {row.file for row in validation.results} == packages


def test_verify_detects_changed_checksums_and_a_changed_manifest(bundle: Path) -> None:
    sums = bundle / "SHA256SUMS"
    original = sums.read_bytes()
    sums.write_bytes(original.upper())
    with pytest.raises(CheckFailed, match="SHA256SUMS was changed: it differs from the manifest; get"):
        check(bundle)
    sums.unlink()
    with pytest.raises(CheckFailed, match="SHA256SUMS is missing; get"):
        check(bundle)
    sums.write_bytes(original)
    (bundle / "measured.json").unlink()  # optional
    check(bundle)


def test_manifest_is_plain_utf8_json(exported: tuple[Path, Run]) -> None:
    text = (exported[0] / "manifest.json").read_text(encoding="utf-8")
    assert "Ünal" in text
    assert json.loads(text)["sha256"]
