"""Networks against the optimizer: worth, ratio, cache, gate, and what impasto-evaluate leaves."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto
from PIL import Image

from impasto.configs import app
from impasto.configs.errors import CheckError, RequestError
from impasto.configs.schema import EvaluationConfig
from impasto.models import vgg_weights
from impasto.models.losses import PerceptualLoss
from impasto.train import evaluate, evaluation, judged, style
from impasto.train.evaluation import Trajectory
from tests.conftest import Run
from tests.models.made_models import model

Impasto = Callable[..., Run]


def trajectory(*totals: float) -> Trajectory:
    kept = [1, len(totals)]
    return Trajectory(list(totals), kept, np.zeros((2, 4, 4, 3), np.uint8))


def limits(**changes: object) -> EvaluationConfig:
    settings: dict[str, object] = {
        **{"sizes": [64], "starts": ["noise"], "iterations": 9, "count": 2, "min_worth": None, "max_ratio": None},
        **{"max_lattice": None, "max_blobs": None, "max_border": None, "max_flicker": None},
    }
    return EvaluationConfig(**(settings | changes))  # type: ignore[arg-type]


def test_worth_is_the_first_iteration_that_is_as_good() -> None:
    way = trajectory(9.0, 5.0, 6.0, 3.0, float("inf"))
    assert [way.worth(total) for total in (10.0, 9.0, 5.5, 5.0, 4.0, 3.0, 1.0)] == [1, 1, 2, 2, 4, 4, 5]
    assert way.best == 3.0


def test_a_strength_makes_no_other_loss() -> None:
    raw = {"style_weight": 3.2, "gram": "chw"}
    assert evaluation.loss_key(raw | {"strength": 1.0}, "a", 64) == evaluation.loss_key(raw, "a", 64)
    assert evaluation.loss_key(raw | {"style_weight": 3.3}, "a", 64) != evaluation.loss_key(raw, "a", 64)


ROW = {
    "size": 256,
    "start": "noise",
    "photos": 3,
    "worth": 30,
    "ratio": 2.5,
    "total": 1.0,
    "content": 1.0,
    "style": 0.0,
    "artefacts": {"excess": {"lattice": 1.5, "blobs": 10.0, "border": 0.2}},
    "flicker": {"pan": 6.0, "noise": 8.0, "both": 7.0},
}


def test_the_gate() -> None:
    evaluation.gate([ROW], limits(min_worth=30, max_ratio=2.5))
    with pytest.raises(CheckError, match=r"worth 30 iterations from noise at 256 px.*less than evaluate.min_worth=40"):
        evaluation.gate([ROW], limits(min_worth=40))
    with pytest.raises(CheckError, match=r"2.50 times the optimizer's best.*more than evaluate.max_ratio=2"):
        evaluation.gate([ROW], limits(max_ratio=2))
    evaluation.gate([ROW, ROW | {"start": "photo", "worth": 2}], limits(min_worth=30))


def test_the_gates_on_artefacts() -> None:
    evaluation.gate([ROW], limits(max_lattice=1.5, max_blobs=10, max_border=0.2))
    for name, words in {
        "lattice": "stronger by 1.50",
        "blobs": "10.00 more saturated",
        "border": "by 0.20 more",
    }.items():
        with pytest.raises(CheckError, match=rf"{words}.*than their photos at 256 px.*more than evaluate.max_{name}=0"):
            evaluation.gate([ROW], limits(**{f"max_{name}": 0.1}))


def test_the_gate_on_flicker() -> None:
    evaluation.gate([ROW], limits(max_flicker=7))
    with pytest.raises(CheckError, match=r"flickers by 7.00 levels .* at 256 px.*more than evaluate.max_flicker=6.5"):
        evaluation.gate([ROW], limits(max_flicker=6.5))


def test_the_command(tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    checkpoint = max(tiny_run.glob("*.safetensors"))
    line = [
        *(
            "evaluate",
            f"checkpoint={checkpoint}",
            f"photos={photo_folder}",
            "weights=random",
            f"output={tmp_path / 'out'}",
        ),
        *("evaluate.sizes=[32,48]", "evaluate.iterations=25", "evaluate.count=2", f"cache={tmp_path / 'cache'}"),
    ]
    done = impasto(*line)
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert [(row["size"], row["start"], row["photos"]) for row in facts["medians"]] == [
        *((32, "noise", 2), (32, "photo", 2), (48, "noise", 2), (48, "photo", 2))
    ]
    assert facts["yardstick"]["history"] == 50
    for row in facts["photos"]:
        assert row["losses"]["total"] == pytest.approx(row["losses"]["content"] + row["losses"]["style"], rel=1e-4)
        assert row["ratio"]["noise"] == pytest.approx(row["losses"]["total"] / row["best"]["noise"])
        assert row["flicker"]["pan"] > 0 and row["flicker"]["noise"] > 0
        assert 1 <= row["worth"]["noise"] <= 25
    for row in facts["medians"]:
        for name in ("lattice", "blobs", "border"):
            of_size = [photo["artefacts"] for photo in facts["photos"] if photo["size"] == row["size"]]
            more = [photo["network"][name] - photo["photo"][name] for photo in of_size]
            assert row["artefacts"]["excess"][name] == pytest.approx(np.median(more))
    assert {"lattice", "blobs", "border"} == facts["painting"]["artefacts"].keys()
    assert "blobs a megapixel" in done.stdout
    assert facts["checkpoint"]["output"] == "float32, not rounded"
    assert facts["checkpoint"]["model"]["name"] == "mobile"
    for name in ("curves.png", "sheet.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert len(picture.getcolors(1 << 20) or []) > 10
            assert picture.width > 400  # four captions side by side, over pictures of 32 px

    ways = sorted((tmp_path / "cache").iterdir())
    assert len(ways) == 8
    written = {path: path.stat().st_mtime_ns for path in ways}
    ways[0].write_bytes(b"damaged")
    strict = impasto(*line, "evaluate.min_worth=26", f"output={tmp_path / 'again'}")
    assert strict.returncode == 1
    assert len([text for text in strict.stderr.splitlines() if text.startswith("impasto-evaluate: ")]) == 1
    assert "less than evaluate.min_worth=26" in strict.stderr
    again = json.loads((tmp_path / "again/evaluation.json").read_text())
    assert again["photos"] == facts["photos"]  # also the way that was damaged, walked again
    assert {path: path.stat().st_mtime_ns for path in ways[1:]} == {path: written[path] for path in ways[1:]}


def test_another_painting_is_refused(tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    checkpoint = max(tiny_run.glob("*.safetensors"))
    done = impasto("evaluate", f"checkpoint={checkpoint}", f"photos={photo_folder}", f"style={tmp_path / 'red.png'}")
    assert done.returncode == 2
    assert "is not the picture of swirls that the network was trained on" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def card(*lines: str) -> dict[str, Any]:
    """What impasto-export copies into a file of a network that was trained with random VGG weights."""
    config = app.compose("train", ["data.root=.", "style.size=32", "loss.weights=random", *lines])
    return {"style": asdict(config.style) | {"sha256": style.load(config.style).sha256}, "loss": asdict(config.loss)}


def test_an_exported_file_is_judged_by_its_own_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An .onnx that inverts colours, of a loss with VGG-19, on a folder whose first photo cannot be read."""
    own = card("loss.network=vgg19", "loss.style_layers=[relu3_4]", "loss.style_weight=7")
    file = model(tmp_path / "bundle/android/model.onnx", card=json.dumps(own))
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_text("not a photo")
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(photo).save(photos / "b.png")
    monkeypatch.chdir(tmp_path)
    line = [
        "weights=random",
        "photos=photos",
        "evaluate.sizes=[32]",
        "evaluate.iterations=2",
        "evaluate.starts=[noise]",
    ]

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["impasto-evaluate", *line, *arguments])
        try:
            evaluate.main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    assert call(f"checkpoint={file}", "output=of_file") == 0
    assert "photos/a.jpg is not a picture" in capsys.readouterr().err
    facts = json.loads(Path("of_file/evaluation.json").read_text())
    assert facts["checkpoint"] == {"style": "swirls", "output": "uint8, rounded"}
    assert facts["loss"] == own["loss"]
    assert [row["photo"] for row in facts["photos"]] == ["b.png"]
    settings = app.compose("train", ["data.root=.", "style.size=32"]).style
    config = judged.load(file).loss_with("random")
    loss = PerceptualLoss(config, vgg_weights.load("random", "vgg19"), style.load(settings).pixels)
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float()
    expected = loss(255 - pixels, loss.content_target(pixels))
    found = facts["photos"][0]["losses"]
    assert found["total"] == pytest.approx(expected.total.item(), rel=1e-4)
    assert found["style"] == pytest.approx(expected.style.item(), rel=1e-4)

    assert call("checkpoint=bundle", "output=of_bundle", "evaluate.max_ratio=0.001") == 1
    assert "more than evaluate.max_ratio=0.001" in capsys.readouterr().err
    assert json.loads(Path("of_bundle/evaluation.json").read_text())["photos"] == facts["photos"]
    assert call("checkpoint=bundle", "output=photos/b.png") == 2
    assert "photos/b.png is a file; name a folder" in capsys.readouterr().err
    assert call("checkpoint=photos") == 2
    assert "photos is a folder but no bundle" in capsys.readouterr().err


def test_files_that_cannot_be_judged_get_one_sentence(tmp_path: Path) -> None:
    good = card()
    silent = "does not say what painting and loss its network was trained with; name a checkpoint"
    wrong = {
        model(tmp_path / "foreign.onnx"): silent,
        model(tmp_path / "no_loss.onnx", card=json.dumps({"style": good["style"]})): silent,
        model(tmp_path / "no_hash.onnx", card=json.dumps(good | {"style": {"name": "swirls"}})): silent,
        model(tmp_path / "other.onnx", card=json.dumps(good | {"loss": {"network": "resnet"}})): silent,
        model(tmp_path / "float.onnx", kind=TensorProto.FLOAT): "export it with onnx.io=pixels",
        tmp_path / "gone.onnx": "there is no such model",
        tmp_path / "network.pth": "reads .safetensors files only",
    }
    for path, words in wrong.items():
        with pytest.raises(RequestError, match=words) as error:
            judged.load(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_an_exported_file_is_held_to_its_painting_and_weights(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    network = judged.load(model(tmp_path / "good.onnx", card=json.dumps(card())))
    assert network.painting(None).pixels.shape == (1, 3, 32, 32)
    with pytest.raises(RequestError, match=r"red.png is not the picture of swirls"):
        network.painting(str(tmp_path / "red.png"))
    with pytest.raises(RequestError, match="weights=auto are not the VGG weights"):
        network.loss_with("auto")
    named = card()
    named["style"]["painter"] = None
    with pytest.raises(RequestError, match="style is missing: name the picture of swirls"):
        judged.load(model(tmp_path / "named.onnx", card=json.dumps(named))).painting(None)
