import csv
from pathlib import Path

import numpy as np
import pytest

from impasto.train.engine import run_logger
from impasto.train.engine.run_logger import COLUMNS, RunLogger


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
    logger.sample(3, pictures[1], pictures[0])
    logger.sample(4, *pictures)
    logger.close()
    names = {path.name for path in (tmp_path / "samples" / "step_00000004").iterdir()}
    assert names == {f"{name}_{number}.png" for name in ("photo", "stylized") for number in range(11)}
    sample = run_logger.last_sample(tmp_path)
    assert sample is not None
    for one, other in zip(sample, pictures, strict=True):
        assert np.array_equal(np.stack(one), other)  # the tenth picture is not the second
    assert (tmp_path / "samples" / "step_00000004.png").is_file() and (tmp_path / "curves.png").is_file()


def test_last_sample_without_readable_sample_is_none(tmp_path: Path, pictures: tuple[np.ndarray, np.ndarray]) -> None:
    assert run_logger.last_sample(tmp_path / "missing") is None
    logger = RunLogger(tmp_path, 0)
    logger.row(row(4))
    logger.sample(4, *pictures)
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
        assert [row["step"] for row in csv.DictReader(file)] == ["2.0", "4.0"]
    assert (tmp_path / "skipped.txt").read_text() == "a\nb\nc\n"
    assert not (tmp_path / ".0.part").exists()
    RunLogger(tmp_path, 0).close()
    assert run_logger.rows(tmp_path) == []
