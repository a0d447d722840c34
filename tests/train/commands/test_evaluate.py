"""impasto-evaluate: what it writes, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.configs.cli import app
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.train.commands import evaluate
from impasto.train.data import style_image
from impasto.train.evaluation import loaded_model
from impasto.train.evaluation.evaluation_report import EvaluationReport
from tests.helpers.cards import card
from tests.helpers.commands import Run
from tests.helpers.in_process import call_main
from tests.helpers.onnx_models import model

Impasto = Callable[..., Run]


def test_evaluate_writes_figures_and_pictures_and_caches_trajectories(
    tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    checkpoint = max(tiny_run.glob("*.safetensors"))
    line = ["evaluate", f"checkpoint={checkpoint}", f"photos={photo_folder}", "weights=random"]
    line += [f"output={tmp_path / 'out'}", f"cache={tmp_path / 'cache'}", "evaluate.sizes=[32,48]"]
    line += ["evaluate.iterations=15", "evaluate.count=2", "evaluate.display=256"]
    done = impasto(*line)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert (report["format"], report["passed"], report["gates"]) == ("impasto-evaluation-1", True, [])
    assert EvaluationReport.from_json(report).to_json() == report
    assert [(row["size"], row["start"], row["photos"]) for row in report["medians"]] == [
        *((32, "noise", 2), (32, "photo", 2), (48, "noise", 2), (48, "photo", 2))
    ]
    assert report["baseline"]["history"] == 50 and report["baseline"]["range"] == [0, 255]
    for row in report["photos"]:
        assert row["losses"]["total"] == pytest.approx(row["losses"]["content"] + row["losses"]["style"], rel=1e-4)
        assert row["ratio"]["noise"] == pytest.approx(row["losses"]["total"] / row["best"]["noise"])
        assert row["flicker"]["pan"] > 0 and row["flicker"]["noise"] > 0
        assert 1 <= row["equivalent_iterations"]["noise"] <= 15
    for row in report["medians"]:
        for name in ("checkerboard", "blobs", "border"):
            of_size = [photo["artifacts"] for photo in report["photos"] if photo["size"] == row["size"]]
            more = [photo["network"][name] - photo["photo"][name] for photo in of_size]
            assert row["artifacts"]["excess"][name] == pytest.approx(np.median(more))
    assert {"checkerboard", "blobs", "border"} == report["style_image"]["artifacts"].keys()
    assert "equivalent" in done.stdout and "artifacts and flicker" in done.stdout
    display = report["display"]
    assert display["size"] == 256 and display["medians"]["photos"] == len(display["photos"]) > 2
    for photo in display["photos"]:
        assert len(photo["octaves"]) == 4 and min(photo["octaves"]) > 0 and -1 <= photo["edges"] <= 1
        assert 0 <= photo["pattern"]["fraction"] <= 1
        assert photo["flat_texture"] is None or photo["flat_texture"] > 0
    for name in ("edges", "weave"):
        assert display["medians"][name] == pytest.approx(np.median([photo[name] for photo in display["photos"]]))
    assert "distance to the painting" in done.stdout and (tmp_path / "out/display.png").is_file()
    assert report["checkpoint"]["output"] == "float32, not rounded"
    assert report["checkpoint"]["model"]["name"] == "mobile"
    for name in ("curves.png", "sheet.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert len(picture.getcolors(1 << 20) or []) > 10
            assert picture.width > 400  # four captions side by side, over pictures of 32 px

    trajectories = sorted((tmp_path / "cache").iterdir())
    assert len(trajectories) == 8
    written = {path: path.stat().st_mtime_ns for path in trajectories}
    trajectories[0].write_bytes(b"damaged")
    strict = impasto(*line, "evaluate.max_ratio=0.001", f"output={tmp_path / 'again'}")
    assert strict.returncode == 1
    assert len([text for text in strict.stderr.splitlines() if text.startswith("impasto-evaluate: ")]) == 1
    assert "more than evaluate.max_ratio=0.001" in strict.stderr
    again = json.loads((tmp_path / "again/evaluation.json").read_text())
    gates = [(gate["name"], gate["size"], gate["limit"], gate["passed"]) for gate in again["gates"]]
    assert gates == [("evaluate.max_ratio", size, 0.001, False) for size in (32, 48)] and not again["passed"]
    assert again["gates"][0]["value"] == again["medians"][0]["ratio"]
    assert again["photos"] == report["photos"]  # the damaged trajectory was computed again
    assert {path: path.stat().st_mtime_ns for path in trajectories[1:]} == {
        path: written[path] for path in trajectories[1:]
    }


def test_evaluate_other_style_image_is_one_sentence(
    tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    checkpoint = max(tiny_run.glob("*.safetensors"))
    done = impasto("evaluate", f"checkpoint={checkpoint}", f"photos={photo_folder}", f"style={tmp_path / 'red.png'}")
    assert done.returncode == 2
    assert "is not the picture of swirls that the network was trained on" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_evaluate_exported_file_uses_the_loss_of_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file inverts colors, its loss uses VGG-19, and the first photo cannot be read."""
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
        "evaluate.display=null",
        "evaluate.iterations=2",
        "evaluate.starts=[noise]",
    ]

    def call(*arguments: str) -> int:
        return call_main(monkeypatch, "impasto-evaluate", evaluate.main, *line, *arguments)

    assert call(f"checkpoint={file}", "output=of_file") == 0
    assert "photos/a.jpg is not a picture" in capsys.readouterr().err
    report = json.loads(Path("of_file/evaluation.json").read_text())
    assert report["checkpoint"] == {"style": "swirls", "output": "uint8, rounded"}
    assert report["loss"] == own["loss"]
    assert [row["photo"] for row in report["photos"]] == ["b.png"]
    settings = app.compose("train", ["data.root=.", "loss=johnson", "style.size=32"]).style
    config = loaded_model.load(file).loss_config("random")
    loss = PerceptualLoss(config, weights.load("random", "vgg19"), style_image.load(settings).pixels)
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float()
    expected = loss(255 - pixels, loss.content_target(pixels))
    losses = report["photos"][0]["losses"]
    assert losses["total"] == pytest.approx(expected.total.item(), rel=1e-4)
    assert losses["style"] == pytest.approx(expected.style.item(), rel=1e-4)

    assert call("checkpoint=bundle", "output=of_bundle", "evaluate.max_ratio=0.001") == 1
    assert "more than evaluate.max_ratio=0.001" in capsys.readouterr().err
    assert json.loads(Path("of_bundle/evaluation.json").read_text())["photos"] == report["photos"]
    assert call("checkpoint=bundle", "output=photos/b.png") == 2
    assert "b.png is a file; name a folder" in capsys.readouterr().err
    assert call("checkpoint=photos") == 2
    assert "photos is neither a run directory nor a bundle" in capsys.readouterr().err
