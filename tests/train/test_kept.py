import errno
import multiprocessing
import os
import pickle
import resource
import shutil
import subprocess
import sys
import time
from itertools import islice
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from impasto.train import kept
from impasto.train.crops import Crops, loader
from impasto.train.kept import Kept
from impasto.train.photos import PhotoSet
from tests.conftest import TINY
from tests.train.test_photos import config, pack
from tests.train.test_photos import photo as made_photo

SIDE = 32  # px


def photo(seed: int, height: int = SIDE, width: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def cache(folder: Path, stamp: str = "set", gigabytes: float = 1, count: int = 10) -> Kept:
    return Kept(folder, gigabytes, stamp, count, SIDE)


def taken(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.glob(f"*{kept.SUFFIX}"))


def all_crops(root: Path, folder: Path | None, count: int = 24) -> list[NDArray[np.uint8]]:
    crops = Crops(PhotoSet(root, "data.root"), config(root, cache=folder and str(folder)), seed=0)
    return [crops[position][0] for position in range(count)]


def test_what_was_kept_is_read_again_by_any_process(tmp_path: Path) -> None:
    first = cache(tmp_path)
    assert first.read(3) is None
    first.write(3, photo(1))
    first.write(4, photo(2, 64, SIDE)[:, ::-1])  # upright, and not in one piece
    again: Kept = pickle.loads(pickle.dumps(first))  # as a spawned worker gets it
    for other in (first, cache(tmp_path), again):
        np.testing.assert_array_equal(other.read(3), photo(1))
        np.testing.assert_array_equal(other.read(4), photo(2, 64, SIDE)[:, ::-1])
        assert other.read(2) is None
    assert [*tmp_path.glob("*.photos")] == [first.path]
    assert first.news() == [f"keeping decoded photos in {tmp_path}, up to 1 GB"]
    assert first.news() == []


def test_what_was_never_written_takes_no_room(tmp_path: Path) -> None:
    made = cache(tmp_path, count=100_000)
    assert made.path.stat().st_size > 600_000_000
    made.write(99_999, photo(0))
    assert taken(tmp_path) < 100_000


def test_photos_that_are_too_long_are_not_kept(tmp_path: Path) -> None:
    made = cache(tmp_path)
    made.write(0, photo(0, SIDE, 2 * SIDE + 1))
    assert made.read(0) is None
    made.write(1, photo(1, SIDE, 2 * SIDE))
    assert made.read(1) is not None
    assert made.read(2) is None


@pytest.mark.parametrize("files", ["folder", "zip"])
def test_crops_are_the_same_cold_warm_partly_kept_and_without(tmp_path: Path, files: str) -> None:
    (folder := tmp_path / "photos").mkdir()
    for number in range(8):  # so large that what decodes a part of them is asked for
        made_photo(number, (200, 150)).save(folder / f"{number}.jpg")
    root = folder if files == "folder" else pack(folder, tmp_path / "photos.zip")
    without = all_crops(root, None)
    all_crops(root, tmp_path / "cache", count=3)
    partly = all_crops(root, tmp_path / "cache")
    warm = all_crops(root, tmp_path / "cache")
    for cached in (partly, warm):
        assert all(np.array_equal(one, other) for one, other in zip(cached, without, strict=True))
    crops = Crops(PhotoSet(root, "data.root"), config(root, cache=str(tmp_path / "cache")), seed=0)
    assert crops.kept is not None
    assert all(crops.kept.read(number) is not None for number in range(8))


def test_crops_come_from_what_is_kept(photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = all_crops(photo_folder, tmp_path)
    monkeypatch.setattr(PhotoSet, "decode", lambda *_: pytest.fail("decoded again"))
    assert all(np.array_equal(*pair) for pair in zip(before, all_crops(photo_folder, tmp_path), strict=True))


def test_workers_share_it(photo_folder: Path, tmp_path: Path) -> None:
    with_workers = config(photo_folder, cache=str(tmp_path), workers=2)
    crops = Crops(PhotoSet(photo_folder, "data.root"), with_workers, seed=0)
    batches = [batch for batch, _ in islice(loader(crops, 4, 0, pin_memory=False), 6)]
    assert np.array_equal(np.concatenate(batches), all_crops(photo_folder, None))
    assert crops.kept is not None
    assert all(crops.kept.read(number) is not None for number in range(8))


def test_a_changed_photo_is_another_set(photo_folder: Path, tmp_path: Path) -> None:
    root = shutil.copytree(photo_folder, tmp_path / "photos")
    before = PhotoSet(root, "data.root")
    os.utime(root / "photo_0.jpg", (1, 1))
    assert PhotoSet(root, "data.root").stamp != before.stamp
    assert PhotoSet(root, "data.root").sha256 == before.sha256
    (tmp_path / "skip.txt").write_text("photo_3.jpg\n")
    some = PhotoSet(root, "data.root", str(tmp_path / "skip.txt"))
    assert some.stamp == PhotoSet(root, "data.root").stamp  # what is left out changes no photo
    assert some.numbers["photo_4.jpg"] == 4


def test_other_photos_of_the_same_names_sizes_and_dates_are_another_set(tmp_path: Path) -> None:
    """As BMP and PPM files have, unpacked by tar or copied by cp -p; also where they replace the first."""
    for name, level in (("black", 0), ("white", 255)):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("RGB", (48, SIDE), (level, level, level)).save(tmp_path / name / f"{number}.bmp")
            os.utime(tmp_path / name / f"{number}.bmp", (1, 1))
    assert PhotoSet(tmp_path / "black", "data.root").sha256 == PhotoSet(tmp_path / "white", "data.root").sha256
    assert {int(crop.max()) for crop in all_crops(tmp_path / "black", tmp_path / "cache", 8)} == {0}
    assert {int(crop.min()) for crop in all_crops(tmp_path / "white", tmp_path / "cache", 8)} == {255}
    shutil.copytree(tmp_path / "white", tmp_path / "black", dirs_exist_ok=True)  # into the very files, and their dates
    assert {int(crop.min()) for crop in all_crops(tmp_path / "black", tmp_path / "cache", 8)} == {255}


def test_unreadable_photos_are_still_listed(photo_folder: Path, tmp_path: Path) -> None:
    root = shutil.copytree(photo_folder, tmp_path / "photos")
    (root / "bad.jpg").write_bytes(b"bad")
    for _ in range(2):
        crops = Crops(PhotoSet(root, "data.root"), config(root, cache=str(tmp_path / "cache")), seed=0)
        assert "bad.jpg" in " ".join(line for position in range(9) for line in crops[position][1])


@pytest.mark.parametrize("damage", ["a bit", "zeros", "a size", "cut"])
def test_damage_is_never_read_as_good(tmp_path: Path, damage: str) -> None:
    made = cache(tmp_path)
    for number in range(10):
        made.write(number, photo(number))
    at, path = 4096 + 5 * made.place, made.path
    del made
    data = bytearray(path.read_bytes())
    if damage == "a bit":
        data[at + 3000] ^= 4
    elif damage == "zeros":  # what a power cut leaves of a page
        data[at + 1000 : at + 4096] = bytes(3096)
    elif damage == "a size":
        data[at + 4 : at + 12] = (2**31).to_bytes(4, "little") * 2
    else:
        del data[at:]
    path.write_bytes(data)
    again = cache(tmp_path)
    assert again.read(5) is None
    if damage == "cut":
        assert all(again.read(number) is None for number in range(10))  # made again
    else:
        np.testing.assert_array_equal(again.read(4), photo(4))
    again.write(5, photo(5))
    np.testing.assert_array_equal(again.read(5), photo(5))


def test_a_foreign_file_in_its_place_is_made_again(tmp_path: Path) -> None:
    path = cache(tmp_path).path
    path.write_text("something else")
    again = cache(tmp_path)
    again.write(0, photo(0))
    np.testing.assert_array_equal(again.read(0), photo(0))


def read_ten(made: Kept) -> None:
    sys.exit(sum(made.read(number) is not None for number in range(10)))


def test_what_the_disk_fails_to_give_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that a mapping would get killed, as where a tmpfs is full: here the file is cut short under it."""
    made = cache(tmp_path)
    for number in range(10):
        made.write(number, photo(number))
    os.truncate(made.path, 4096 + 3 * made.place + 1000)
    reader = multiprocessing.get_context("fork").Process(target=read_ten, args=(made,))
    reader.start()
    reader.join()
    assert reader.exitcode == 3

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    assert made.read(0) is None


def write_on(folder: Path, large: NDArray[np.uint8], begun: Event) -> None:
    made = Kept(folder, 1, "set", 50, 256)
    begun.set()
    while True:
        for number in range(50):
            made.write(number, large)


def test_killed_in_the_middle_of_writing(tmp_path: Path) -> None:
    """Two writers of the same photos are killed again and again: what is read is right or not there."""
    large = np.random.default_rng(0).integers(0, 255, (256, 384, 3), np.uint8)
    reader = Kept(tmp_path, 1, "set", 50, 256)
    context = multiprocessing.get_context("fork")
    for seconds in (0.0, 0.001, 0.003, 0.01, 0.03):
        begun = context.Event()
        writers = [context.Process(target=write_on, args=(tmp_path, large, begun)) for _ in range(2)]
        for writer in writers:
            writer.start()
        begun.wait()
        time.sleep(seconds)
        for writer in writers:
            writer.kill()
        found = [reader.read(number) for number in range(50)]
        for writer in writers:
            writer.join()
        assert all(one is None or np.array_equal(one, large) for one in found)
    assert any(one is not None for one in found)


def test_the_bound_holds_and_the_oldest_file_goes_first(tmp_path: Path) -> None:
    one_photo, paths = SIDE * 48 * 3, {}
    for age, stamp in enumerate(("older", "newer", "in use")):
        made = cache(tmp_path, stamp)
        for number in range(10):
            made.write(number, photo(number))
        os.utime(made.path, (1000 + age, 1000 + age) if stamp != "in use" else (1, 1))
        paths[stamp] = made.path
    bound = (taken(tmp_path) + one_photo) / 1e9
    last = Kept(tmp_path, bound, "last", 100, SIDE)
    for number in range(8):
        last.write(number, photo(number))
    assert not paths["older"].exists()
    assert paths["newer"].exists()
    for number in range(8, 100):
        last.write(number, photo(number))
    assert not paths["newer"].exists()
    assert paths["in use"].exists()  # by `made`, which is older than both
    assert taken(tmp_path) <= bound * 1e9
    assert last.read(99) is None
    assert [line for line in last.news() if "is full" in line and "data.cache_gb=" in line]
    assert last.news() == []


def test_a_lower_bound_holds_from_the_start(tmp_path: Path) -> None:
    for stamp in ("other", "set"):
        made = cache(tmp_path, stamp, count=100)
        for number in range(0, 100, 2):  # the file has holes
            made.write(number, photo(number))
        del made
    whole = taken(tmp_path)
    lower = cache(tmp_path, "set", whole / 4e9, 100)
    assert 0 < taken(tmp_path) <= whole / 4
    assert [*tmp_path.glob("*.photos")] == [lower.path]
    assert np.array_equal(lower.read(0), photo(0))  # type: ignore[arg-type]
    assert lower.read(98) is None
    lower.write(98, photo(98))
    assert taken(tmp_path) <= whole / 4


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = cache(tmp_path / "file" / "below")
    made.write(0, photo(0))
    assert made.read(0) is None
    (line,) = made.news()
    assert line.startswith(f"data.cache={tmp_path / 'file' / 'below'} keeps no photos (not a directory)")


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cache(tmp_path)
    made.news()
    made.write(0, photo(0))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        made.write(1, photo(1))
    made.write(2, photo(2))
    assert made.read(0) is not None
    assert made.read(2) is None
    (line,) = made.news()
    assert "no space left on device" in line
    monkeypatch.setattr(kept, "_FREE", 1 << 60)
    other = cache(tmp_path, "other")
    other.write(0, photo(0))
    assert other.read(0) is None
    assert any("no space left" in line for line in other.news())


def test_a_file_that_may_not_grow_is_one_sentence(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        made = cache(tmp_path, count=100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    (line,) = made.news()
    assert "file too large" in line
    assert not [*tmp_path.glob("*.photos")]


def test_two_runs_at_once_share_it(tmp_path: Path, photo_folder: Path, tiny_run: Path) -> None:
    """And end with the very weights of one that keeps nothing."""
    line = [*TINY, f"data.root={photo_folder}", "data.workers=1", f"data.cache={tmp_path / 'cache'}"]
    script = str(Path(sys.executable).with_name("impasto-train"))
    runs = [
        subprocess.Popen([script, *line, f"hydra.run.dir={tmp_path / name}"], stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    said = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert sum("keeping decoded photos in" in each for each in said) == 1
    expected = load_file(tiny_run / "step_00000006.safetensors")
    for name in ("one", "two"):
        weights = load_file(tmp_path / name / "step_00000006.safetensors")
        assert all(np.array_equal(weights[key], value) for key, value in expected.items())
