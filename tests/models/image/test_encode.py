"""Writing picture files: atomically, with alpha and profile."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from impasto.configs.errors import UsageError
from impasto.models.image import encode
from impasto.models.image.decode import read
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture
from tests.helpers.pictures import BLUE, RED, corners, one_sentence


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".tiff", ".PNG"])
def test_write_alpha_and_profile_round_trip(tmp_path: Path, suffix: str) -> None:
    alpha = np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))
    write(Picture(corners(), alpha, had_profile=True), tmp_path / f"p{suffix}", 100)
    picture = read(tmp_path / f"p{suffix}")
    assert picture.alpha is not None and picture.had_profile
    np.testing.assert_array_equal(picture.alpha, alpha)
    assert np.abs(picture.rgb.astype(int) - corners()).mean() < (4 if suffix == ".webp" else 1e-9)
    write(Picture(corners()), tmp_path / f"q{suffix}", 100)
    picture = read(tmp_path / f"q{suffix}")
    assert picture.alpha is None and not picture.had_profile


def test_write_jpeg_uses_full_chroma_resolution_over_white(tmp_path: Path) -> None:
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


def test_write_jpeg_composites_partial_alpha_over_white(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "STRIP_PIXELS", 5 * 32)  # five rows per strip, and a remainder
    alpha = np.tile(np.arange(32, dtype=np.uint8)[:, None] * 8, (1, 32))
    gray = np.full((32, 32, 3), 40, np.uint8)
    write(Picture(gray, alpha), tmp_path / "a.jpg", 100)
    expected = 40 * (alpha / 255) + 255 * (1 - alpha / 255)
    assert np.abs(read(tmp_path / "a.jpg").rgb - expected[..., None]).max() < 3
    assert (gray == 40).all()


def test_write_twice_gives_equal_bytes(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("a.png", "b.png")]
    for name in names:
        encode.srgb_profile.cache_clear()
        write(Picture(corners(), had_profile=True), name, 95)
    assert names[0].read_bytes() == names[1].read_bytes()
    with Image.open(names[0]) as image:
        date = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])).profile.creation_date
    assert date is not None and date.year == 2000  # not the date of the run


@pytest.mark.parametrize(
    ("fault", "raised"),
    [(OSError(28, "No space left on device"), UsageError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_write_on_error_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, raised: type[BaseException]
) -> None:
    path = tmp_path / "old.png"
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
def test_write_on_full_disk_raises_and_leaves_no_file(tmp_path: Path, suffix: str) -> None:
    # Like a full disk, the limit truncates what is written.
    program = (
        "import resource, sys; from pathlib import Path; import numpy as np\n"
        "from impasto.models.image.picture import Picture; from impasto.models.image.encode import UsageError, write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "noise = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)\n"
        "try: write(Picture(noise), Path(sys.argv[1]), 95)\n"
        "except UsageError as error: print(error)"
    )
    path = tmp_path / f"p{suffix}"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    assert done.stdout.startswith(f"{path} cannot be written as 150x150") and done.stdout.endswith("file too large\n")
    assert list(tmp_path.iterdir()) == []


def test_write_impossible_file_raises_one_sentence(tmp_path: Path) -> None:
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
        with pytest.raises(UsageError, match=fault) as caught:
            write(picture, tmp_path / name, 95)
        one_sentence(str(caught.value), name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]
