import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.configs.cli import app
from impasto.train.data import audit, exclude_list
from impasto.train.data.dataset import PhotoSet
from tests.helpers.commands import TINY, Run
from tests.helpers.photos import pack, photo
from tests.helpers.pictures import png16

Impasto = Callable[..., Run]


@pytest.fixture(scope="module")
def mixed_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good photos, and one or more with each kind of issue."""
    root = tmp_path_factory.mktemp("data") / "photos"
    (root / "below").mkdir(parents=True)
    for number in range(4):
        photo(number).save(root / f"good_{number}.png")
    shutil.copy(root / "good_0.png", root / "same_bytes.png")
    photo(1).save(root / "below" / "same_pixels.webp", lossless=True)
    (root / "cut.png").write_bytes((root / "good_2.png").read_bytes()[:700])
    (root / "text.jpg").write_text("not a photo")
    (root / "empty.jpg").write_bytes(b"")
    photo(10, (60, 30)).save(root / "tiny.jpg")
    Image.new("RGB", (80, 60), (9, 90, 200)).save(root / "one_color.jpg")
    photo(11).convert("L").save(root / "gray.jpg")
    photo(12).convert("CMYK").save(root / "cmyk.jpg")
    photo(13).convert("P").save(root / "palette.png")
    photo(14).save(root / "animated.webp", save_all=True, append_images=[photo(15)], lossless=True)
    clear = photo(16).convert("RGBA")
    clear.putalpha(100)
    clear.save(root / "alpha.png")
    deep = png16(np.random.default_rng(0).integers(0, 65535, (60, 80, 3), np.uint16), color=2)
    (root / "deep.png").write_bytes(deep.read())
    photo(17, (1200, 1000)).save(root / "huge.jpg")
    return root


ISSUES = {
    "unreadable": {"cut.png", "text.jpg", "empty.jpg"},
    "flat": {"one_color.jpg"},
    "tiny": {"tiny.jpg"},
    "duplicate": {"same_bytes.png", "good_1.png"},  # of below/same_pixels.webp, whose name comes first
    "gray": {"gray.jpg"},
    "cmyk": {"cmyk.jpg"},
    "16-bit": {"deep.png"},
    "alpha": {"alpha.png"},
    "palette": {"palette.png"},
    "animated": {"animated.webp"},
    "huge": {"huge.jpg"},
}
EXCLUDED = ISSUES["unreadable"] | ISSUES["flat"] | ISSUES["duplicate"]


def test_check_reports_each_issue_and_no_other(mixed_photos: Path, tmp_path: Path, impasto: Impasto) -> None:
    done = impasto(
        "check", f"data.root={mixed_photos}", "data.size=32", "check.huge=1", f"output={tmp_path}", "processes=2"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "check.json").read_text())
    assert report["format"] == "impasto-check-1"
    assert {kind: {*names} for kind, names in report["issues"].items()} == ISSUES
    assert report["counts"] == {kind: len(names) for kind, names in ISSUES.items()}
    assert report["photos"] == len([path for path in mixed_photos.rglob("*") if path.is_file()])
    assert report["issues"]["duplicate"]["same_bytes.png"] == "of good_0.png"
    assert report["short_side"]["0%"] == 30 and report["long_side"]["100%"] == 1200
    assert report["formats"]["JPEG"] == 5
    assert exclude_list.read(tmp_path / "exclude.txt") == EXCLUDED
    for words in ("unreadable", "duplicate", "excluded: 6 of", f"data.exclude={tmp_path / 'exclude.txt'}"):
        assert words in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.json", "exclude.txt"]


def test_check_zip_reports_the_same_as_its_folder(mixed_photos: Path, tmp_path: Path, impasto: Impasto) -> None:
    packed = pack(mixed_photos, tmp_path / "photos.zip")
    done = impasto("check", f"data.root={packed}", "data.size=32", "check.huge=1", f"output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "check.json").read_text())
    names = {kind: {name.removeprefix("train2017/") for name in names} for kind, names in report["issues"].items()}
    assert names == ISSUES


def test_train_leaves_out_excluded_photos(mixed_photos: Path, tmp_path: Path, impasto: Impasto) -> None:
    exclude_list.write(tmp_path / "exclude.txt", dict.fromkeys(EXCLUDED, "why"))
    run = tmp_path / "run"
    line = [*TINY, f"data.root={mixed_photos}", f"data.exclude={tmp_path / 'exclude.txt'}", f"hydra.run.dir={run}"]
    done = impasto("train", *line, "trainer.steps=12")
    assert done.returncode == 0, done.stderr
    assert not (run / "skipped.txt").exists()
    assert str(tmp_path) not in (run / "step_00000012.safetensors").read_bytes().decode("latin-1")
    whole, remaining = (
        PhotoSet(mixed_photos, "data.root"),
        PhotoSet(mixed_photos, "data.root", str(tmp_path / "exclude.txt")),
    )
    assert {*whole.names} - {*remaining.names} == EXCLUDED
    assert whole.sha256 != remaining.sha256


def test_check_prints_names_of_any_kind(tmp_path: Path, impasto: Impasto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # as with LANG=en_GB.UTF-8
    (tmp_path / "a[").mkdir()
    (tmp_path / "a[" / "b].jpg").write_text("not a photo")
    Image.new("RGB", (80, 60), (9, 90, 200)).save(tmp_path / "[red]x.png")
    photo(11).convert("L").save(tmp_path / ":smile:.png")
    Image.new("CMYK", (80, 60)).save(tmp_path / "y\udcff.jpg")
    done = impasto("check", f"data.root={tmp_path}", "data.size=32", f"output={tmp_path / 'out'}", "processes=2")
    assert done.returncode == 0, done.stderr
    for name in ("a[/b].jpg", "[red]x.png", ":smile:.png", r"y\udcff.jpg"):
        assert name in done.stdout


@pytest.mark.slow
def test_scan_killed_command_ends_its_workers(mixed_photos: Path) -> None:
    """The workers wait for more photos, or for the parent to take their findings."""
    script = """
import multiprocessing, sys, time
from pathlib import Path
from impasto.configs.cli import app
from impasto.train.data import audit
from impasto.train.data.dataset import PhotoSet
config = app.compose("check", [f"data.root={sys.argv[1]}", "data.size=32", "processes=2"])
findings = audit.scan(PhotoSet(Path(config.data.root), "data.root"), config)
next(findings)
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
time.sleep(100)
"""
    command = subprocess.Popen([sys.executable, "-c", script, str(mixed_photos)], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    workers = [int(pid) for pid in command.stdout.readline().split()]
    command.kill()
    try:
        command.communicate(timeout=30)  # until the workers have closed the pipe, too
    except subprocess.TimeoutExpired:
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        raise
    assert len(workers) == 2


def test_check_no_readable_photo_fails(tmp_path: Path, impasto: Impasto) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as file:
        file.writestr("a.jpg", "no photo")
    done = impasto("check", "data.root=photos.zip", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("impasto-check: none of the 1 photos of")


def test_examine_automatic_size_compares_with_validation_size(photo_folder: Path) -> None:
    photos = PhotoSet(photo_folder, "data.root")
    for line, tiny in (([], True), (["data.val_size=60"], False), (["data.val_size=60", "data.size=64"], True)):
        finding = audit.examine(photos, photos.names[0], app.compose("check", [f"data.root={photo_folder}", *line]))
        assert ("tiny" in finding.issues) == tiny
