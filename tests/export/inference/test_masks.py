"""keep_colors and mask of impasto-stylize, on a file that inverts colors."""

import struct
from pathlib import Path

import numpy as np
import pytest

from impasto.configs.errors import UsageError
from impasto.export.inference.masks import resize_mask
from impasto.models.image import color
from impasto.models.image.decode import read
from tests.helpers.pictures import linear_gray_profile, png
from tests.helpers.stylize import noise, run_stylize, save

PHOTO = noise(20, 30)
INVERSE = 255 - PHOTO
LEFT = np.zeros((20, 30), np.uint8)
LEFT[:, :15] = 255


def test_keep_colors_preserves_the_photos_colors(inverter: Path, tmp_path: Path) -> None:
    run_stylize(inverter, save(tmp_path / "a.png", PHOTO), tmp_path / "b.png", "keep_colors=true")
    np.testing.assert_array_equal(read(tmp_path / "b.png").rgb, color.keep_colors(INVERSE, PHOTO))


def test_mask_and_inverted_mask_select_complementary_regions(inverter: Path, tmp_path: Path) -> None:
    photo, mask = save(tmp_path / "a.png", PHOTO), f"mask={save(tmp_path / 'mask.png', LEFT)}"
    run_stylize(inverter, photo, tmp_path / "subject.png", mask)
    run_stylize(inverter, photo, tmp_path / "background.png", mask, "invert_mask=true")
    subject, background = read(tmp_path / "subject.png").rgb, read(tmp_path / "background.png").rgb
    np.testing.assert_array_equal(subject, np.hstack([INVERSE[:, :15], PHOTO[:, 15:]]))
    np.testing.assert_array_equal(background, np.hstack([PHOTO[:, :15], INVERSE[:, 15:]]))


def test_mask_of_another_size_is_resized_bilinearly(inverter: Path, tmp_path: Path) -> None:
    photo, small = save(tmp_path / "a.png", PHOTO), LEFT[::2, ::2]
    run_stylize(inverter, photo, tmp_path / "b.png", f"mask={save(tmp_path / 'mask.png', small)}")
    stylized = read(tmp_path / "b.png").rgb
    np.testing.assert_array_equal(stylized[:, :14], INVERSE[:, :14])
    np.testing.assert_array_equal(stylized[:, 18:], PHOTO[:, 18:])
    ramp = np.linspace(0, 255, 40).astype(np.uint8)[None].repeat(7, 0)
    for shape in ((7, 400), (3, 171), (7, 13), (1, 1)):
        x = (np.arange(shape[1]) + 0.5) * 40 / shape[1] - 0.5
        expected = np.interp(x, np.arange(40), ramp[0])[None].repeat(shape[0], 0)
        assert np.abs(resize_mask(ramp, shape) - expected).max() < 0.55
        turned = resize_mask(np.ascontiguousarray(ramp.T), shape[::-1])
        np.testing.assert_array_equal(turned, resize_mask(ramp, shape).T)


def test_mask_alpha_limits_the_region_and_photo_alpha_is_preserved(inverter: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.png", noise(20, 30, 4))
    cut_out = np.dstack([np.full((20, 30, 3), 255, np.uint8), LEFT])
    run_stylize(inverter, photo, tmp_path / "b.png", f"mask={save(tmp_path / 'cut.png', cut_out)}")
    before, after = read(photo), read(tmp_path / "b.png")
    np.testing.assert_array_equal(after.alpha, before.alpha)
    np.testing.assert_array_equal(after.rgb, np.hstack([255 - before.rgb[:, :15], before.rgb[:, 15:]]))


def test_mask_with_gamma_or_profile_keeps_its_values(inverter: Path, tmp_path: Path) -> None:
    photo, gray = save(tmp_path / "a.png", PHOTO), np.full((20, 30), 128, np.uint8)
    expected = color.blend(INVERSE, PHOTO, gray)
    linear = png(30, 20, 8, 0, (b"\0" + bytes([128] * 30)) * 20, gAMA=struct.pack(">I", 100_000)).read()
    (tmp_path / "gamma.png").write_bytes(linear)
    save(tmp_path / "profile.png", gray, icc_profile=linear_gray_profile())
    for name in ("gamma", "profile"):
        run_stylize(inverter, photo, tmp_path / f"{name}-out.png", f"mask={tmp_path / name}.png")
        np.testing.assert_array_equal(read(tmp_path / f"{name}-out.png").rgb, expected)


def test_mask_folder_is_matched_by_name_and_failures_are_listed(
    inverter: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos, masks, output = tmp_path / "in", tmp_path / "in" / "masks", tmp_path / "out"
    for name in ("a.png", "deep/b.png", "lonely.png", "small.png", "two.png", "exact.png"):
        save(photos / name, PHOTO)
    for name in ("a.png", "deep/b.bmp", "two.bmp", "two.gif", "exact.png", "exact.bmp"):
        save(masks / name, LEFT)
    save(masks / "small.png", LEFT[:9])
    run_stylize(inverter, photos, output, f"mask={masks}")
    assert sorted(path.name for path in output.rglob("*.*")) == ["a.png", "b.png", "exact.png"]
    for name in ("a.png", "deep/b.png", "exact.png"):
        np.testing.assert_array_equal(read(output / name).rgb[:, :15], INVERSE[:, :15])
        np.testing.assert_array_equal(read(output / name).rgb[:, 15:], PHOTO[:, 15:])
    lines = [line for message in caplog.messages for line in message.splitlines()]
    assert lines[0] == "3 photos of 6 skipped:"
    assert "contains no mask for lonely.png; add one, such as lonely.png" in lines[1]
    assert "small.png is 30x9, but small.png is 30x20; use equal aspect ratios" in lines[2]
    assert "contains 2 masks for two.png" in lines[3]


@pytest.mark.slow
def test_wrong_mask_raises_one_sentence_and_writes_nothing(inverter: Path, tmp_path: Path) -> None:
    photo, masks = save(tmp_path / "a.png", PHOTO), tmp_path / "masks"
    small = save(masks / "a.png", LEFT[:9])
    (tmp_path / "text.png").write_text("not a picture")
    for settings, fault in (
        ([f"mask={small}"], r"mask .*a\.png is 30x9, but a\.png is 30x20; use equal aspect ratios"),
        ([f"mask={tmp_path / 'gone.png'}"], r"mask=.*gone\.png does not exist"),
        ([f"mask={tmp_path / 'text.png'}"], r"text\.png is not a picture"),
        (["invert_mask=true"], "invert_mask=true has no mask"),
    ):
        with pytest.raises(UsageError, match=fault) as caught:
            run_stylize(inverter, photo, tmp_path / "b.png", *settings)
        assert "\n" not in str(caught.value) and not (tmp_path / "b.png").exists()
    for output in (masks, small):
        with pytest.raises(UsageError, match="would overwrite the mask"):
            run_stylize(inverter, photo, output, f"mask={masks}", "overwrite=true")
