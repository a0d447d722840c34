"""Writing picture files: whole or not at all, alpha and meaning kept; resizing; finding pictures in folders."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from impasto.configs.errors import RequestError
from impasto.models import pictures
from impasto.models.pictures import Picture, find_pictures, read, resize, write
from tests.models.made_pictures import BLUE, RED, corners, one_sentence


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".tiff", ".PNG"])
def test_alpha_and_profile_round_trip(tmp_path: Path, suffix: str) -> None:
    alpha = np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))
    write(Picture(corners(), alpha, had_profile=True), tmp_path / f"p{suffix}", 100)
    picture = read(tmp_path / f"p{suffix}")
    assert picture.alpha is not None and picture.had_profile
    np.testing.assert_array_equal(picture.alpha, alpha)
    assert np.abs(picture.rgb.astype(int) - corners()).mean() < (4 if suffix == ".webp" else 1e-9)
    write(Picture(corners()), tmp_path / f"q{suffix}", 100)
    picture = read(tmp_path / f"q{suffix}")
    assert picture.alpha is None and not picture.had_profile


def test_jpeg_is_laid_over_white_in_full_colour_resolution(tmp_path: Path) -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = RED, BLUE
    path = tmp_path / "new" / "stripes.jpg"
    write(Picture(stripes, had_profile=True), path, 100)
    assert np.abs(read(path).rgb.astype(int) - stripes).max() < 12  # 4:2:0 would mix the stripes to purple
    with Image.open(path) as image:
        assert image.info["icc_profile"] and not image.getexif()
    write(Picture(stripes), tmp_path / "coarse.jpg", 20)
    assert (tmp_path / "coarse.jpg").stat().st_size < path.stat().st_size / 2
    write(Picture(stripes, np.zeros((32, 32), np.uint8)), path, 95)
    assert (read(path).rgb > 250).all()


def test_what_is_half_clear_is_half_white(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_STRIP", 5 * 32)  # five rows, and a rest
    alpha = np.tile(np.arange(32, dtype=np.uint8)[:, None] * 8, (1, 32))
    grey = np.full((32, 32, 3), 40, np.uint8)
    write(Picture(grey, alpha), tmp_path / "a.jpg", 100)
    expected = 40 * (alpha / 255) + 255 * (1 - alpha / 255)
    assert np.abs(read(tmp_path / "a.jpg").rgb - expected[..., None]).max() < 3
    assert (grey == 40).all()


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("a.png", "b.png")]
    for name in names:
        pictures._srgb_profile.cache_clear()
        write(Picture(corners(), had_profile=True), name, 95)
    assert names[0].read_bytes() == names[1].read_bytes()
    with Image.open(names[0]) as image:
        made = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])).profile.creation_date
    assert made is not None and made.year == 2000  # not the date of the run


@pytest.mark.parametrize(
    ("fault", "raised"),
    [(OSError(28, "No space left on device"), RequestError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, raised: type[BaseException]
) -> None:
    path = tmp_path / "kept.png"
    write(Picture(corners()), path, 95)
    before = path.read_bytes()

    def fail(target: Path, data: bytes) -> None:
        with target.open("wb") as file:
            file.write(data[:10])
        raise fault

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(raised):
        write(Picture(corners()), path, 95)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_a_file_that_cannot_grow_is_not_taken_for_whole(tmp_path: Path, suffix: str) -> None:
    # As on a disk that is nearly full, the system takes the first part of what is written, and no more.
    program = (
        "import resource, sys; from pathlib import Path; import numpy as np\n"
        "from impasto.models.pictures import Picture, RequestError, write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)\n"
        "try: write(Picture(noise), Path(sys.argv[1]), 95)\n"
        "except RequestError as error: print(error)"
    )
    path = tmp_path / f"p{suffix}"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    assert done.stdout.startswith(f"{path} cannot be written as 150x150") and done.stdout.endswith("file too large\n")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    wide = Picture(np.zeros((1, 70_000, 3), np.uint8))
    for picture, name, fault in (
        (Picture(corners()), "p.docx", r"choose one of \.jpg, .*\.png"),
        (Picture(corners()), "none", "choose one of"),
        (Picture(corners()), "file/p.png", "cannot be written"),
        (Picture(corners()), "folder.png", "cannot be written"),
        (wide, "wide.jpg", "70000x1 JPEG"),
        (wide, "wide.webp", "70000x1 WEBP"),
    ):
        with pytest.raises(RequestError, match=fault) as caught:
            write(picture, tmp_path / name, 95)
        one_sentence(str(caught.value), name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_resize() -> None:
    rgb = corners(100, 150)
    assert resize(rgb, 50).shape == (50, 75, 3)
    assert resize(rgb[:, :, 0], (30, 20)).shape == (30, 20)
    assert resize(rgb, 100) is rgb
    assert resize(np.zeros((1000, 1, 3), np.uint8), (10, 1)).shape == (10, 1, 3)
    fine = np.tile(
        np.array([[0], [255]], np.uint8), (64, 128)
    )  # stripes of one pixel: without antialiasing black or white
    assert np.abs(resize(fine, 16).astype(int) - 127).max() < 12


def test_find_pictures(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "deep/er/c.webp", "notes.txt", ".hidden.png", ".cache/d.png", "deep/.part.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "deep")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.JPG")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)]
    assert found == ["a.png", "b.JPG", "deep/er/c.webp", "link.jpg"]
    assert find_pictures(tmp_path / "folder.png") == []
    for path in (tmp_path / "no", tmp_path / "a.png"):
        with pytest.raises(RequestError, match="is no folder"):
            find_pictures(path)


def test_linked_folder_elsewhere_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.png").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "disk")
    assert find_pictures(tmp_path / "photos") == [tmp_path / "photos" / "link" / "a.png"]
