"""Running exported files, on a tiny one that honours the contract: it inverts colours and passes alpha."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from impasto.configs.errors import RequestError
from impasto.models import exported
from impasto.models.pictures import Picture
from tests.models.made_models import model


@pytest.fixture(scope="module")
def inverter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("model") / "model.onnx")


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 255, (height, width, channels), np.uint8)


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (64, 50), (1, 1), (5, 40), (40, 15), (15, 4000)])
def test_any_size_comes_back(inverter: Path, size: tuple[int, int]) -> None:
    picture = Picture(noise(*size), noise(*size, 1)[..., 0], had_profile=True)
    result = exported.stylize(exported.load(inverter, 1), picture)
    np.testing.assert_array_equal(result.rgb, 255 - picture.rgb)
    assert result.alpha is not None and picture.alpha is not None and result.had_profile
    np.testing.assert_array_equal(result.alpha, picture.alpha)
    assert exported.stylize(exported.load(inverter, 1), Picture(picture.rgb)).alpha is None


def test_strength_mixes_and_keeps_alpha(inverter: Path, tmp_path: Path) -> None:
    session = exported.load(model(tmp_path / "model.onnx", strength=True), 1)
    photo = Picture(noise(20, 30), noise(20, 30, 1)[..., 0])
    for strength, expected in ((0.0, photo.rgb), (0.5, np.full_like(photo.rgb, 127)), (1.0, 255 - photo.rgb)):
        result = exported.stylize(session, photo, strength)
        np.testing.assert_array_equal(result.rgb, expected)
        np.testing.assert_array_equal(result.alpha, photo.alpha)
    np.testing.assert_array_equal(exported.stylize(session, photo).rgb, 255 - photo.rgb)
    old = exported.load(inverter, 1)
    np.testing.assert_array_equal(exported.stylize(old, photo, 1).rgb, 255 - photo.rgb)
    with pytest.raises(RequestError, match=r"strength=0\.5 is more than this model can; export it again"):
        exported.stylize(old, photo, 0.5)


def test_colours_under_alpha_0_are_stylized_too(inverter: Path) -> None:
    picture = Picture(noise(20, 30), np.zeros((20, 30), np.uint8))
    result = exported.stylize(exported.load(inverter, 1), picture)
    np.testing.assert_array_equal(result.rgb, 255 - picture.rgb)
    assert result.alpha is not None and not result.alpha.any()


@pytest.mark.parametrize("words", ["... Failed to allocate memory for requested buffer of size 9", "std::bad_alloc"])
def test_too_little_memory_is_said(words: str) -> None:
    class Session:
        def run(self, *arguments: Any) -> None:
            raise RuntimeError(words)

    with pytest.raises(RequestError, match=r"^a picture of 30x20 needs more memory than there is; shrink it$"):
        exported.stylize(Session(), Picture(noise(20, 30)))


def test_threads_reach_onnx_runtime(inverter: Path) -> None:
    assert exported.load(inverter, 2).get_session_options().intra_op_num_threads == 2


def test_a_bundle_is_a_model(inverter: Path, tmp_path: Path) -> None:
    model(tmp_path / "swirls" / "android" / "model.onnx")
    assert exported.load(tmp_path / "swirls", 1).get_inputs()[0].name == "image"
    with pytest.raises(RequestError, match="holds no android"):
        exported.load(tmp_path, 1)


def test_wrong_models_get_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "empty.onnx").touch()
    wrong = {
        tmp_path / "gone.onnx": "there is no such model",
        tmp_path / "text.onnx": "no model that ONNX Runtime can load",
        tmp_path / "empty.onnx": "no model that ONNX Runtime can load",
        model(tmp_path / "float.onnx", kind=TensorProto.FLOAT): "takes image tensor.float.",
        model(tmp_path / "other.onnx", name="input"): "takes input",
        model(tmp_path / "fixed.onnx", shape=[1, 64, 64, 4]): r"takes image tensor.uint8. \[1, 64, 64, 4\]",
    }
    for path, fault in wrong.items():
        with pytest.raises(RequestError, match=fault) as caught:
            exported.load(path, 1)
        message = str(caught.value)
        assert str(path) in message and "\n" not in message and len(message) < 400
    assert capfd.readouterr() == ("", "")  # ONNX Runtime keeps quiet


def test_a_model_that_fails_or_changes_the_size_is_said(inverter: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(RequestError, match=r"the model turns \(1, 20, 30, 4\) into \(1, 18, 28, 4\)"):
        exported.stylize(exported.load(model(tmp_path / "small.onnx", crop=2), 1), Picture(noise(20, 30)))
    monkeypatch.setattr(exported, "MIN_SIDE", 1)
    with pytest.raises(RequestError, match="a picture of 9x9 could not be stylized"):
        exported.stylize(exported.load(inverter, 1), Picture(noise(9, 9)))


def test_a_card_is_what_the_exporter_wrote(inverter: Path, tmp_path: Path) -> None:
    card = {"loss": {"style_weight": 5.0}, "style": {"name": "Ünal"}}
    texts = {json.dumps(card): card, "[1]": {}, "no JSON": {}, "": {}}
    for number, (text, expected) in enumerate(texts.items()):
        path = model(tmp_path / f"{number}.onnx", card=text)
        assert exported.card(exported.load(path, 1)) == expected
    assert exported.card(exported.load(inverter, 1)) == {}
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(model(tmp_path / "words.onnx", card="no JSON").read_bytes().replace(b"no JSON", b"no \xffSON"))
    assert exported.card(exported.load(torn, 1)) == {}
