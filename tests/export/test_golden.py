from pathlib import Path

import numpy as np

from impasto.export import golden


def invert(rgb: golden.Pixels) -> golden.Pixels:
    return 255 - rgb


def test_files_give_the_pictures_back(tmp_path: Path) -> None:
    made = [golden.make(invert, *size) for size in golden.SIZES]
    golden.write(tmp_path / "golden", made)
    again = {picture.name: picture for picture in golden.read(tmp_path / "golden")}
    assert {*again} == {f"{width}x{height}" for height, width in golden.SIZES}
    for picture in made:
        np.testing.assert_array_equal(again[picture.name].photo, picture.photo)
        np.testing.assert_array_equal(again[picture.name].stylized, picture.stylized)
        np.testing.assert_array_equal(picture.stylized[..., :3], 255 - picture.photo[..., :3])


def test_one_has_every_alpha_and_the_others_none() -> None:
    made = {picture.name: picture for picture in (golden.make(invert, *size) for size in golden.SIZES)}
    alphas = {name: {*np.unique(picture.photo[..., 3])} for name, picture in made.items()}
    assert alphas.pop("96x64") >= {0, 255}
    assert all(alpha == {255} for alpha in alphas.values())
    assert all((picture.photo[..., 3] == picture.stylized[..., 3]).all() for picture in made.values())


def test_a_picture_has_what_photos_have() -> None:
    rgb = golden.picture(256, 256)
    np.testing.assert_array_equal(rgb, golden.picture(256, 256))
    assert {0, 255} < {*np.unique(rgb)}
    assert (rgb[200:, :80] == 255).all() and (rgb[200:, 180:] == 0).all()
    assert rgb[80:120, 60:90].std(axis=(0, 1)).max() == 0  # flat
    assert rgb[80:120, 200:240].std() > 10
