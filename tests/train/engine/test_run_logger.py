import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.models import checkpoint, onnx_writer, transform_net
from impasto.models.card import Card, ModelCard
from impasto.models.contract import Label
from impasto.models.image.decode import read
from impasto.train.engine import run_logger
from impasto.train.engine.run_logger import COLUMNS, RunLogger
from tests.helpers.networks import MODELS


@pytest.fixture
def pictures() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (2, 11, 24, 20, 3), np.uint8)[0], random.integers(0, 256, (11, 24, 20, 3), np.uint8)


def row(step: int) -> dict[str, float]:
    return {name: float(step) for name in COLUMNS}


@pytest.mark.slow
def test_sample_pictures_are_files_that_last_sample_reads(
    tmp_path: Path, pictures: tuple[np.ndarray, np.ndarray]
) -> None:
    logger = RunLogger(tmp_path, 0)
    logger.row(row(4))
    logger.sample(3, pictures[1], pictures[:1])
    logger.sample(4, pictures[0], pictures[1:])
    logger.close()
    names = {path.name for path in (tmp_path / "samples" / "step_00000004").iterdir()}
    assert names == {f"{name}_{number}.png" for name in ("photo", "stylized") for number in range(11)}
    sample = run_logger.last_sample(tmp_path)
    assert sample is not None
    for one, other in zip(sample, pictures, strict=True):
        assert np.array_equal(np.stack(one), other)  # the tenth picture is not the second
    assert (tmp_path / "samples" / "step_00000004.png").is_file() and (tmp_path / "curves.png").is_file()


def test_sample_sheet_shows_the_painting_once(tmp_path: Path, pictures: tuple[np.ndarray, np.ndarray]) -> None:
    painting = np.zeros((2 * run_logger._PAINTING_SIDE, 600, 3), np.uint8)
    painting[:, :, 0] = 255
    run_logger.save_paintings(tmp_path, {"red": painting})
    stored = run_logger.painting_of(tmp_path)
    assert stored is not None and stored.shape == (512, 300, 3)
    logger = RunLogger(tmp_path, 0)
    logger.sample(4, pictures[0], pictures[1:])
    logger.close()
    red = (read(tmp_path / "samples" / "step_00000004.png").rgb == (255, 0, 0)).all(2)
    assert red.sum() == 24 * 14  # as high as a photo
    assert run_logger.painting_of(tmp_path / "missing") is None


def test_checkpoint_and_best_come_with_exported_files(tmp_path: Path) -> None:
    logger, card = RunLogger(tmp_path, 0), Card(ModelCard("tiny", 1.0, 3))
    networks = []
    for step, write in ((3, logger.checkpoint), (6, logger.checkpoint)):
        torch.manual_seed(step)
        networks.append(transform_net.build(MODELS["tiny"]).eval())
        write(step, networks[-1], card)
        if step == 3:
            logger.best(networks[-1], card)
    logger.close()
    for network, name, saved in zip(networks, ("best", "last"), ("best", "step_00000006"), strict=True):
        onnx_writer.write(network, tmp_path / "expected.onnx", "uint8_rgba", Label.of(card))
        assert (tmp_path / f"{name}.onnx").read_bytes() == (tmp_path / "expected.onnx").read_bytes()
        state = checkpoint.load(tmp_path / f"{saved}.safetensors")[0].state_dict()
        assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    assert not [*tmp_path.glob("*.part")]


def test_last_sample_without_readable_sample_is_none(tmp_path: Path, pictures: tuple[np.ndarray, np.ndarray]) -> None:
    assert run_logger.last_sample(tmp_path / "missing") is None
    logger = RunLogger(tmp_path, 0)
    logger.row(row(4))
    logger.sample(4, pictures[0], pictures[1:])
    logger.close()
    (tmp_path / "samples" / "step_00000004" / "photo_3.png").write_bytes(b"truncated")
    assert run_logger.last_sample(tmp_path) is None


def test_skip_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = RunLogger(tmp_path, 0)
    logger.skip(["a\udcff is damaged"])  # a name that is not UTF-8
    before = (tmp_path / "skipped.txt").read_bytes()
    assert before == b"a\xff is damaged\n"

    def fail(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Path, "replace", fail)
        logger.skip(["b"])
    logger.close()
    assert (tmp_path / "skipped.txt").read_bytes() == before
    logger = RunLogger(tmp_path, 1)
    logger.close()
    assert logger.skipped == {"a\udcff is damaged"}


def test_run_logger_first_step_retains_rows_up_to_it(tmp_path: Path) -> None:
    logger = RunLogger(tmp_path, 0)
    for step in (2, 4, 6):
        logger.row(row(step))
    logger.skip(["b", "a"])
    logger.close()
    (tmp_path / ".0.part").write_bytes(b"half")
    logger = RunLogger(tmp_path, 4)
    logger.skip(["c", "a"])
    logger.close()
    with (tmp_path / "metrics.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["2", "4"]
    assert (tmp_path / "skipped.txt").read_text() == "a\nb\nc\n"
    assert not (tmp_path / ".0.part").exists()
    RunLogger(tmp_path, 0).close()
    assert run_logger.rows(tmp_path) == []
