import io
import logging
import os
import shutil
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.models.image.picture import UnreadablePicture
from impasto.train.data import dataset, style_image
from impasto.train.data.dataset import PhotoSet
from tests.helpers.photos import config, pack, photo


def test_photo_set_folder_tree_lists_pictures_by_suffix(photo_tree: Path) -> None:
    assert PhotoSet(photo_tree, "data.root").names == ["a.jpg", "b.png", "below/c.JPG", "below/deep/d.webp", "e.jpeg"]


def test_photo_set_zip_lists_pictures_but_not_resource_forks(photo_tree: Path, tmp_path: Path) -> None:
    names = PhotoSet(pack(photo_tree, tmp_path / "photos.zip"), "data.root").names
    assert names == [f"train2017/{name}" for name in PhotoSet(photo_tree, "data.root").names]


def test_photo_set_read_turned_photo_returns_it_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(4).save(tmp_path / "turned.jpg", exif=exif)
    assert PhotoSet(tmp_path, "data.root").read("turned.jpg", 30).shape == (40, 30, 3)


def test_split_photo_names_that_are_not_utf8_are_split_alike(tmp_path: Path) -> None:
    for number in range(6):
        photo(number).save(tmp_path / f"photo_{number}.jpg")
    try:
        (tmp_path / "photo_0.jpg").rename(tmp_path / os.fsdecode(b"caf\xe9.jpg"))
    except OSError:  # a file system of UTF-8 names alone, as macOS has
        pytest.skip("this file system has UTF-8 names alone")
    train, val_photos = dataset.split(config(tmp_path, val_photos=2))
    assert len(train.names) + len(val_photos.names) == 6 and not {*train.names} & {*val_photos.names}


def test_split_never_trains_on_validation_photos(photo_tree: Path) -> None:
    train, val_photos = dataset.split(config(photo_tree, val_photos=1))
    assert len(val_photos.names) == 1
    assert not set(train.names) & set(val_photos.names)
    assert dataset.split(config(photo_tree, val_photos=1))[1].names == val_photos.names
    other = photo_tree / "below"
    train, val_photos = dataset.split(config(photo_tree, val_root=str(other)))
    assert len(train.names) == 5
    assert val_photos.names == ["c.JPG", "deep/d.webp"]


def test_validation_crops_take_the_center_and_report_bad_photos(tmp_path: Path) -> None:
    image = np.zeros((40, 120, 3), np.uint8)
    image[:, 40:80] = 200
    Image.fromarray(image).save(tmp_path / "bar.png")
    (tmp_path / "text.jpg").write_text("not a photo")
    crops, names, skipped = dataset.validation_crops(PhotoSet(tmp_path, "data.root"), 40)
    assert crops.shape == (1, 40, 40, 3)
    assert (crops == 200).all()
    assert names == ["bar.png"]
    assert len(skipped) == 1


def test_picture_to_pixels_keeps_rows_and_channels() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    pixels = dataset.picture_to_pixels(rgb)
    assert pixels.shape == (1, 3, 5, 7)
    np.testing.assert_array_equal(pixels[0].permute(1, 2, 0).numpy(), rgb)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "does not exist"),
        ("empty", "holds no photos"),
        ("file.txt", "neither a folder nor a zip"),
        ("empty.zip", "holds no photos"),
    ],
)
def test_photo_set_wrong_root_is_one_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("hello")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as file:
        file.writestr("readme.txt", "no photos")
    with pytest.raises(UsageError, match=sentence) as error:
        PhotoSet(tmp_path / name, "data.root")
    assert "data.root=" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_photo_set_damaged_zip_entry_is_an_unreadable_photo(photo_tree: Path, tmp_path: Path, method: int) -> None:
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w", method) as file:
        file.writestr("rotten.jpg", bytes(range(256)) * 300)
        file.write(photo_tree / "a.jpg", "good.jpg")
    data = bytearray(packed.read_bytes())
    data[60:120] = b"\xff" * 60
    packed.write_bytes(data)
    photos = PhotoSet(packed, "data.root")
    with pytest.raises(UnreadablePicture, match=r"rotten\.jpg cannot be unpacked"):
        photos.read("rotten.jpg", 32)
    assert photos.read("good.jpg", 32).shape[2] == 3


@pytest.mark.parametrize("damage", ["a version", "a name", "a disk", "a size"])
def test_photo_set_damaged_zip_is_one_sentence(photo_tree: Path, tmp_path: Path, damage: str) -> None:
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w") as file:
        file.write(photo_tree / "a.jpg", "Größe.jpg")
    data = bytearray(packed.read_bytes())
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    if damage == "a version":  # that is needed to read it
        data[directory + 6] = 99
    elif damage == "a name":
        data[data.index("ö".encode(), directory)] = 0xFF
    elif damage == "a disk":  # the second of three, according to the record that large zips have before their end
        data[end:end] = struct.pack("<4sIQI", b"PK\x06\x07", 1, 0, 3)
    else:  # of the directory
        data[end + 12] ^= 0xFF
    packed.write_bytes(data)
    with pytest.raises(UsageError, match=r"photos\.zip is a damaged zip file \(.+\); create it again") as error:
        PhotoSet(packed, "data.root")
    assert "\n" not in str(error.value)


def test_photo_set_zip_bomb_is_an_unreadable_photo(
    photo_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "photos.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.jpg", bytes(1 << 20))
        file.write(photo_tree / "a.jpg", "good.jpg")
    monkeypatch.setattr(dataset, "MAX_BYTES", 1 << 16)
    photos = PhotoSet(packed, "data.root")
    with pytest.raises(UnreadablePicture, match=r"bomb\.jpg is over"):
        photos.read("bomb.jpg", 32)
    assert photos.read("good.jpg", 32).shape[2] == 3


def test_fingerprint_changed_photo_differs_and_excluded_photos_do_not_count(photo_folder: Path, tmp_path: Path) -> None:
    root = shutil.copytree(photo_folder, tmp_path / "photos")
    before = PhotoSet(root, "data.root")
    os.utime(root / "photo_0.jpg", (1, 1))
    assert PhotoSet(root, "data.root").fingerprint != before.fingerprint
    assert PhotoSet(root, "data.root").sha256 == before.sha256
    (tmp_path / "exclude.txt").write_text("photo_3.jpg\n")
    some = PhotoSet(root, "data.root", str(tmp_path / "exclude.txt"))
    assert some.fingerprint == PhotoSet(root, "data.root").fingerprint  # the files are the same
    assert some.indices["photo_4.jpg"] == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("other.jpg", "lists no photo of"),
        ("a.jpg", "lists every photo of"),
        ('"a', "is not a readable list of photos"),
        (None, "is not a readable list of photos"),
    ],
)
def test_photo_set_wrong_exclude_list_is_one_sentence(tmp_path: Path, content: str | None, words: str) -> None:
    photo(0).save(tmp_path / "a.jpg")
    if content is not None:
        (tmp_path / "exclude.txt").write_text(content)
    with pytest.raises(UsageError, match=words) as error:
        PhotoSet(tmp_path, "data.root", str(tmp_path / "exclude.txt"))
    assert "data.exclude=" in str(error.value) and "\n" not in str(error.value)


def test_photo_set_truncated_photo_is_unreadable(tmp_path: Path) -> None:
    whole = io.BytesIO()
    photo(9).save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[:600])
    with pytest.raises(UnreadablePicture, match=r"cut\.jpg"):
        PhotoSet(tmp_path, "data.root").read("cut.jpg", 32)


def cutout(path: Path, hidden: tuple[int, int, int]) -> None:
    """A picture that is visible in its middle alone, over a color that nobody sees."""
    rgb = np.asarray(photo(5, (60, 60))).copy()
    alpha = np.zeros((60, 60), np.uint8)
    alpha[15:45, 15:45] = 255
    rgb[alpha == 0] = hidden
    Image.fromarray(np.dstack([rgb, alpha])).save(path)


def test_photo_and_style_hidden_colors_are_white(tmp_path: Path) -> None:
    for name, hidden in (("black", (0, 0, 0)), ("magenta", (255, 0, 255))):
        cutout(tmp_path / f"{name}.png", hidden)
    photos = PhotoSet(tmp_path, "data.root")
    black, magenta = (photos.read(name, 60) for name in photos.names)
    np.testing.assert_array_equal(black, magenta)
    assert (black[0] == 255).all() and black[30].min() < 250
    settings = app.compose("train", ["data.root=.", f"style={tmp_path / 'black.png'}"]).style
    styles = [style_image.load(replace(settings, image=str(tmp_path / f"{name}.png"))) for name in ("black", "magenta")]
    assert (styles[0].pixels == styles[1].pixels).all() and styles[0].pixels.max() == 255


def test_split_more_validation_photos_than_there_are_is_a_warning(
    photo_tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "impasto"):
        for settings in (config(photo_tree, val_photos=5), config(photo_tree, val_photos=100)):
            assert not caplog.messages
            dataset.warn_of_few_val_photos(settings, *dataset.split(settings))
        other = config(photo_tree, val_photos=6, val_root=str(photo_tree))
        dataset.warn_of_few_val_photos(other, *dataset.split(other))
    assert caplog.messages == [
        f"data.val_photos=100 is more than the photos of data.root={photo_tree}, 5",
        f"data.val_photos=6 is more than the photos of data.val_root={photo_tree}, 5",
    ]


@pytest.mark.parametrize("zipped", [False, True])
def test_photo_set_names_what_it_does_not_read(
    photo_tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, zipped: bool
) -> None:
    for name in ("raw.DNG", "clip.mov"):
        (photo_tree / name).touch()
    root = pack(photo_tree, tmp_path / "photos.zip") if zipped else photo_tree
    with caplog.at_level(logging.WARNING, "impasto"):
        assert len(PhotoSet(root, "data.root").names) == 5
    [message] = caplog.messages
    assert (
        message.startswith(f"data.root={root}: 2 files are not read, the first: ") and "clip.mov is a video" in message
    )
