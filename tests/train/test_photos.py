import io
import pickle
import struct
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from impasto.configs.errors import RequestError
from impasto.configs.schema import DataConfig
from impasto.models.pictures import UnreadablePicture
from impasto.train import photos
from impasto.train.crops import Crops, loader
from impasto.train.photos import PhotoSet


def photo(seed: int, size: tuple[int, int] = (80, 60)) -> Image.Image:
    """A smooth photo of a colour of its own."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 255, (4, 5, 3), np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "below/deep").mkdir(parents=True)
    for number, name in enumerate(["a.jpg", "b.png", "below/c.JPG", "below/deep/d.webp", "e.jpeg"]):
        photo(number).save(root / name)
    (root / "notes.txt").write_text("no photo")
    return root


def config(root: Path, **changes: object) -> DataConfig:
    settings: dict[str, object] = {
        "root": str(root),
        "val_root": None,
        "skip": None,
        "val_photos": 2,
        "val_size": 32,
        "size": 32,
        "zoom": [1.0, 1.5],
        "flip": True,
        "workers": 0,
        "cache": None,
        "cache_gb": 1.0,
    }
    return DataConfig(**(settings | changes))  # type: ignore[arg-type]


def first_crops(root: Path, count: int, **changes: object) -> list[NDArray[np.uint8]]:
    crops = Crops(PhotoSet(root, "data.root"), config(root, **changes), seed=0)
    return [crops[position][0] for position in range(count)]


def pack(root: Path, path: Path) -> Path:
    """A zip as COCO's are: everything below one folder, and what a Mac adds."""
    with zipfile.ZipFile(path, "w") as file:
        for name in sorted(root.rglob("*")):
            if name.is_file():
                file.write(name, Path("train2017") / name.relative_to(root))
        file.writestr("__MACOSX/train2017/._a.jpg", b"resource fork")
    return path


def test_photos_of_a_folder_tree(folder: Path) -> None:
    assert PhotoSet(folder, "data.root").names == ["a.jpg", "b.png", "below/c.JPG", "below/deep/d.webp", "e.jpeg"]


def test_a_zip_gives_the_same_crops_as_its_folder(folder: Path, tmp_path: Path) -> None:
    packed = pack(folder, tmp_path / "photos.zip")
    assert len(PhotoSet(packed, "data.root").names) == 5
    for one, other in zip(first_crops(folder, 10), first_crops(packed, 10), strict=True):
        np.testing.assert_array_equal(one, other)


def test_workers_read_a_zip_side_by_side(folder: Path, tmp_path: Path) -> None:
    packed = pack(folder, tmp_path / "photos.zip")
    batches = []
    for workers in (0, 2):
        crops = Crops(PhotoSet(packed, "data.root"), config(packed, workers=workers), seed=0)
        batches.append([batch for batch, _ in islice(loader(crops, 3, 0, pin_memory=False), 4)])
    for one, other in zip(*batches, strict=True):
        assert one.shape == (3, 32, 32, 3)
        assert torch.equal(one, other)


def test_a_later_start_goes_on_where_an_earlier_one_stopped(folder: Path) -> None:
    crops = Crops(PhotoSet(folder, "data.root"), config(folder), seed=0)
    whole = [batch for batch, _ in islice(loader(crops, 2, 0, pin_memory=False), 6)]
    rest = [batch for batch, _ in islice(loader(crops, 2, 4, pin_memory=False), 2)]
    assert all(torch.equal(one, other) for one, other in zip(whole[4:], rest, strict=True))


def test_each_epoch_takes_every_photo_once_in_another_order(folder: Path) -> None:
    crops = Crops(PhotoSet(folder, "data.root"), config(folder), seed=0)
    epochs = [list(crops.order(epoch)) for epoch in range(6)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3


def test_crops_move_zoom_and_flip(tmp_path: Path) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[...] = np.arange(96, dtype=np.uint8)[None, :, None] * 2
    Image.fromarray(image).save(tmp_path / "ramp.png")
    crops = first_crops(tmp_path, 40)
    slopes = [int(crop[0, -1, 0]) - int(crop[0, 0, 0]) for crop in crops]
    assert min(slopes) < 0 < max(slopes)  # flipped, not flipped
    assert len({abs(slope) for slope in slopes}) > 5  # zoom
    assert len({int(crop.mean()) for crop in crops}) > 10  # place
    still = first_crops(tmp_path, 20, flip=False, zoom=[1.0, 1.0])
    assert all(int(crop[0, -1, 0]) > int(crop[0, 0, 0]) for crop in still)


def test_bad_photos_are_skipped_and_listed(folder: Path) -> None:
    whole = io.BytesIO()
    photo(9).save(whole, "JPEG")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[:600])
    (folder / "text.jpg").write_text("not a photo")
    (folder / "empty.png").write_bytes(b"")
    photo(10, (4000, 20)).save(folder / "narrow.png")
    crops = Crops(PhotoSet(folder, "data.root"), config(folder), seed=0)
    skipped: set[str] = set()
    for batch, lines in islice(loader(crops, 2, 0, pin_memory=False), 9):
        assert batch.shape == (2, 32, 32, 3)
        skipped |= set(lines)
    assert len(skipped) == 4
    for name in ("cut.jpg", "text.jpg", "empty.png", "narrow.png"):
        assert any(name in line for line in skipped)


def test_odd_modes_and_exif_become_upright_rgb(tmp_path: Path) -> None:
    photo(1).convert("CMYK").save(tmp_path / "cmyk.jpg")
    photo(2).convert("L").save(tmp_path / "grey.png")
    photo(3).convert("P").save(tmp_path / "palette.gif")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(4).save(tmp_path / "turned.jpg", exif=exif)
    assert all(crop.shape == (32, 32, 3) for crop in first_crops(tmp_path, 8))
    assert PhotoSet(tmp_path, "data.root").read("turned.jpg", 30).shape == (40, 30, 3)


def test_all_photos_bad_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a photo")
    with pytest.raises(RequestError, match="none of the 1 photos"):
        first_crops(tmp_path, 1)


def test_held_out_photos_are_never_trained_on(folder: Path) -> None:
    train, held_out = photos.split(config(folder, val_photos=1))
    assert len(held_out.names) == 1
    assert not set(train.names) & set(held_out.names)
    assert photos.split(config(folder, val_photos=1))[1].names == held_out.names
    other = folder / "below"
    train, held_out = photos.split(config(folder, val_root=str(other)))
    assert len(train.names) == 5
    assert held_out.names == ["c.JPG", "deep/d.webp"]


def test_validation_takes_the_middle(tmp_path: Path) -> None:
    image = np.zeros((40, 120, 3), np.uint8)
    image[:, 40:80] = 200
    Image.fromarray(image).save(tmp_path / "bar.png")
    (tmp_path / "text.jpg").write_text("not a photo")
    crops, names, skipped = photos.validation_crops(PhotoSet(tmp_path, "data.root"), 40)
    assert crops.shape == (1, 40, 40, 3)
    assert (crops == 200).all()
    assert names == ["bar.png"]
    assert len(skipped) == 1


def test_wrong_roots_get_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as file:
        file.writestr("readme.txt", "no photos")
    cases = {
        "missing": "does not exist",
        "empty": "holds no photos",
        "file.txt": "neither a folder nor a zip",
        "empty.zip": "holds no photos",
    }
    for name, sentence in cases.items():
        with pytest.raises(RequestError, match=sentence) as error:
            PhotoSet(tmp_path / name, "data.root")
        assert "data.root=" in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_rotten_entry_of_a_zip_is_a_bad_photo(folder: Path, tmp_path: Path, method: int) -> None:
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w", method) as file:
        file.writestr("rotten.jpg", bytes(range(256)) * 300)
        file.write(folder / "a.jpg", "good.jpg")
    data = bytearray(packed.read_bytes())
    data[60:120] = b"\xff" * 60
    packed.write_bytes(data)
    photo_set = PhotoSet(packed, "data.root")
    with pytest.raises(UnreadablePicture, match=r"rotten\.jpg cannot be unpacked"):
        photo_set.read("rotten.jpg", 32)
    assert photo_set.read("good.jpg", 32).shape[2] == 3


@pytest.mark.parametrize("damage", ["a version", "a name", "a disk", "a size"])
def test_a_damaged_zip_is_one_sentence(folder: Path, tmp_path: Path, damage: str) -> None:
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.write(folder / "a.jpg", "Größe.jpg")
    data = bytearray(packed.read_bytes())
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    if damage == "a version":  # that is needed to read it
        data[directory + 6] = 99
    elif damage == "a name":
        data[data.index("ö".encode(), directory)] = 0xFF
    elif damage == "a disk":  # the second of three, by what large zips have before their end
        data[end:end] = struct.pack("<4sIQI", b"PK\x06\x07", 1, 0, 3)
    else:  # of the directory
        data[end + 12] ^= 0xFF
    packed.write_bytes(data)
    with pytest.raises(RequestError, match=r"photos\.zip is a damaged zip file \(.+\); make it again") as error:
        PhotoSet(packed, "data.root")
    assert "\n" not in str(error.value)


def test_a_zip_bomb_is_a_bad_photo(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.jpg", bytes(1 << 20))
        file.write(folder / "a.jpg", "good.jpg")
    monkeypatch.setattr(photos, "MAX_BYTES", 1 << 16)
    crops = Crops(PhotoSet(packed, "data.root"), config(packed), seed=0)
    skipped = [line for position in range(4) for line in crops[position][1]]
    assert skipped
    assert all("bomb.jpg is over" in line for line in skipped)


def test_workers_can_be_spawned(folder: Path, tmp_path: Path) -> None:
    """What they are given is pickled then, as on a Mac, and by Python 3.14 on Linux: an open zip and an order, too."""
    packed = pack(folder, tmp_path / "photos.zip")
    crops = Crops(PhotoSet(packed, "data.root"), config(packed), seed=0)
    expected = crops[7][0]
    again: Crops = pickle.loads(pickle.dumps(crops))
    np.testing.assert_array_equal(again[7][0], expected)
