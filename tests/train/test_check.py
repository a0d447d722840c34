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

from impasto.configs.errors import RequestError
from impasto.train import skiplist
from impasto.train.photos import PhotoSet
from tests.conftest import TINY, Run
from tests.models.made_pictures import png16
from tests.train.test_photos import pack, photo

Impasto = Callable[..., Run]


@pytest.fixture(scope="module")
def rotten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one photo, or two, of each odd kind, and good ones."""
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
    Image.new("RGB", (80, 60), (9, 90, 200)).save(root / "one_colour.jpg")
    photo(11).convert("L").save(root / "grey.jpg")
    photo(12).convert("CMYK").save(root / "cmyk.jpg")
    photo(13).convert("P").save(root / "palette.png")
    photo(14).save(root / "animated.webp", save_all=True, append_images=[photo(15)], lossless=True)
    clear = photo(16).convert("RGBA")
    clear.putalpha(100)
    clear.save(root / "alpha.png")
    deep = png16(np.random.default_rng(0).integers(0, 65535, (60, 80, 3), np.uint16), colour=2)
    (root / "deep.png").write_bytes(deep.read())
    photo(17, (1200, 1000)).save(root / "huge.jpg")
    return root


ODD = {
    "unreadable": {"cut.png", "text.jpg", "empty.jpg"},
    "flat": {"one_colour.jpg"},
    "tiny": {"tiny.jpg"},
    "duplicate": {"same_bytes.png", "good_1.png"},  # of below/same_pixels.webp, whose name comes first
    "grey": {"grey.jpg"},
    "cmyk": {"cmyk.jpg"},
    "16-bit": {"deep.png"},
    "alpha": {"alpha.png"},
    "palette": {"palette.png"},
    "animated": {"animated.webp"},
    "huge": {"huge.jpg"},
}
LEFT_OUT = ODD["unreadable"] | ODD["flat"] | ODD["duplicate"]


def test_each_odd_kind_is_found_and_no_other(rotten: Path, tmp_path: Path, impasto: Impasto) -> None:
    done = impasto("check", f"data.root={rotten}", "data.size=32", "check.huge=1", f"output={tmp_path}", "processes=2")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "check.json").read_text())
    assert {kind: {*names} for kind, names in report["odd"].items()} == ODD
    assert report["counts"] == {kind: len(names) for kind, names in ODD.items()}
    assert report["photos"] == len([path for path in rotten.rglob("*") if path.is_file()])
    assert report["odd"]["duplicate"]["same_bytes.png"] == "of good_0.png"
    assert report["short_side"]["0%"] == 30 and report["long_side"]["100%"] == 1200
    assert report["files"]["JPEG"] == 5
    assert skiplist.read(tmp_path / "skip.txt") == LEFT_OUT
    for words in ("unreadable", "duplicate", "left out: 6 of", f"data.skip={tmp_path / 'skip.txt'}"):
        assert words in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.json", "skip.txt"]


def test_a_zip_is_looked_at_as_its_folder_is(rotten: Path, tmp_path: Path, impasto: Impasto) -> None:
    packed = pack(rotten, tmp_path / "photos.zip")
    done = impasto("check", f"data.root={packed}", "data.size=32", "check.huge=1", f"output={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "check.json").read_text())
    names = {kind: {name.removeprefix("train2017/") for name in names} for kind, names in report["odd"].items()}
    assert names == ODD


def test_training_leaves_out_what_is_listed(rotten: Path, tmp_path: Path, impasto: Impasto) -> None:
    skiplist.write(tmp_path / "skip.txt", dict.fromkeys(LEFT_OUT, "why"))
    run = tmp_path / "run"
    line = [*TINY, f"data.root={rotten}", f"data.skip={tmp_path / 'skip.txt'}", f"hydra.run.dir={run}"]
    done = impasto("train", *line, "trainer.steps=12")
    assert done.returncode == 0, done.stderr
    assert not (run / "skipped.txt").exists()
    assert str(tmp_path) not in (run / "step_00000012.safetensors").read_bytes().decode("latin-1")
    whole, listed = PhotoSet(rotten, "data.root"), PhotoSet(rotten, "data.root", str(tmp_path / "skip.txt"))
    assert {*whole.names} - {*listed.names} == LEFT_OUT
    assert whole.sha256 != listed.sha256


def test_names_of_any_kind_come_back(tmp_path: Path) -> None:
    names = {
        "a b/c,d.jpg",
        "two\nlines.jpg",
        "tab\t.jpg",
        '"quoted".jpg',
        "# none.jpg",
        "Größe.jpg",
        "x\udcff.jpg",
    }
    skiplist.write(tmp_path / "skip.txt", dict.fromkeys(names, "for\na reason"))
    assert skiplist.read(tmp_path / "skip.txt") == names
    (tmp_path / "by_hand.txt").write_text("# mine\r\none.jpg\r\n\r\ntwo words.jpg\n")
    assert skiplist.read(tmp_path / "by_hand.txt") == {"one.jpg", "two words.jpg"}


def test_wrong_lists_are_one_sentence(tmp_path: Path) -> None:
    photo(0).save(tmp_path / "a.jpg")
    cases = {"other.jpg": "names no photo of", "a.jpg": "names every photo of", '"a': "is no list of photos"}
    for content, words in cases.items():
        (tmp_path / "skip.txt").write_text(content)
        with pytest.raises(RequestError, match=words):
            PhotoSet(tmp_path, "data.root", str(tmp_path / "skip.txt"))
    with pytest.raises(RequestError, match="is no list of photos"):
        PhotoSet(tmp_path, "data.root", str(tmp_path / "nowhere.txt"))


def test_names_in_the_table_may_be_of_any_kind(
    tmp_path: Path, impasto: Impasto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")  # as where LANG=en_GB.UTF-8
    (tmp_path / "a[").mkdir()
    (tmp_path / "a[" / "b].jpg").write_text("not a photo")
    Image.new("RGB", (80, 60), (9, 90, 200)).save(tmp_path / "[red]x.png")
    photo(11).convert("L").save(tmp_path / ":smile:.png")
    Image.new("CMYK", (80, 60)).save(tmp_path / "y\udcff.jpg")
    done = impasto("check", f"data.root={tmp_path}", "data.size=32", f"output={tmp_path / 'out'}", "processes=2")
    assert done.returncode == 0, done.stderr
    for name in ("a[/b].jpg", "[red]x.png", ":smile:.png", r"y\udcff.jpg"):
        assert name in done.stdout


def test_workers_end_with_a_command_that_was_killed(rotten: Path) -> None:
    """While they wait for more photos, or for somebody to take what they found."""
    script = """
import multiprocessing, sys, time
from pathlib import Path
from impasto.configs import app
from impasto.train import doctor
from impasto.train.photos import PhotoSet
config = app.compose("check", [f"data.root={sys.argv[1]}", "data.size=32", "processes=2"])
found = doctor.scan(PhotoSet(Path(config.data.root), "data.root"), config)
next(found)
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
time.sleep(100)
"""
    command = subprocess.Popen([sys.executable, "-c", script, str(rotten)], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    workers = [int(pid) for pid in command.stdout.readline().split()]
    command.kill()
    try:
        command.communicate(timeout=30)  # until the workers, too, have let go of the pipe
    except subprocess.TimeoutExpired:
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        raise
    assert len(workers) == 2


def test_nothing_readable_fails(tmp_path: Path, impasto: Impasto) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as file:
        file.writestr("a.jpg", "no photo")
    done = impasto("check", "data.root=photos.zip", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("impasto-check: none of the 1 photos of")
