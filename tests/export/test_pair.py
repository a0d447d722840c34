"""The pair for large pictures against the file that takes them whole."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from impasto.configs.errors import CheckError, RequestError
from impasto.export import golden, pair, proof
from impasto.export.golden import Pixels, opaque, picture
from impasto.export.manifest import Manifest
from impasto.models import exported
from tests.export.conftest import Written

CUT = pair.Cut(96, 24, 4)


@pytest.fixture(scope="module")
def made(written: Written, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A bundle's folder with the pair, and what the manifest says of it."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "android").mkdir()
    (folder / "android/model.onnx").write_bytes(written("mobile", "pixels").read_bytes())
    return folder, pair.write(onnx.load(folder / "android/model.onnx"), folder, CUT.side) | {"bound": {"largest": 2}}


def painted(folder: Path, photo: Pixels) -> tuple[Pixels, Pixels]:
    """By the pair, and as a whole."""
    stats, tile, whole = (
        exported.open_session(folder / f"android/{name}.onnx", 1) for name in ("stats", "tile", "model")
    )
    found = pair.stylize(tile, photo, pair.measure(stats, photo), CUT)
    return found, whole.run(None, {"image": photo[None]})[0][0]


@pytest.mark.parametrize("size", [(150, 250), (141, 97), (96, 96), (400, 99)])
def test_a_picture_in_tiles_is_the_picture_as_a_whole(made: tuple[Path, Manifest], size: tuple[int, int]) -> None:
    photo = opaque(picture(*size))
    photo[..., 3] = np.random.default_rng(0).integers(0, 256, size)
    found, whole = painted(made[0], photo)
    assert np.abs(found[..., :3].astype(int) - whole[..., :3]).max() <= 2  # weights are kept in 16 bits
    np.testing.assert_array_equal(found[..., 3], photo[..., 3])


def test_a_picture_narrower_than_a_tile_is_continued_as_a_mirror(made: tuple[Path, Manifest]) -> None:
    found, whole = painted(made[0], opaque(picture(80, 170)))
    difference = np.abs(found[..., :3].astype(int) - whole[..., :3]).max((1, 2))
    assert difference[: 80 - CUT.margin].max() <= 2  # further down, what is mirrored shows
    found, _ = painted(made[0], opaque(picture(16, 16)))
    assert found.shape == (16, 16, 4)


@pytest.mark.parametrize("length", [16, 90, 96, 97, 100, 144, 145, 1001])
def test_tiles_along_a_side(length: int) -> None:
    found, used = [*pair.spans(length, CUT)], 0
    for start, (first, end) in found:
        assert start % CUT.multiple == 0 and first == used < end
        assert start == 0 or first - start >= CUT.margin
        assert end == length or start + CUT.side - end >= CUT.margin
        assert end <= start + CUT.side
        used = end
    assert used == length


def test_the_files_say_how_to_cut(made: tuple[Path, Manifest]) -> None:
    folder, facts = made
    assert pair.cut_of(facts) == CUT
    for name in (pair.STATS, pair.TILE):
        said = exported.open_session(folder / name).get_modelmeta().custom_metadata_map
        assert (said["margin"], said["multiple"], said["variant"], said["style"]) == ("24", "4", "fp16", "swirls")
    with pytest.raises(CheckError, match=r"does not say the 'margin' of android/tile\.onnx"):
        pair.cut_of({key: value for key, value in facts.items() if key != "margin"})


@pytest.mark.parametrize("side", [68, 98])
def test_a_tile_that_the_network_looks_beyond(written: Written, tmp_path: Path, side: int) -> None:
    sentence = rf"onnx\.tile={side} is impossible: this network looks 24 px far; give 72 px or more, divisible by 4"
    with pytest.raises(RequestError, match=sentence):
        pair.write(onnx.load(written("mobile", "pixels")), tmp_path, side)
    assert not [*tmp_path.iterdir()]


def test_another_network_fails_the_proof(made: tuple[Path, Manifest]) -> None:
    folder, facts = made
    whole = exported.open_session(folder / "android/model.onnx", 1)

    def stylize(rgb: Pixels) -> Pixels:
        return np.asarray(whole.run(None, {"image": golden.opaque(rgb)[None]})[0][0, ..., :3])

    (row,) = proof.pair(folder, facts, stylize, "model", lambda line: None)
    assert (row.file, row.picture, row.failure()) == ("android/tile.onnx", "109x141", None)
    (row,) = proof.pair(folder, facts, lambda rgb: np.roll(stylize(rgb), 1, 0), "model", lambda line: None)
    assert "android/tile.onnx" in str(row.failure())
    with pytest.raises(CheckError, match=r"android/tile\.onnx does not run in ONNX Runtime"):
        proof.pair(folder, facts | {"side": 100}, stylize, "model", lambda line: None)
