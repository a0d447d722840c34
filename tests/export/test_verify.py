import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from impasto.configs.app import compose
from impasto.configs.errors import CheckError, RequestError
from impasto.export import manifest, sealed, verify
from tests import heavy
from tests.conftest import Run

Impasto = Callable[..., Run]


@pytest.fixture
def bundle(exported: tuple[Path, Run], tmp_path: Path) -> Path:
    """A copy of the bundle."""
    return shutil.copytree(exported[0], tmp_path / "swirls")


def check(bundle: Path, runtimes: str = "[onnxruntime]") -> None:
    verify.task(compose("verify", [f"bundle={bundle}", f"runtimes={runtimes}"]))


def rewrite(bundle: Path, name: str, data: bytes) -> None:
    """Change a file and the manifest with it, as one who means to deceive would."""
    (bundle / name).write_bytes(data)
    found = sealed.read(bundle / "manifest.json")
    found["files"][name] = {"bytes": len(data), "sha256": manifest.sha256(bundle / name)}
    sealed.write(bundle / "manifest.json", found)


def test_the_command(exported: tuple[Path, Run], impasto: Impasto) -> None:
    folder, _ = exported
    done = impasto("verify", f"bundle={folder}")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("android/model.int8.onnx", "ios/Model_ios18.mlpackage", "is whole: ", "pictures compared"):
        assert words in done.stdout


def test_no_torch_is_needed(exported: tuple[Path, Run]) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['coremltools'] = None\n"
        "from impasto.configs.app import compose; from impasto.export import verify\n"
        f"verify.task(compose('verify', ['bundle={exported[0]}', 'runtimes=[onnxruntime]']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "is whole" in done.stdout


def test_a_flipped_byte_in_any_file_is_named(bundle: Path) -> None:
    names = [path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()]
    assert len(names) > 20
    for name in names:
        data = (bundle / name).read_bytes()
        for place in {0, len(data) // 2, len(data) - 1}:
            (bundle / name).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with pytest.raises(CheckError) as error:
                check(bundle)
            assert name in str(error.value) and "was changed" in str(error.value) and "\n" not in str(error.value)
        (bundle / name).write_bytes(data)
    check(bundle)


def test_a_missing_and_an_added_file_are_named(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "android/model.ort").unlink()
    (bundle / "android/notes.txt").write_text("mine")
    (bundle / ".DS_Store").write_text("a file manager's")
    with pytest.raises(CheckError, match=r"android/model\.ort is missing \(and 1 more\); take the bundle again"):
        check(bundle)
    assert "android/notes.txt is no part of the bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (None, "is no folder; name one"),
        ({}, r"is no bundle: it holds no manifest\.json"),
        ({"manifest.json": "{}"}, r"manifest\.json was changed"),
    ],
)
def test_what_is_no_bundle(tmp_path: Path, files: dict[str, str] | None, sentence: str) -> None:
    folder = tmp_path / "folder"
    if files is not None:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    with pytest.raises((CheckError, RequestError), match=sentence):
        check(folder)


def test_another_format_is_refused(bundle: Path) -> None:
    sealed.write(bundle / "manifest.json", sealed.read(bundle / "manifest.json") | {"format": "impasto-bundle-9"})
    with pytest.raises(RequestError, match="has the format impasto-bundle-9, not impasto-bundle-2; export it again"):
        check(bundle)


def test_another_network_fails_parity(bundle: Path) -> None:
    model = onnx.load(bundle / "android/model.int8.onnx")
    (bias,) = [
        weight for weight in model.graph.initializer if weight.name.startswith("conv") and weight.name.endswith("bias")
    ]
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.3), bias.name))
    rewrite(bundle, "android/model.int8.onnx", model.SerializeToString())
    with pytest.raises(CheckError, match=r"android/model\.int8\.onnx in ONNX Runtime .* differs .* less than 40 dB; "):
        check(bundle)


def test_another_golden_picture_fails_parity(bundle: Path) -> None:
    path = bundle / "golden/96x64.stylized.png"
    with Image.open(path) as picture:
        pixels = np.asarray(picture).copy()
    pixels[3, 4, 1] ^= 4
    Image.fromarray(pixels).save(path)
    rewrite(bundle, "golden/96x64.stylized.png", path.read_bytes())
    with pytest.raises(CheckError, match=r"android/model\.onnx in .* at 96x64 by up to [345] of 255, more than 1"):
        check(bundle)


def test_another_contract_fails(bundle: Path) -> None:
    found = sealed.read(bundle / "manifest.json")
    found["android"]["contract"]["input"]["type"] = "float32"
    sealed.write(bundle / "manifest.json", found)
    with pytest.raises(CheckError, match=r"android/model\.onnx has .*uint8.* where the manifest promises .*float"):
        check(bundle)
    found["android"]["contract"]["input"]["type"] = "uint8"
    sealed.write(bundle / "manifest.json", found)
    rewrite(bundle, "android/model.fp16.onnx", b"no model")
    with pytest.raises(CheckError, match=r"android/model\.fp16\.onnx cannot be opened by ONNX Runtime"):
        check(bundle)


def test_another_pair_fails(bundle: Path) -> None:
    tile = onnx.load(bundle / "android/tile.onnx")
    for node in tile.graph.node:
        if node.op_type == "BatchNormalization":
            node.input[3], node.input[4] = node.input[4], node.input[3]
            break
    rewrite(bundle, "android/tile.onnx", tile.SerializeToString())
    with pytest.raises(CheckError, match=r"android/tile\.onnx in .* differs from android/model\.onnx at .* than 2; "):
        check(bundle)
    rewrite(bundle, "android/tile.onnx", (bundle / "android/stats.onnx").read_bytes())
    with pytest.raises(CheckError, match=r"android/tile\.onnx has .* where the manifest promises .*'statistics'"):
        check(bundle)


def test_runtimes_without_their_tools_are_listed(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify.task(compose("verify", [f"bundle={bundle}", "runtimes=[onnxruntime,node,arm64]", f"tools={tmp_path}"]))
    shown = " ".join(capsys.readouterr().out.split())
    assert "not run" in shown and "make tools" in shown and "arm64" in shown


@pytest.mark.heavy
def test_every_runtime(exported: tuple[Path, Run]) -> None:
    packages = heavy.tool("onnxruntime-web"), heavy.tool("playwright-core")
    for program in ("node", "chromium-headless-shell", "qemu-aarch64-static", "aarch64-linux-gnu-gcc"):
        heavy.tool(program)
    tools = packages[0].parents[1]
    found = sealed.read(exported[0] / "manifest.json")
    config = compose("verify", [f"bundle={exported[0]}", f"tools={tools}", "runtimes=[node,chromium,arm64]"])
    rows, lacking = verify.parity(exported[0], found, config, lambda line: None)
    assert not lacking
    runtimes = {row.runtime for row in rows}
    assert len(runtimes) == 3
    assert {row.file for row in rows} == {facts["file"] for facts in found["android"]["models"]}
    assert [row.failure() for row in rows if row.failure()] == []


def test_a_core_ml_size_without_a_golden_picture_is_held_against_the_onnx_file(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / "golden/96x64.stylized.png").unlink()
    found = sealed.read(bundle / "manifest.json")
    del found["files"]["golden/96x64.stylized.png"]
    sealed.write(bundle / "manifest.json", found)
    config = compose("verify", [f"bundle={bundle}", "runtimes=[coreml]"])
    rows, lacking = verify.parity(bundle, found, config, lambda line: None)
    assert not lacking
    assert {row.reference for row in rows} == {"android/model.onnx"}
    assert all(row.failure() is None for row in rows)


def test_the_manifest_is_json_that_others_can_read(exported: tuple[Path, Run]) -> None:
    text = (exported[0] / "manifest.json").read_text(encoding="utf-8")
    assert "Ünal" in text
    assert json.loads(text)["sha256"]
