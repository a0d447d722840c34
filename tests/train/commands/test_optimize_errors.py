"""impasto-optimize with a wrong request, missing weights or a degenerate photo."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.models.vgg import torchvision_files
from tests.helpers.in_process import Call, assert_one_sentence
from tests.helpers.optimize import FAST, files, pixels, trace

DEGENERATE = {
    "black": np.zeros((40, 40, 3), np.uint8),
    "flat": np.full((40, 40, 3), 127, np.uint8),
    "tiny": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    "narrow": np.random.default_rng(0).integers(0, 256, (8, 80, 3), np.uint8),
}


@pytest.mark.slow
@pytest.mark.parametrize("photo", DEGENERATE)
def test_optimize_degenerate_photo_lowers_a_finite_loss(photo: str, call_optimize: Call) -> None:
    Image.fromarray(DEGENERATE[photo]).save("degenerate.png")
    line = ["content=degenerate.png", "style=painting.png", "loss.weights=random", "size=32", "style.size=32"]
    assert call_optimize(*line, "init=noise", "iterations=5", "device=cpu", "output=out.png") == 0
    [scale] = trace("out.trace.json")["scales"]
    assert all(value is not None for row in scale["losses"] for value in row.values())  # null: it overflowed
    assert scale["best"] < scale["losses"][0]["total"]
    assert pixels("out.png").shape == (32, 320 if photo == "narrow" else 32, 3)


@pytest.mark.slow
def test_vgg19_without_weights_is_one_sentence(
    call_optimize: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["content=photo.jpg", "style=painting.png", *FAST, "loss.network=vgg19", "loss.content_layer=relu3_4"]
    assert call_optimize(*line, "output=out.png") == 0
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "nowhere")
    monkeypatch.setattr(torchvision_files, "download", lambda url: None)
    capsys.readouterr()
    assert call_optimize(*line, "loss.weights=auto", "output=out2.png") == 2
    printed = capsys.readouterr().err
    assert "loss.network=vgg19 needs torchvision's vgg19-dcbb9e9d.pth" in printed
    assert printed.count("\n") == 1
    assert not Path("out2.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["style=painting.png"], ["content is missing", "content=FILE"]),
        (["content=nowhere.jpg"], ["nowhere.jpg", "no such file"]),
        (["content=text.jpg"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "style=monet"], ["style=monet", "swirls"]),
        (["content=photo.jpg", "style=text.jpg"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "style=painting.png", "styles=[text.jpg]"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "masks=[text.jpg]"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "masks=[painting.png,painting.png]"], ["masks=", "give 1"]),
        (["content=photo.jpg", "blend=[1,2]"], ["blend=[1,2]", "give 1"]),
        (["content=photo.jpg", "blend=[0]"], ["blend=[0]", "not all 0"]),
        (["content=photo.jpg", "init=text.jpg"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "init=nosuch"], ["nosuch", "no such file"]),
        (["content=photo.jpg", "size=8"], ["size=8", "32"]),
        (["content=photo.jpg", "scales=9"], ["scales=9", "[128,256]"]),
        (["content=photo.jpg", "scales=[300]"], ["scales=[300]", "ascending"]),
        (["content=photo.jpg", "scales=many"], ["scales=many", "integer"]),
        (["content=photo.jpg", "iterations=0"], ["iterations=0"]),
        (["content=photo.jpg", "output=out.psd"], ["out.psd", ".png"]),
        (["content=photo.jpg", "output=photo.jpg"], ["photo.jpg", "would overwrite"]),
        (["content=photo.jpg", "output=folder"], ["folder", "suffix"]),
        (["content=photo.jpg", "optimizer=sgd"], ["optimizer=sgd", "adam", "lbfgs"]),
        (["content=photo.jpg", "loss.content_layer=relu3_4"], ["vgg16 has no layer relu3_4", "loss.network=vgg19"]),
        (["content=photo.jpg", "loss.tv_power=3"], ["loss.tv_power=3", "2, 1.25"]),
        (["content=photo.jpg", "loss.content_weight=0", "loss.style_weight=0"], ["loss.content_weight", "all 0"]),
        (["content=photo.jpg", "loss=monet"], ["loss=monet", "gatys2016, johnson, keras-notebook"]),
        (["content=long.png", "style=painting.png", "size=2048"], ["long.png", "16 megapixels"]),
    ],
)
def test_optimize_wrong_request_is_one_sentence_before_any_work(
    arguments: list[str], words: list[str], call_optimize: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.jpg").write_text("not a picture")
    Path("folder").mkdir()
    Image.new("RGB", (600, 20)).save("long.png")
    before = files()
    assert call_optimize("loss.weights=random", *arguments) == 2
    assert_one_sentence(capsys, "impasto-optimize", words)
    assert files() == before
