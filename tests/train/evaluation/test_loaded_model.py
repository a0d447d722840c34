import json
from pathlib import Path

import pytest
from onnx import TensorProto
from PIL import Image

from impasto.configs.errors import UsageError
from impasto.train.evaluation import loaded_model
from tests.helpers.cards import card
from tests.helpers.onnx_models import model


@pytest.mark.slow
def test_load_unusable_files_are_one_sentence(tmp_path: Path) -> None:
    good = card()
    incomplete = "does not record the style image and the loss of its training; name a checkpoint"
    wrong = {
        model(tmp_path / "foreign.onnx"): incomplete,
        model(tmp_path / "no_loss.onnx", card=json.dumps({"style": good["style"]})): incomplete,
        model(tmp_path / "no_hash.onnx", card=json.dumps(good | {"style": {"name": "swirls"}})): incomplete,
        model(tmp_path / "other.onnx", card=json.dumps(good | {"loss": {"network": "resnet"}})): incomplete,
        model(tmp_path / "float.onnx", kind=TensorProto.FLOAT): "export it with onnx.io=uint8_rgba",
        tmp_path / "gone.onnx": "there is no such model",
        tmp_path / "gone.safetensors": "does not exist; name an existing checkpoint",
        tmp_path / "network.pth": "reads .safetensors files only",
    }
    (tmp_path / "network.pth").write_bytes(b"a pickle")
    for path, words in wrong.items():
        with pytest.raises(UsageError, match=words) as error:
            loaded_model.load(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.slow
def test_style_model_other_style_image_or_weights_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    network = loaded_model.load(model(tmp_path / "good.onnx", card=json.dumps(card())))
    assert network.style_image(None).pixels.shape == (1, 3, 32, 32)
    with pytest.raises(UsageError, match=r"red.png is not the picture of swirls"):
        network.style_image(str(tmp_path / "red.png"))
    with pytest.raises(UsageError, match=r"weights=auto are not the VGG weights .*; use weights=random"):
        network.loss_config("auto")
    named = card()
    named["style"]["painter"] = None
    with pytest.raises(UsageError, match="style is missing; name the picture of swirls"):
        loaded_model.load(model(tmp_path / "named.onnx", card=json.dumps(named))).style_image(None)


@pytest.mark.slow
def test_load_of_an_exported_file_has_its_stroke_resolution_and_grain(tmp_path: Path) -> None:
    path = model(tmp_path / "good.onnx", card=json.dumps(card()), stroke_resolution="600", grain="2.5")
    style = loaded_model.load(path).style
    assert (style.card_stroke_resolution(), style.grain) == (600, 2.5)
    plain = loaded_model.load(model(tmp_path / "plain.onnx", card=json.dumps(card()))).style
    assert (plain.card_stroke_resolution(), plain.grain) == (None, 0)
