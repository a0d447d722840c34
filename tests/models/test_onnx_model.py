"""Running exported files, on a tiny model that follows the contract: it inverts colors and passes alpha through."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from impasto.configs.errors import UsageError
from impasto.models import checkpoint, onnx_model, zoo
from impasto.models.card import ExportedCard
from impasto.models.image.picture import Picture
from tests.helpers.onnx_models import model


@pytest.fixture(scope="module")
def inverter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("model") / "model.onnx")


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 255, (height, width, channels), np.uint8)


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (64, 50), (1, 1), (5, 40), (40, 15), (15, 4000)])
def test_stylize_any_size_preserves_size_alpha_and_profile(inverter: Path, size: tuple[int, int]) -> None:
    picture = Picture(noise(*size), noise(*size, 1)[..., 0], had_profile=True)
    result = onnx_model.stylize(onnx_model.load(inverter, 1), picture)
    np.testing.assert_array_equal(result.rgb, 255 - picture.rgb)
    assert result.alpha is not None and picture.alpha is not None and result.had_profile
    np.testing.assert_array_equal(result.alpha, picture.alpha)
    assert onnx_model.stylize(onnx_model.load(inverter, 1), Picture(picture.rgb)).alpha is None


def test_stylize_transparent_pixels_stylizes_their_colors(inverter: Path) -> None:
    picture = Picture(noise(20, 30), np.zeros((20, 30), np.uint8))
    result = onnx_model.stylize(onnx_model.load(inverter, 1), picture)
    np.testing.assert_array_equal(result.rgb, 255 - picture.rgb)
    assert result.alpha is not None and not result.alpha.any()


@pytest.mark.parametrize("words", ["... Failed to allocate memory for requested buffer of size 9", "std::bad_alloc"])
def test_stylize_without_memory_raises_one_sentence(words: str) -> None:
    class Session:
        def run(self, *arguments: Any) -> None:
            raise RuntimeError(words)

    with pytest.raises(UsageError, match=r"^a picture of 30x20 needs more memory than is available; reduce its size$"):
        onnx_model.stylize(Session(), Picture(noise(20, 30)))


def test_load_with_threads_configures_the_session(inverter: Path) -> None:
    assert onnx_model.load(inverter, 2).get_session_options().intra_op_num_threads == 2


def test_load_bundle_folder_finds_its_model(inverter: Path, tmp_path: Path) -> None:
    model(tmp_path / "swirls" / "android" / "model.onnx")
    assert onnx_model.load(tmp_path / "swirls", 1).get_inputs()[0].name == "image"
    with pytest.raises(UsageError, match="neither a run directory nor a bundle: it has no android"):
        onnx_model.load(tmp_path, 1)


def test_load_checkpoint_names_its_exported_file(tmp_path: Path) -> None:
    for step in ("step_00000003", "best"):
        (tmp_path / f"{step}.safetensors").touch()
    with pytest.raises(UsageError, match=r"not an exported file; export it with impasto-export checkpoint="):
        onnx_model.load(tmp_path / "best.safetensors")
    for name in ("last", "best"):
        (tmp_path / f"{name}.onnx").touch()
    for name, exported in (("best", "best"), ("step_00000003", "last")):
        with pytest.raises(UsageError, match=rf"; name {tmp_path}/{exported}\.onnx, or export"):
            onnx_model.load(tmp_path / f"{name}.safetensors")


def test_load_wrong_model_raises_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "empty.onnx").touch()
    wrong = {
        tmp_path / "gone.onnx": "there is no such model",
        tmp_path / "text.onnx": "cannot be loaded by ONNX Runtime",
        tmp_path / "empty.onnx": "cannot be loaded by ONNX Runtime",
        model(tmp_path / "float.onnx", kind=TensorProto.FLOAT): "has the input image tensor.float.",
        model(tmp_path / "other.onnx", name="input"): "has the input input",
        model(
            tmp_path / "fixed.onnx", shape=[1, 64, 96, 4]
        ): r"takes images of 96x64 only; use the model\.onnx beside it",
    }
    for path, fault in wrong.items():
        with pytest.raises(UsageError, match=fault) as caught:
            onnx_model.load(path, 1)
        message = str(caught.value)
        assert str(path) in message and "\n" not in message and len(message) < 400
    assert capfd.readouterr() == ("", "")  # ONNX Runtime prints nothing


def test_stylize_with_failing_model_raises_one_sentence(inverter: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(UsageError, match=r"the model maps \(1, 20, 30, 4\) to \(1, 18, 28, 4\)"):
        onnx_model.stylize(onnx_model.load(model(tmp_path / "small.onnx", crop=2), 1), Picture(noise(20, 30)))
    monkeypatch.setattr(onnx_model, "MIN_SIDE", 1)
    with pytest.raises(UsageError, match="a picture of 9x9 could not be stylized"):
        onnx_model.stylize(onnx_model.load(inverter, 1), Picture(noise(9, 9)))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [("768", 768), ("16", 16), ("15", None), ("", None), ("-9", None), ("7.5", None), ("²", None), ("9" * 5000, None)],
)
def test_stroke_resolution_reads_metadata_and_ignores_other_values(
    tmp_path: Path, stored: str, expected: int | None
) -> None:
    session = onnx_model.load(model(tmp_path / "model.onnx", stroke_resolution=stored), 1)
    assert onnx_model.stroke_resolution(session) == expected


def test_stroke_resolution_of_a_file_without_the_key_is_native(inverter: Path) -> None:
    assert onnx_model.stroke_resolution(onnx_model.load(inverter, 1)) is None


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("32", 32),
        ("33", 0),
        ("", 0),
        ("-3", 0),
        ("nan", 0),
        ("1e1", 0),
        ("9" * 5000, 0),
        ("٣", 0),
    ],
)
def test_grain_reads_metadata_and_ignores_other_values(tmp_path: Path, stored: str, expected: float) -> None:
    session = onnx_model.load(model(tmp_path / "model.onnx", grain=stored), 1)
    assert onnx_model.grain(session) == expected


def test_grain_of_a_file_without_the_key_is_0(inverter: Path) -> None:
    assert onnx_model.grain(onnx_model.load(inverter, 1)) == 0


def test_card_returns_what_the_exporter_wrote(inverter: Path, tmp_path: Path) -> None:
    _, saved = checkpoint.load(zoo.resolve("zoo/udnie/tiny", ".safetensors"))
    assert saved.loss is not None
    loss = replace(saved.loss, normalization="hw", checkerboard_weight=7.0)
    card = ExportedCard.of(replace(saved, loss=loss))
    assert card is not None
    text = json.dumps(card.to_json())
    others = (
        text.replace("normalization", "gram"),  # as files of earlier versions have it
        "[1]",
        "no JSON",
        "",
        "{}",
        '{"style":{"name":"Ünal"}}',
        '{"loss":3,"style":{}}',
        text.replace("udnie", "")[:-9],
    )
    texts: dict[str, ExportedCard | None] = {text: card} | dict.fromkeys(others)
    for number, (stored, expected) in enumerate(texts.items()):
        path = model(tmp_path / f"{number}.onnx", card=stored)
        assert onnx_model.card(onnx_model.load(path, 1)) == expected
    assert onnx_model.card(onnx_model.load(inverter, 1)) is None
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(model(tmp_path / "words.onnx", card="no JSON").read_bytes().replace(b"no JSON", b"no \xffSON"))
    assert onnx_model.card(onnx_model.load(torn, 1)) is None
