"""The two files for large photos against the file that takes photos whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from impasto.configs.errors import CheckFailed, UsageError
from impasto.export import test_images
from impasto.export.contract import ModelArtifact, Tolerance
from impasto.export.onnx_graph import tiled_pair, tiling
from impasto.export.test_images import Pixels, opaque, picture
from impasto.export.validation.checks import Checks
from impasto.export.validation.parity import ParityResult
from impasto.export.validation.suite import Reference, validate
from impasto.models import onnx_model
from tests.helpers.bundles import Written

Pair = tuple[Path, ModelArtifact]
SIDE, MARGIN, MULTIPLE = 96, 24, 4


@pytest.fixture(scope="module")
def pair(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A bundle's folder with the two files, and their description."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "android").mkdir()
    (folder / "android/model.onnx").write_bytes(written("mobile", "uint8_rgba").read_bytes())
    model = onnx.load(folder / "android/model.onnx")
    return folder, tiled_pair.write(model, folder, SIDE, Tolerance(max_difference=2))


def stylized(pair: Pair, photo: Pixels) -> tuple[Pixels, Pixels]:
    """The output of the two files, and that of the whole model."""
    folder, artifact = pair
    assert artifact.tiling is not None
    stats, tile, whole = (
        onnx_model.open_session(folder / f"android/{name}.onnx", 1) for name in ("stats", "tile", "model")
    )
    in_tiles = tiling.stylize(tile, photo, tiling.measure(stats, photo), artifact.tiling)
    return in_tiles, whole.run(None, {"image": photo[None]})[0][0]


@pytest.mark.parametrize("size", [(150, 250), (141, 97), (96, 96), (400, 99)])
def test_stylize_in_tiles_matches_the_whole_model(pair: Pair, size: tuple[int, int]) -> None:
    photo = opaque(picture(*size))
    photo[..., 3] = np.random.default_rng(0).integers(0, 256, size)
    in_tiles, whole = stylized(pair, photo)
    assert np.abs(in_tiles[..., :3].astype(int) - whole[..., :3]).max() <= 2  # weights are stored in 16 bits
    np.testing.assert_array_equal(in_tiles[..., 3], photo[..., 3])


def test_stylize_of_an_image_narrower_than_a_tile_mirrors_it(pair: Pair) -> None:
    in_tiles, whole = stylized(pair, opaque(picture(80, 170)))
    difference = np.abs(in_tiles[..., :3].astype(int) - whole[..., :3]).max((1, 2))
    assert difference[: 80 - MARGIN].max() <= 2  # below that, the mirrored part has an effect
    in_tiles, _ = stylized(pair, opaque(picture(16, 16)))
    assert in_tiles.shape == (16, 16, 4)


@pytest.mark.parametrize("length", [16, 90, 96, 97, 100, 144, 145, 1001])
def test_tiles_cover_a_side_with_margins(pair: Pair, length: int) -> None:
    assert pair[1].tiling is not None
    (row,) = tiling.tiles(16, length, pair[1].tiling)
    used = 0
    for start, first, end in ((tile.outer.left, tile.inner.left, tile.inner.right) for tile in row):
        end = min(end, length)  # the last tile also covers the padding to a multiple
        assert start % MULTIPLE == 0 and first == used < end
        assert start == 0 or first - start >= MARGIN
        assert end == length or start + SIDE - end >= MARGIN
        assert end <= start + SIDE
        used = end
    assert used == length


def test_write_records_the_tiling_in_artifact_and_metadata(pair: Pair) -> None:
    folder, artifact = pair
    assert artifact.tiling is not None
    assert (artifact.tiling.side, artifact.tiling.margin, artifact.tiling.multiple) == (SIDE, MARGIN, MULTIPLE)
    for name in (artifact.tiling.stats, artifact.file):
        metadata = onnx_model.open_session(folder / name).get_modelmeta().custom_metadata_map
        values = metadata["margin"], metadata["multiple"], metadata["variant"], metadata["style"]
        assert values == ("24", "4", "fp16", "swirls")


@pytest.mark.parametrize(("name", "side"), [("mobile", 512), pytest.param("studio", 1216, marks=pytest.mark.slow)])
def test_write_chooses_the_tile_by_the_receptive_field(written: Written, tmp_path: Path, name: str, side: int) -> None:
    (tmp_path / "android").mkdir()
    model = onnx.load(written(name, "uint8_rgba"))
    tiling = tiled_pair.write(model, tmp_path, "auto", Tolerance(max_difference=2)).tiling
    assert tiling is not None and tiling.side == side >= 3 * tiling.margin and side % tiling.multiple == 0


@pytest.mark.parametrize("side", [68, 98])
def test_write_with_a_tile_below_the_receptive_field_raises(written: Written, tmp_path: Path, side: int) -> None:
    sentence = (
        rf"onnx\.tile={side} is impossible: the receptive field of this network extends 24 px; "
        "use 72 px or more, divisible by 4"
    )
    with pytest.raises(UsageError, match=sentence):
        tiled_pair.write(onnx.load(written("mobile", "uint8_rgba")), tmp_path, side, Tolerance(max_difference=2))
    assert not [*tmp_path.iterdir()]


def test_validate_of_a_pair_detects_another_network_and_broken_tiling(pair: Pair) -> None:
    folder, artifact = pair
    whole = onnx_model.open_session(folder / "android/model.onnx", 1)

    def stylize(rgb: Pixels) -> Pixels:
        return np.asarray(whole.run(None, {"image": test_images.opaque(rgb)[None]})[0][0, ..., :3])

    def result(artifact: ModelArtifact, shift: int) -> ParityResult:
        reference = Reference("model", lambda rgb: np.roll(stylize(rgb), shift, 0))
        where, checks = (["onnxruntime"], Path(), lambda line: None), Checks()
        results = validate(folder, [artifact], [], reference, *where, checks).results
        if not results:
            raise CheckFailed(checks.failures[-1].message)
        (result,) = results
        return result

    row = result(artifact, shift=0)
    assert (row.file, row.picture, row.reference, row.failure()) == ("android/tile.onnx", "109x141", "model", None)
    assert "android/tile.onnx" in str(result(artifact, shift=1).failure())
    assert artifact.tiling is not None
    with pytest.raises(CheckFailed, match=r"android/tile\.onnx does not run in ONNX Runtime"):
        result(replace(artifact, tiling=replace(artifact.tiling, side=100)), shift=0)
