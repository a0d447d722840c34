"""The table and the sheet of a sweep of impasto-train, also after a failed job."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.train.commands import sweep_report
from impasto.train.engine import run_logger
from tests.helpers.commands import TINY, Run
from tests.helpers.heavy import missing

Impasto = Callable[..., Run]


def table(sweep: Path) -> list[dict[str, str]]:
    with (sweep / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def sweep_styles(folder: Path, photos: Path, impasto: Impasto, *arguments: str) -> Run:
    """Sweep two valid style images and a broken one; the sweep directory is folder/sweep."""
    for name, color in (("a b.png", "red"), ("c.png", "blue")):
        Image.new("RGB", (64, 64), color).save(folder / name)
    (folder / "broken.png").write_bytes(b"not an image")
    line = [word for word in TINY if not word.startswith("style=")]
    line += ["style=a b.png,broken.png,c.png", f"data.root={photos}", "hydra.sweep.dir=sweep"]
    return impasto("train", "-m", *line, *arguments, cwd=folder)


def assert_complete(sweep: Path, done: Run) -> None:
    assert done.returncode == 2, done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("impasto-train: ")]
    assert sentence.startswith("impasto-train: job 1: ") and "broken.png" in sentence
    rows = table(sweep)
    assert [row["overrides"] for row in rows] == ["style=a-b", "style=broken", "style=c"]
    assert [row["steps"] for row in rows] == ["6", "", "6"]
    assert [row["images"] for row in rows] == ["12", "", "12"]
    assert f"impasto-train: job 1: {rows[1]['failure']}" == sentence
    assert rows[0]["failure"] == rows[2]["failure"] == rows[1]["checkpoint"] == ""
    for row in (rows[0], rows[2]):
        assert (sweep / row["checkpoint"]).name == "step_00000006.safetensors"
        last = [values for values in run_logger.rows(sweep / row["folder"]) if "val_total" in values][-1]
        assert [float(row[name]) for name in sweep_report.LOSSES] == [
            last[f"val_{name}"] for name in sweep_report.LOSSES
        ]
        assert float(row["seconds"]) > 0
        assert float(row["raw_content"]) == float(row["content"])
        assert float(row["raw_style"]) == pytest.approx(float(row["style"]) / 5)
    assert [*(sweep / "1-mobile-broken").iterdir()] == []
    sheet = np.asarray(Image.open(sweep / "sheet.png").convert("RGB"))
    for row in (rows[0], rows[2]):
        sample = run_logger.last_sample(sweep / row["folder"])
        assert sample is not None and contains(sheet, sample[0][0]) and contains(sheet, sample[1][0])
        painting = run_logger.painting_of(sweep / row["folder"])
        assert painting is not None and contains(sheet, painting)


def contains(sheet: np.ndarray, picture: np.ndarray) -> bool:
    """Return whether a sheet contains a picture, pixel by pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], picture.shape[:2])
    return bool((windows == picture[..., 0]).all(axis=(2, 3)).any())


def test_sweep_with_a_failed_job_writes_table_and_sheet_of_the_others(
    tmp_path: Path, photo_folder: Path, impasto: Impasto
) -> None:
    done = sweep_styles(tmp_path, photo_folder, impasto)
    sweep = tmp_path / "sweep"
    assert_complete(sweep, done)
    assert "3 jobs" in done.stdout and "style=broken" in done.stdout
    # impasto-sweep writes the table again, for example after one of its runs was resumed.
    resumed = impasto("train", f"resume={sweep / '2-mobile-c'}", "trainer.steps=9", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    rewritten = impasto("sweep", f"sweep={sweep}")
    assert rewritten.returncode == 0 and rewritten.stderr.startswith("the jobs were trained on 12 to 18 images, so")
    assert [row["steps"] for row in table(sweep)] == ["6", "", "9"]
    other = impasto("sweep", f"sweep={photo_folder}")
    assert other.returncode == 2 and "is not the directory of a sweep" in other.stderr


@pytest.mark.heavy
def test_sweep_on_ray_writes_the_same_table_and_sheet(
    tmp_path: Path, photo_folder: Path, impasto: Impasto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's default of 15 delays the jobs on a busy machine
    try:
        import ray  # noqa: F401
    except ImportError:
        missing("ray is not installed; run pip install -e '.[ray]'")
    ray_line = ("hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2")
    assert_complete(tmp_path / "sweep", sweep_styles(tmp_path, photo_folder, impasto, *ray_line))


def test_differences_are_the_overrides_that_jobs_do_not_share() -> None:
    common = ["model=tiny", "style=picture", "data.root='/photos'"]
    jobs = [
        [*common, "style.image='/a/b.jpg'", "seed=1", "trainer.steps=null"],
        [*common, "style.image='/a/c d.jpg'", "seed=1", "trainer.steps=3"],
    ]
    assert sweep_report.differences(jobs) == ["style=b trainer.steps=null", "style=c-d trainer.steps=3"]
    assert sweep_report.differences([["seed=1"], ["model=tiny"]]) == ["seed=1", "model=tiny"]
    assert sweep_report.differences([["seed=1"]]) == [""]


def test_differences_of_equally_named_images_are_their_paths() -> None:
    jobs = [["style=picture", f"style.image='/{folder}/1.jpg'"] for folder in "ab"]
    assert sweep_report.differences(jobs) == ["style=/a/1.jpg", "style=/b/1.jpg"]
    jobs = [["style=picture", f"style.image='/a/{name}.jpg'"] for name in ("星月夜", "睡莲")]
    assert sweep_report.differences(jobs) == ["style=星月夜", "style=睡莲"]


def test_unequal_budgets_are_one_sentence() -> None:
    assert sweep_report.unequal_budgets([]) == sweep_report.unequal_budgets([100, 105]) == ""
    assert "trained on 9 to 94 images, so" in sweep_report.unequal_budgets([9, 94, 56])
