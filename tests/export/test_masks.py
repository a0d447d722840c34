"""keep_colors and mask of impasto-stylize, on a file that inverts colours."""

from pathlib import Path

import numpy as np
import pytest

from impasto.configs.errors import RequestError
from impasto.export.masks import stretched
from impasto.models import colors
from impasto.models.pictures import read
from tests.export.conftest import ask, noise, save

PHOTO = noise(20, 30)
INVERSE = 255 - PHOTO
LEFT = np.zeros((20, 30), np.uint8)
LEFT[:, :15] = 255


def test_colours_of_the_photo(inverter: Path, tmp_path: Path) -> None:
    ask(inverter, save(tmp_path / "a.png", PHOTO), tmp_path / "b.png", "keep_colors=true")
    np.testing.assert_array_equal(read(tmp_path / "b.png").rgb, colors.keep_colors(INVERSE, PHOTO))


def test_only_the_subject_or_only_the_background(inverter: Path, tmp_path: Path) -> None:
    photo, mask = save(tmp_path / "a.png", PHOTO), f"mask={save(tmp_path / 'mask.png', LEFT)}"
    ask(inverter, photo, tmp_path / "subject.png", mask)
    ask(inverter, photo, tmp_path / "background.png", mask, "invert_mask=true")
    subject, background = read(tmp_path / "subject.png").rgb, read(tmp_path / "background.png").rgb
    np.testing.assert_array_equal(subject, np.hstack([INVERSE[:, :15], PHOTO[:, 15:]]))
    np.testing.assert_array_equal(background, np.hstack([PHOTO[:, :15], INVERSE[:, 15:]]))


def test_a_mask_of_another_size_is_stretched(inverter: Path, tmp_path: Path) -> None:
    photo, small = save(tmp_path / "a.png", PHOTO), LEFT[::2, ::2]
    ask(inverter, photo, tmp_path / "b.png", f"mask={save(tmp_path / 'mask.png', small)}")
    found = read(tmp_path / "b.png").rgb
    np.testing.assert_array_equal(found[:, :14], INVERSE[:, :14])
    np.testing.assert_array_equal(found[:, 18:], PHOTO[:, 18:])
    ramp = np.linspace(0, 255, 40).astype(np.uint8)[None].repeat(7, 0)
    for shape in ((7, 400), (3, 171), (7, 13), (1, 1)):
        x = (np.arange(shape[1]) + 0.5) * 40 / shape[1] - 0.5
        expected = np.interp(x, np.arange(40), ramp[0])[None].repeat(shape[0], 0)
        assert np.abs(stretched(ramp, shape) - expected).max() < 0.55
        turned = stretched(np.ascontiguousarray(ramp.T), shape[::-1])
        np.testing.assert_array_equal(turned, stretched(ramp, shape).T)


def test_transparency_of_photo_and_mask(inverter: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.png", noise(20, 30, 4))
    cut_out = np.dstack([np.full((20, 30, 3), 255, np.uint8), LEFT])
    ask(inverter, photo, tmp_path / "b.png", f"mask={save(tmp_path / 'cut.png', cut_out)}")
    before, after = read(photo), read(tmp_path / "b.png")
    np.testing.assert_array_equal(after.alpha, before.alpha)
    np.testing.assert_array_equal(after.rgb, np.hstack([255 - before.rgb[:, :15], before.rgb[:, 15:]]))


def test_a_folder_of_masks(inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, masks, output = tmp_path / "in", tmp_path / "in" / "masks", tmp_path / "out"
    for name in ("a.png", "deep/b.png", "lonely.png", "small.png", "two.png", "exact.png"):
        save(photos / name, PHOTO)
    for name in ("a.png", "deep/b.bmp", "two.bmp", "two.gif", "exact.png", "exact.bmp"):
        save(masks / name, LEFT)
    save(masks / "small.png", LEFT[:9])
    ask(inverter, photos, output, f"mask={masks}")
    assert sorted(path.name for path in output.rglob("*.*")) == ["a.png", "b.png", "exact.png"]
    for name in ("a.png", "deep/b.png", "exact.png"):
        np.testing.assert_array_equal(read(output / name).rgb[:, :15], INVERSE[:, :15])
        np.testing.assert_array_equal(read(output / name).rgb[:, 15:], PHOTO[:, 15:])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "3 photos of 6 skipped:"
    assert "holds no mask for lonely.png; put one there, such as lonely.png" in lines[1]
    assert "small.png is 30x9, but small.png is 30x20; give one of the same shape" in lines[2]
    assert "holds 2 masks for two.png" in lines[3]


def test_wrong_masks_get_one_sentence(inverter: Path, tmp_path: Path) -> None:
    photo, masks = save(tmp_path / "a.png", PHOTO), tmp_path / "masks"
    small = save(masks / "a.png", LEFT[:9])
    (tmp_path / "text.png").write_text("no picture")
    for settings, fault in (
        ([f"mask={small}"], r"mask .*a\.png is 30x9, but a\.png is 30x20; give one of the same shape"),
        ([f"mask={tmp_path / 'gone.png'}"], r"mask=.*gone\.png does not exist"),
        ([f"mask={tmp_path / 'text.png'}"], r"text\.png is not a picture"),
        (["invert_mask=true"], "invert_mask=true has no mask"),
    ):
        with pytest.raises(RequestError, match=fault) as caught:
            ask(inverter, photo, tmp_path / "b.png", *settings)
        assert "\n" not in str(caught.value) and not (tmp_path / "b.png").exists()
    for output in (masks, small):
        with pytest.raises(RequestError, match="would overwrite the mask"):
            ask(inverter, photo, output, f"mask={masks}", "overwrite=true")
