import io
import multiprocessing
import os
import pickle
import shutil
import sys
import tempfile
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from impasto.configs.errors import UsageError
from impasto.models.card import CropStage
from impasto.train.data import dataset
from impasto.train.data.dataset import PhotoSet
from impasto.train.data.random_crops import FLAT, Crops, LoaderError, batches, loader
from tests.helpers.photos import config, pack, photo


def stream(root: Path, **changes: object) -> Crops:
    settings = config(root, **changes)
    assert isinstance(settings.size, int) and settings.scale_range is not None
    stages = [CropStage(settings.size, settings.scale_range)]
    return Crops(PhotoSet(root, "data.root"), settings, 0, stages)


def first_crops(root: Path, count: int, **changes: object) -> list[NDArray[np.uint8]]:
    crops = stream(root, **changes)
    return [crops[position][0] for position in range(count)]


def assert_equal_crops(one: list[NDArray[np.uint8]], other: list[NDArray[np.uint8]]) -> None:
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_crops_zip_equals_its_folder(photo_tree: Path, tmp_path: Path) -> None:
    packed = pack(photo_tree, tmp_path / "photos.zip")
    assert len(PhotoSet(packed, "data.root").names) == 5
    assert_equal_crops(first_crops(photo_tree, 10), first_crops(packed, 10))


def test_loader_workers_read_one_zip_concurrently(photo_tree: Path, tmp_path: Path) -> None:
    packed = pack(photo_tree, tmp_path / "photos.zip")
    results = []
    for workers in (0, 2):
        crops = stream(packed, workers=workers)
        results.append([batch for batch, _ in islice(loader(crops, 3, 0, pin_memory=False), 4)])
    for one, other in zip(*results, strict=True):
        assert one.shape == (3, 32, 32, 3)
        assert torch.equal(one, other)


def test_loader_later_first_step_resumes_the_stream(photo_tree: Path) -> None:
    crops = stream(photo_tree)
    whole = [batch for batch, _ in islice(loader(crops, 2, 0, pin_memory=False), 6)]
    rest = [batch for batch, _ in islice(loader(crops, 2, 4, pin_memory=False), 2)]
    assert all(torch.equal(one, other) for one, other in zip(whole[4:], rest, strict=True))


def test_order_each_epoch_is_another_permutation(photo_tree: Path) -> None:
    crops = stream(photo_tree)
    epochs = [list(crops.order(epoch)) for epoch in range(6)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3


def test_crops_vary_in_position_scale_and_flip(tmp_path: Path) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[...] = np.arange(96, dtype=np.uint8)[None, :, None] * 2
    Image.fromarray(image).save(tmp_path / "ramp.png")
    crops = first_crops(tmp_path, 40)
    slopes = [int(crop[0, -1, 0]) - int(crop[0, 0, 0]) for crop in crops]
    assert min(slopes) < 0 < max(slopes)  # flip
    assert len({abs(slope) for slope in slopes}) > 5  # scale
    assert len({int(crop.mean()) for crop in crops}) > 10  # position
    fixed = first_crops(tmp_path, 20, flip=False, scale_range=[1.0, 1.0])
    assert all(int(crop[0, -1, 0]) > int(crop[0, 0, 0]) for crop in fixed)


def test_crops_are_not_flat_where_the_photo_is_not(tmp_path: Path) -> None:
    pixels = np.full((256, 256, 3), 255, np.uint8)
    pixels[96:160, 96:160] = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    Image.fromarray(pixels).save(tmp_path / "product.png")
    crops = first_crops(tmp_path, 40, scale_range=[4.0, 8.0])
    assert min(crop.std((0, 1)).max() for crop in crops) >= FLAT
    assert_equal_crops(crops, first_crops(tmp_path, 40, scale_range=[4.0, 8.0]))
    Image.fromarray(pixels[:64, :64]).save(tmp_path / "product.png")
    assert {crop.max() - crop.min() for crop in first_crops(tmp_path, 3)} == {0}  # it has no other places


def test_loader_skips_and_reports_bad_photos(photo_tree: Path) -> None:
    whole = io.BytesIO()
    photo(9).save(whole, "JPEG")
    (photo_tree / "cut.jpg").write_bytes(whole.getvalue()[:600])
    (photo_tree / "text.jpg").write_text("not a photo")
    (photo_tree / "empty.png").write_bytes(b"")
    photo(10, (4000, 20)).save(photo_tree / "narrow.png")
    skipped: set[str] = set()
    for batch, messages in islice(loader(stream(photo_tree), 2, 0, pin_memory=False), 9):
        assert batch.shape == (2, 32, 32, 3)
        skipped |= set(messages)
    assert len(skipped) == 4
    for name in ("cut.jpg", "text.jpg", "empty.png", "narrow.png"):
        assert any(name in message for message in skipped)


def test_crops_unusual_modes_are_rgb(tmp_path: Path) -> None:
    photo(1).convert("CMYK").save(tmp_path / "cmyk.jpg")
    photo(2).convert("L").save(tmp_path / "gray.png")
    photo(3).convert("P").save(tmp_path / "palette.gif")
    assert all(crop.shape == (32, 32, 3) for crop in first_crops(tmp_path, 8))


def test_crops_no_readable_photo_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a photo")
    with pytest.raises(UsageError, match="none of the 1 photos"):
        first_crops(tmp_path, 1)


def test_crops_zip_bomb_is_skipped(photo_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.jpg", bytes(1 << 20))
        file.write(photo_tree / "a.jpg", "good.jpg")
    monkeypatch.setattr(dataset, "MAX_BYTES", 1 << 16)
    crops = stream(packed)
    skipped = [message for position in range(4) for message in crops[position][1]]
    assert skipped
    assert all("bomb.jpg is over" in message for message in skipped)


def test_crops_pickled_for_a_spawned_worker_are_equal(photo_tree: Path, tmp_path: Path) -> None:
    """macOS spawns workers, and Python 3.14 does on Linux; an open zip file and an order are part of the state."""
    packed = pack(photo_tree, tmp_path / "photos.zip")
    crops = stream(packed)
    expected = crops[7][0]
    unpickled: Crops = pickle.loads(pickle.dumps(crops))
    np.testing.assert_array_equal(unpickled[7][0], expected)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_crops_are_equal_with_any_state_of_the_cache(tmp_path: Path, kind: str) -> None:
    (folder := tmp_path / "photos").mkdir()
    for seed in range(8):  # large enough that the decoder reduces them
        photo(seed, (200, 150)).save(folder / f"{seed}.jpg")
    root = folder if kind == "folder" else pack(folder, tmp_path / "photos.zip")
    cache = str(tmp_path / "cache")
    without = first_crops(root, 24)
    first_crops(root, 3, cache=cache)
    for _ in ("partly filled", "full"):
        assert_equal_crops(first_crops(root, 24, cache=cache), without)
    crops = stream(root, cache=cache)
    assert crops.cache is not None
    assert all(crops.cache.read(index) is not None for index in range(8))


def test_crops_full_cache_decodes_nothing(photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = first_crops(photo_folder, 24, cache=str(tmp_path))
    monkeypatch.setattr(PhotoSet, "decode", lambda *_: pytest.fail("decoded again"))
    assert_equal_crops(before, first_crops(photo_folder, 24, cache=str(tmp_path)))


def test_loader_workers_fill_one_cache(photo_folder: Path, tmp_path: Path) -> None:
    crops = stream(photo_folder, cache=str(tmp_path), workers=2)
    result = [batch for batch, _ in islice(loader(crops, 4, 0, pin_memory=False), 6)]
    assert np.array_equal(np.concatenate(result), first_crops(photo_folder, 24))
    assert crops.cache is not None
    assert all(crops.cache.read(index) is not None for index in range(8))


def test_batches_full_cache_is_logged_once_by_the_main_process(
    photo_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crops = stream(photo_folder, cache=str(tmp_path), workers=1)
    crops.cache.limit_gb = 1e-6  # type: ignore[union-attr]
    with batches(crops, 2, 0, False, 0, 1) as iterator:
        for _ in islice(iterator, 6):
            pass
    messages = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(messages) == 1
    assert messages[0].startswith(f"data.cache={tmp_path} is full") and "data.cache_gb=" in messages[0]


def test_crops_other_photos_of_equal_names_sizes_and_dates_are_not_confused(tmp_path: Path) -> None:
    """BMP and PPM files are like this when tar or cp -p writes them, also where they replace the first photos."""
    for name, level in (("black", 0), ("white", 255)):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("RGB", (48, 32), (level, level, level)).save(tmp_path / name / f"{number}.bmp")
            os.utime(tmp_path / name / f"{number}.bmp", (1, 1))
    black, white, cache = tmp_path / "black", tmp_path / "white", str(tmp_path / "cache")
    assert PhotoSet(black, "data.root").sha256 == PhotoSet(white, "data.root").sha256
    assert {int(crop.max()) for crop in first_crops(black, 8, cache=cache)} == {0}
    assert {int(crop.min()) for crop in first_crops(white, 8, cache=cache)} == {255}
    shutil.copytree(white, black, dirs_exist_ok=True)  # overwrites the files, with the same dates
    assert {int(crop.min()) for crop in first_crops(black, 8, cache=cache)} == {255}


def test_crops_cached_set_still_reports_bad_photos(photo_folder: Path, tmp_path: Path) -> None:
    root = shutil.copytree(photo_folder, tmp_path / "photos")
    (root / "bad.jpg").write_bytes(b"bad")
    for _ in range(2):
        crops = stream(root, cache=str(tmp_path / "cache"))
        assert "bad.jpg" in " ".join(message for position in range(9) for message in crops[position][1])


def unreadable(folder: Path) -> Path:
    for number in range(4):
        (folder / f"{number}.jpg").write_text("not a photo")
    return folder


@pytest.mark.parametrize("workers", [0, 1])
def test_loader_no_readable_photo_is_the_sentence_of_the_crops(tmp_path: Path, workers: int) -> None:
    crops = stream(unreadable(tmp_path), workers=workers)
    with pytest.raises(
        LoaderError, match=r"^none of the 4 photos of .* can be read; the first error: \S+/\d.jpg is not"
    ):
        next(loader(crops, 2, 0, pin_memory=False))


def test_loader_killed_worker_is_one_sentence(photo_tree: Path) -> None:
    batch = loader(stream(photo_tree, workers=1), 2, 0, pin_memory=False)
    next(batch)
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(
        LoaderError, match=r"processes that decode photos failed \(DataLoader worker .*; data.workers=0"
    ):
        for _ in range(9):
            next(batch)


@pytest.mark.skipif(sys.platform != "linux", reason="lengths of sockets' paths differ")
def test_loader_long_temporary_folder_hands_over_batches(
    photo_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket in it would need a path of more than 107 characters; /dev/shm is full in the next test."""
    (folder := tmp_path / ("x" * 100)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    batch, _ = next(loader(stream(photo_tree, workers=1), 2, 0, pin_memory=False))
    assert batch.shape == (2, 32, 32, 3)


def test_loader_hands_over_no_tensor_in_shared_memory(photo_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /dev/shm is full, sharing a tensor fails in a thread of the worker, and the batch is lost."""
    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", lambda *_: 1 / 0)
    batch, _ = next(loader(stream(photo_tree, workers=1), 2, 0, pin_memory=False))
    assert batch.shape == (2, 32, 32, 3)
