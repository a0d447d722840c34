from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.models.image.decode import read
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import UnreadablePicture
from tests.helpers.pictures import corners


def test_read_heic_is_upright(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    for orientation, turns in ((1, 0), (6, -1)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.heic"
        Image.fromarray(corners(60, 80)).save(path, quality=95, exif=exif.tobytes())
        picture = read(path)
        difference = np.abs(picture.rgb.astype(int) - np.rot90(corners(60, 80), turns))
        assert difference.mean() < 6
        assert find_pictures(tmp_path)[-1] == path


def test_read_content_decides_over_the_suffix(tmp_path: Path) -> None:
    Image.fromarray(corners(20, 30)).save(tmp_path / "a.HEIC", "JPEG")
    assert read(tmp_path / "a.HEIC").rgb.shape == (20, 30, 3)


def test_read_damaged_heic_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(3000))
    with pytest.raises(UnreadablePicture, match=r"a\.jpg is a damaged HEIC picture"):
        read(tmp_path / "a.jpg")
