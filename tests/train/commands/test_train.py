import csv
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from impasto.models import checkpoint, onnx_model, zoo
from impasto.models.card import SCHEMA, ModelCard
from impasto.models.image.picture import Picture
from impasto.train.commands import train
from tests.helpers.commands import TINY, Run, Start

Impasto = Callable[..., Run]


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(max(directory.glob("*.safetensors")))


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_train_finished_run_leaves_documented_files(tiny_run: Path) -> None:
    names = {str(path.relative_to(tiny_run)) for path in tiny_run.rglob("*") if path.is_file()}
    events = {name for name in names if name.startswith("events.out.tfevents")}
    assert len(events) == 1
    assert names - events == {
        *(".hydra/config.yaml", ".hydra/overrides.yaml"),
        *("metrics.csv", "curves.png", "samples/painting.png", "samples/step_00000006.png"),
        *("best.safetensors", "best.onnx", "last.onnx"),
        *("samples/step_00000006/photo_0.png", "samples/step_00000006/stylized_0.png"),
        *("step_00000003.safetensors", "step_00000003.state"),
        *("step_00000006.safetensors", "step_00000006.state"),
    }
    with Image.open(tiny_run / "samples/step_00000006.png") as sheet:
        assert sheet.width > 2 * 32
        assert len(sheet.getcolors(1 << 20) or []) > 100
    for name in ("photo_0", "stylized_0"):
        with Image.open(tiny_run / f"samples/step_00000006/{name}.png") as picture:
            assert picture.size == (32, 32)
    with Image.open(tiny_run / "curves.png") as curves:
        assert len(curves.getcolors(1 << 20) or []) > 10


def test_train_metrics_have_a_row_every_log_every_steps(tiny_run: Path) -> None:
    training = [row for row in rows(tiny_run) if row["total"]]
    validation = [row for row in rows(tiny_run) if row["val_total"]]
    assert [row["step"] for row in training] == ["2", "4", "6"]
    assert [float(row["step"]) for row in validation] == [0, 3, 6]
    for row in training:
        assert float(row["images"]) == 2 * float(row["step"])
        assert float(row["images_per_second"]) > 0
        assert float(row["total"]) == pytest.approx(float(row["content"]) + float(row["style"]), rel=1e-5)
    assert [float(row["lr"]) for row in training] == sorted((float(row["lr"]) for row in training), reverse=True)


def test_train_into_earlier_run_exits_and_leaves_it(tiny_run: Path, photo_folder: Path, impasto: Impasto) -> None:
    before = {path: path.read_bytes() for path in tiny_run.rglob("*") if path.is_file()}
    done = impasto("train", *TINY, f"data.root={photo_folder}", f"hydra.run.dir={tiny_run}", "seed=9")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"resume={tiny_run}" in done.stderr
    assert {path: path.read_bytes() for path in tiny_run.rglob("*") if path.is_file()} == before


def test_train_with_checkerboard_weight_ends_with_less_checkerboard(
    tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    checkerboards = []
    for weight in (0, 1e7):
        directory = tmp_path / f"{weight:g}"
        line = (f"data.root={photo_folder}", f"hydra.run.dir={directory}", f"loss.checkerboard_weight={weight:g}")
        done = impasto("train", *TINY, *line, "trainer.steps=40", "trainer.validate_every=40")
        assert done.returncode == 0, done.stderr
        checkerboards.append([float(row["checkerboard"]) for row in rows(directory) if row["checkerboard"]][-1])
    assert checkerboards[1] < 0.7 * checkerboards[0]


def test_train_card_describes_training_without_paths(tiny_run: Path, photo_folder: Path) -> None:
    newest = max(tiny_run.glob("*.safetensors"))
    network, card = checkpoint.load(newest)
    assert card.model == ModelCard("mobile", 0.25, 1)
    assert card.style is not None and card.loss is not None and card.data is not None and card.training is not None
    assert card.style.name == "swirls"
    assert card.style.stroke_resolution is None  # of a painting learned at 64 px
    assert len(card.style.sha256) == len(card.data.sha256) == 64
    assert (card.loss.network, card.loss.weights) == ("vgg16", "random")
    assert card.data.photos == 7  # of 8, one is for validation
    assert card.training.steps == 6
    assert card.training.images == 12
    assert card.training.precision == "float32"
    assert (card.training.optimizer.lr, card.training.batch_size, card.training.seed) == (0.003, 2, 0)
    assert [row["step"] for row in card.validation] == [0, 3, 6]
    assert set(card.versions) == {"impasto", "torch", "python"}
    assert card.init is None
    jsonschema.validate(card.to_json(), json.loads(SCHEMA.read_text()))
    for path in (photo_folder, tiny_run, Path.home(), Path.cwd()):
        assert str(path) not in json.dumps(card.to_json())
    assert sum(parameter.numel() for parameter in network.parameters()) < 20_000


def test_train_same_seed_gives_same_weights(
    tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    again = impasto("train", *TINY, f"data.root={photo_folder}", "data.workers=2", f"hydra.run.dir={tmp_path / 'run'}")
    assert again.returncode == 0, again.stderr
    assert equal(weights(tiny_run), weights(tmp_path / "run"))
    other = impasto("train", *TINY, f"data.root={photo_folder}", "seed=1", f"hydra.run.dir={tmp_path / 'other'}")
    assert other.returncode == 0, other.stderr
    assert not equal(weights(tiny_run), weights(tmp_path / "other"))


def test_train_interrupted_and_resumed_ends_with_same_weights(
    photo_folder: Path, tmp_path: Path, impasto: Impasto, start_impasto: Start
) -> None:
    """Ctrl-C saves the run and prints the command to resume it."""
    run, steps = tmp_path / "a run", 100
    line = [*TINY, f"data.root={photo_folder}", f"trainer.steps={steps}", "loss.style_strength=1"]
    line += ["trainer.checkpoint_every=1000", "trainer.validate_every=1000", "trainer.sample_every=1000"]
    process = start_impasto("train", *line, f"hydra.run.dir={run}")
    while not (run / "metrics.csv").exists() or len((run / "metrics.csv").read_text().splitlines()) < 5:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"resume with: impasto-train 'resume={run}'" in message
    assert "Traceback" not in message
    stopped_at = int(max(run.glob("*.safetensors")).stem.removeprefix("step_"))
    assert 0 < stopped_at < steps
    assert (run / "samples" / f"step_{stopped_at:08d}.png").is_file() and (run / "samples" / "painting.png").is_file()
    photo = Picture(np.full((20, 30, 3), 90, np.uint8))
    assert onnx_model.stylize(onnx_model.load(zoo.resolve(str(run), ".onnx")), photo).rgb.shape == photo.rgb.shape

    resumed = impasto("train", f"resume={run}", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    whole = impasto("train", *line, f"hydra.run.dir={tmp_path / 'whole'}")
    assert whole.returncode == 0, whole.stderr
    assert equal(weights(run), weights(tmp_path / "whole"))
    steps_of_rows = [float(row["step"]) for row in rows(run) if row["total"]]
    assert steps_of_rows == sorted(set(steps_of_rows))
    assert steps_of_rows[-1] == steps


def test_resume_complete_run_exits_until_budget_is_larger(tiny_run: Path, tmp_path: Path, impasto: Impasto) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    again = impasto("train", f"resume={run}")
    assert again.returncode == 2
    assert "is a run that is complete, after 6 steps" in again.stderr
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    longer = impasto("train", f"resume={run}", "trainer.steps=8")
    assert longer.returncode == 0, longer.stderr
    assert "trainer.steps=8" in (run / ".hydra/overrides.yaml").read_text()  # read by the next resume=
    assert max(run.glob("*.safetensors")).name == "step_00000008.safetensors"
    assert min(run.glob("step_*.safetensors")).name == "step_00000006.safetensors"


def test_train_init_checkpoint_starts_from_its_weights(
    tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    newest = max(tiny_run.glob("*.safetensors"))
    first = impasto(
        *("train", *TINY, f"data.root={photo_folder}", f"init={newest}", "trainer.steps=1", "optimizer.lr=1e-8"),
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    assert first.returncode == 0, first.stderr
    for name, tensor in weights(tmp_path / "run").items():
        torch.testing.assert_close(tensor, weights(tiny_run)[name], rtol=0, atol=1e-6)
    other = impasto("train", *TINY, "model.blocks=2", f"data.root={photo_folder}", f"init={newest}", cwd=tmp_path)
    assert other.returncode == 2
    assert "use model=mobile model.blocks=1 model.eighth_blocks=0 model.width=0.25" in other.stderr


def test_train_unreadable_photos_are_skipped_and_listed(photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    photos = shutil.copytree(photo_folder, tmp_path / "photos")
    data = (photos / "photo_0.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(data[: len(data) // 2])
    (photos / "bomb.png").write_bytes(_bomb())
    run = tmp_path / "run"
    done = impasto(
        "train", *TINY, f"data.root={photos}", "data.val_photos=1", "trainer.steps=12", f"hydra.run.dir={run}"
    )
    assert done.returncode == 0, done.stderr
    skipped = (run / "skipped.txt").read_text()
    assert "cut.jpg" in skipped
    assert "bomb.png" in skipped
    assert len(skipped.splitlines()) == 2


def _bomb() -> bytes:
    """A PNG whose header claims 60000x60000 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_train_budget_in_minutes_ends(photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    run = tmp_path / "run"
    line = ["trainer.steps=null", "trainer.minutes=0.05", "precision=bf16", "trainer.checkpoint_every=100000"]
    done = impasto("train", *TINY, *line, f"data.root={photo_folder}", f"hydra.run.dir={run}")
    assert done.returncode == 0, done.stderr
    _, card = checkpoint.load(max(run.glob("*.safetensors")))
    assert card.training is not None and card.training.seconds >= 3
    assert card.training.precision == "bfloat16"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data.root=nowhere"], ["data.root", "nowhere", "does not exist"]),
        (["data.root=empty"], ["data.root", "holds no photos"]),
        (["data.root={photos}", "style=text.jpg"], ["text.jpg", "is not a picture"]),
        (["data.root={photos}", "style=monet"], ["style=monet", "swirls"]),
        (["data.root={photos}", "style.image=a.jpg"], ["a.jpg and style.painter=swirls name two styles"]),
        (["data.root={photos}", "data.size=0"], ["data.size=0", "32"]),
        (["data.root={photos}", "data.size=32"], ["data.size=32 is too small", "loss=johnson"]),
        (["data.root={photos}", "loss.content_layer=relu9_9"], ["relu9_9", "relu2_2"]),
        (["data.root={photos}", "loss.style_layers=[relu9_9]"], ["relu9_9", "relu2_2"]),
        (["data.root={photos}", "loss.style_layer_weights=[1,2]"], ["loss.style_layer_weights", "4"]),
        (["data.root={photos}", "trainer.stepz=3"], ["trainer.stepz", "steps, minutes, batch"]),
        (["data.root={photos}", "model=jonson"], ["model=jonson", "johnson, mobile, studio, tiny"]),
        (["data.root={photos}", "data.scale_range=[2.0,1.0]"], ["data.scale_range=[2,1]", "as in [1.0,1.5]"]),
        (["data.root={photos}", "model=deep", "data.size=36"], ["data.size=36 is not a multiple of 8"]),
        (["data.root={photos}", "model=studio", "data.size=144"], ["data.size=144 is not a multiple of 32"]),
        (["data.root={photos}", "resume=empty"], ["resume=", "not a run directory"]),
        (["data.root={photos}", "style.size=128", "init=text.jpg"], ["text.jpg", ".safetensors files only"]),
        (
            ["data.root={photos}", "style.size=128", "loss.weights=weights.bin"],
            ["weights.bin", ".safetensors, .onnx, .pth"],
        ),
        ([], ["data.root"]),
    ],
)
def test_train_wrong_request_exits_with_one_sentence_before_any_work(
    arguments: list[str],
    words: list[str],
    photo_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jpg").write_text("not a picture")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    line = [word.replace("{photos}", str(photo_folder)) for word in arguments]
    monkeypatch.setattr(sys, "argv", ["impasto-train", *line])
    with pytest.raises(SystemExit) as ended:
        train.main()
    printed = capfd.readouterr()
    assert ended.value.code == 2, printed.err
    assert printed.out == ""
    assert printed.err.startswith("impasto-train: ")
    assert len(printed.err.splitlines()) == 1
    for word in words:
        assert word in printed.err
    assert sorted(tmp_path.rglob("*")) == before
