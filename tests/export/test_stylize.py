"""impasto-stylize and its runtime, on a tiny file that honours the contract: it inverts colours and passes alpha."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image
from rich.console import Console

from impasto.configs.errors import RequestError
from impasto.configs.schema import StylizeConfig
from impasto.export import runtime, stylize
from impasto.models.pictures import Picture, read

PIXELS = [1, "H", "W", 4]


def model(path: Path, shape: Any = PIXELS, kind: int = TensorProto.UINT8, name: str = "image", crop: int = 0) -> Path:
    """Invert the colours, pass alpha. The padding by reflection, cut off again, needs 16 pixels a side."""
    constants = {
        "pads": [0, 15, 15, 0, 0, 0, 0, 0],
        "begin": [15, 15],
        "end": [2**31 - crop if crop == 0 else -crop] * 2,
        "axes": [1, 2],
    }
    tensors = [helper.make_tensor(key, TensorProto.INT64, [len(value)], value) for key, value in constants.items()]
    tensors.append(helper.make_tensor("inverse", TensorProto.INT32, [4], [-1, -1, -1, 1]))
    tensors.append(helper.make_tensor("white", TensorProto.INT32, [4], [255, 255, 255, 0]))
    nodes = [
        helper.make_node("Cast", [name], ["whole"], to=TensorProto.INT32),
        helper.make_node("Pad", ["whole", "pads"], ["padded"], mode="reflect"),
        helper.make_node("Slice", ["padded", "begin", "end", "axes"], ["cut"]),
        helper.make_node("Mul", ["cut", "inverse"], ["negative"]),
        helper.make_node("Add", ["negative", "white"], ["inverted"]),
        helper.make_node("Cast", ["inverted"], ["stylized"], to=kind),
    ]
    values = (
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info("stylized", kind, shape)],
    )
    graph = helper.make_graph(nodes, "inverter", *values, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(made, path)
    return path


@pytest.fixture(scope="module")
def inverter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("model") / "model.onnx")


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 255, (height, width, channels), np.uint8)


def save(path: Path, pixels: NDArray[np.uint8], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def ask(inverter: Path, source: Path, output: Path) -> None:
    stylize.task(StylizeConfig(model=str(inverter), input=str(source), output=str(output), threads=1, quality=95))


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (64, 50), (1, 1), (5, 40), (40, 15)])
def test_any_size_comes_back(inverter: Path, size: tuple[int, int]) -> None:
    picture = Picture(noise(*size), noise(*size, 1)[..., 0], had_profile=True)
    result = runtime.stylize(runtime.load(inverter, 1), picture)
    np.testing.assert_array_equal(result.rgb, 255 - picture.rgb)
    assert result.alpha is not None and picture.alpha is not None and result.had_profile
    np.testing.assert_array_equal(result.alpha, picture.alpha)
    assert runtime.stylize(runtime.load(inverter, 1), Picture(picture.rgb)).alpha is None


def test_threads_reach_onnx_runtime(inverter: Path) -> None:
    assert runtime.load(inverter, 2).get_session_options().intra_op_num_threads == 2


def test_a_bundle_is_a_model(inverter: Path, tmp_path: Path) -> None:
    model(tmp_path / "swirls" / "android" / "model.onnx")
    assert runtime.load(tmp_path / "swirls", 1).get_inputs()[0].name == "image"
    with pytest.raises(RequestError, match="holds no android"):
        runtime.load(tmp_path, 1)


def test_wrong_models_get_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "empty.onnx").touch()
    wrong = {
        tmp_path / "gone.onnx": "there is no such model",
        tmp_path / "text.onnx": "no ONNX file that ONNX Runtime can load",
        tmp_path / "empty.onnx": "no ONNX file that ONNX Runtime can load",
        model(tmp_path / "float.onnx", kind=TensorProto.FLOAT): "takes image tensor.float.",
        model(tmp_path / "other.onnx", name="input"): "takes input",
        model(tmp_path / "fixed.onnx", shape=[1, 64, 64, 4]): r"takes image tensor.uint8. \[1, 64, 64, 4\]",
    }
    for path, fault in wrong.items():
        with pytest.raises(RequestError, match=fault) as caught:
            runtime.load(path, 1)
        message = str(caught.value)
        assert str(path) in message and "\n" not in message and len(message) < 400
    assert capfd.readouterr() == ("", "")  # ONNX Runtime keeps quiet


def test_a_model_that_fails_or_changes_the_size_is_said(inverter: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(RequestError, match=r"the model turns \(1, 20, 30, 4\) into \(1, 18, 28, 4\)"):
        runtime.stylize(runtime.load(model(tmp_path / "small.onnx", crop=2), 1), Picture(noise(20, 30)))
    monkeypatch.setattr(runtime, "MIN_SIDE", 1)
    with pytest.raises(RequestError, match="a picture of 9x9 could not be stylized"):
        runtime.stylize(runtime.load(inverter, 1), Picture(noise(9, 9)))


def test_one_photo(inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, target = save(tmp_path / "a.png", noise(20, 30, 4)), tmp_path / "new" / "b.png"
    ask(inverter, photo, target)
    expected = noise(20, 30, 4)
    expected[..., :3] = 255 - expected[..., :3]
    with Image.open(target) as image:
        np.testing.assert_array_equal(np.asarray(image), expected)
    assert capsys.readouterr() == (f"1 photo written to {target}\n", "")
    assert [path.name for path in target.parent.iterdir()] == ["b.png"]


def test_orientation_as_seen_and_no_tag(inverter: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0131] = 6, "Camera"
    ask(inverter, save(tmp_path / "a.png", noise(20, 30), exif=exif), tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.size == (20, 30) and not image.getexif()
    ask(inverter, tmp_path / "a.png", tmp_path / "b.png")
    np.testing.assert_array_equal(read(tmp_path / "b.png").rgb, np.rot90(255 - noise(20, 30), -1))


def test_into_an_existing_folder(inverter: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    ask(inverter, save(tmp_path / "a.png", noise(20, 30)), tmp_path / "out")
    ask(inverter, save(tmp_path / "a.gif", noise(20, 30)[..., 0]), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.gif.png", "a.png"]


def photos(folder: Path) -> Path:
    save(folder / "a.jpg", noise(20, 30))
    save(folder / "deep" / "er" / "b.PNG", noise(9, 40))
    save(folder / "deep" / "c.gif", noise(20, 20)[..., 0])
    (folder / "deep" / "torn.jpg").write_bytes((folder / "a.jpg").read_bytes()[:-400])
    (folder / "text.jpg").write_text("not a photo")
    (folder / "notes.txt").write_text("no photo, and no suffix of one")
    return folder


def test_a_folder_keeps_its_tree_and_survives_bad_photos(
    inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = photos(tmp_path / "in"), tmp_path / "out" / "put"
    ask(inverter, source, output)
    written = sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())
    assert written == ["a.jpg", "deep/c.gif.png", "deep/er/b.PNG"]
    np.testing.assert_array_equal(read(output / "deep/er/b.PNG").rgb, 255 - noise(9, 40))
    out, err = capsys.readouterr()
    assert out == f"3 photos written to {output}\n"
    lines = err.splitlines()
    assert lines[0] == "2 photos of 5 skipped:" and len(lines) == 3
    assert str(source / "deep" / "torn.jpg") in lines[1] and str(source / "text.jpg") in lines[2]


def test_an_output_inside_the_input_is_not_read_again(
    inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.png", noise(20, 30))
    for _ in range(2):
        ask(inverter, tmp_path, tmp_path / "out")
        assert capsys.readouterr().out.startswith("1 photo ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_an_output_above_the_input(inverter: Path, tmp_path: Path) -> None:
    ask(inverter, save(tmp_path / "in" / "a.png", noise(20, 30)).parent, tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "a.png").rgb, 255 - noise(20, 30))


def test_a_folder_of_bad_photos_fails(inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.jpg").write_text("not a photo")
    with pytest.raises(RequestError, match="none of the 1 photos"):
        ask(inverter, tmp_path / "in", tmp_path / "out")
    assert "text.jpg is not a picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "output", "fault"),
    [
        ("gone.jpg", "out.jpg", "gone.jpg does not exist"),
        ("in/a.jpg", "out.docx", r"out.docx does not end in .* choose one of \.jpg"),
        ("in/a.jpg", "out", "out does not end in"),
        ("in/a.jpg", "in/a.jpg", "would overwrite"),
        ("in/a.jpg", "in/../in/a.jpg", "would overwrite"),
        ("in/a.jpg", "in", "would overwrite"),
        ("in/a.jpg", "hard.jpg", "would overwrite"),
        ("in", "in", "is the input"),
        ("in", "link", "is the input"),
        ("in", "in/a.jpg", "is a file, but"),
        ("nested/n", "nested", "would overwrite"),
        ("nested/n", "above", "would overwrite"),
        ("empty", "out", r"holds no pictures \(\.jpg, "),
        ("in/text.jpg", "out.jpg", "text.jpg is not a picture"),
    ],
)
def test_wrong_requests_get_one_sentence_and_change_nothing(
    tmp_path: Path, inverter: Path, source: str, output: str, fault: str
) -> None:
    photos(tmp_path / "in")
    save(tmp_path / "nested" / "n" / "a.png", noise(9, 9))
    save(tmp_path / "nested" / "n" / "n" / "a.png", noise(9, 9))
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "above").symlink_to(tmp_path / "nested")
    (tmp_path / "hard.jpg").hardlink_to(tmp_path / "in" / "a.jpg")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RequestError, match=fault) as caught:
        ask(inverter, tmp_path / source, tmp_path / output)
    assert "\n" not in str(caught.value)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_wrong_output_is_said_before_the_model_is_loaded(tmp_path: Path) -> None:
    photo = save(tmp_path / "a.png", noise(20, 30))
    with pytest.raises(RequestError, match="choose one of"):
        ask(tmp_path / "gone.onnx", photo, tmp_path / "b.xyz")


def test_progress_on_a_terminal(inverter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(stylize, "Console", lambda **_: Console(file=screen, force_terminal=True, width=100))
    ask(inverter, photos(tmp_path / "in"), tmp_path / "out")
    assert "5/5" in screen.getvalue() and "photos/s" in screen.getvalue()


def test_no_torch_and_no_telemetry(inverter: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "import impasto.export.stylize, impasto.export.runtime\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
        "impasto.export.stylize.main()\n"
        "assert not {'torch', 'onnx', 'coremltools'} & set(sys.modules)\n"
    )
    request = f"model={inverter}", f"input={photos(tmp_path / 'in')}", f"output={tmp_path / 'out'}", "threads=1"
    command = [sys.executable, "-c", program, *request]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"3 photos written to {tmp_path / 'out'}\n"
    assert (
        done.stderr.startswith("2 photos of 5 skipped") and "stylizing" not in done.stderr
    )  # no bar without a terminal
