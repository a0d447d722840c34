import numpy as np
import pytest

from impasto.configs.errors import CheckFailed
from impasto.export import test_images
from impasto.export.contract import Tolerance
from impasto.export.validation import parity
from impasto.export.validation.parity import ParityResult, assert_within_tolerance, compare

GOLDEN = test_images.golden_image(lambda rgb: rgb, 64, 96)


def changed(by: int, count: int) -> test_images.Pixels:
    """The stylized image with the first `count` values changed."""
    pixels = GOLDEN.stylized.copy().astype(np.int16)
    values = pixels[..., :3].reshape(-1)
    pixels[..., :3] = np.where(
        np.arange(values.size) < count, values + np.where(values > 127, -by, by), values
    ).reshape(pixels[..., :3].shape)
    return pixels.astype(np.uint8)


def test_compare_computes_the_figures() -> None:
    same = compare(GOLDEN, GOLDEN.stylized, "f", "r", Tolerance(max_difference=0))
    figures = same.max_difference, same.mean_difference, same.differing, same.psnr, same.failure()
    assert [*figures] == [0, 0, 0, None, None]
    row = compare(GOLDEN, changed(3, 64)[..., :3], "f", "r", Tolerance(max_difference=3))
    values = 64 * 96 * 3
    assert (row.max_difference, row.picture) == (3, "96x64")
    assert row.mean_difference == pytest.approx(3 * 64 / values, abs=1e-6)
    assert row.differing == pytest.approx(64 / values, abs=1e-6)
    assert row.psnr == pytest.approx(10 * np.log10(255**2 * values / (9 * 64)), abs=0.01)


@pytest.mark.parametrize(
    ("tolerance", "by", "count", "sentence"),
    [
        (Tolerance(max_difference=1), 1, 9000, None),
        (Tolerance(max_difference=1), 2, 1, "f in r differs from PyTorch at 96x64 by up to 2 of 255, more than 1"),
        (Tolerance(min_psnr=40), 2, 18432, None),
        (Tolerance(min_psnr=40), 3, 18432, "f in r differs from PyTorch at 96x64 by a PSNR of 38.6 dB, less than 40"),
    ],
)
def test_failure_beyond_the_tolerance_is_a_sentence(
    tolerance: Tolerance, by: int, count: int, sentence: str | None
) -> None:
    row = compare(GOLDEN, changed(by, count)[..., :3], "f", "r", tolerance)
    if sentence is None:
        assert row.failure() is None
        assert_within_tolerance([row])
    else:
        assert str(row.failure()).startswith(sentence)
        with pytest.raises(CheckFailed, match=sentence):
            assert_within_tolerance([row])


def test_compare_with_another_alpha_or_size_raises() -> None:
    other = GOLDEN.stylized.copy()
    other[3, 4, 3] ^= 1
    with pytest.raises(CheckFailed, match="changes the alpha of the image of 96x64"):
        compare(GOLDEN, other, "f", "r", Tolerance(max_difference=255))
    with pytest.raises(CheckFailed, match="turns an image of 96x64 into one of 96x60"):
        compare(GOLDEN, GOLDEN.stylized[:60], "f", "r", Tolerance(max_difference=255))


def test_worst_selects_one_result_per_file_and_runtime() -> None:
    def row(file: str, runtime: str, max_difference: int, psnr: float | None, tolerance: Tolerance) -> ParityResult:
        return ParityResult(file, runtime, "1x1", "PyTorch", max_difference, 0, 0, psnr, tolerance)

    one, db = Tolerance(max_difference=1), Tolerance(min_psnr=40)
    rows = [row("a", "x", 0, None, one), row("a", "x", 1, 60, one), row("a", "y", 0, None, one)]
    rows += [row("b", "x", 9, 45, db), row("b", "x", 5, 44, db), row("b", "x", 0, None, db)]
    assert parity.worst(rows) == [rows[1], rows[2], rows[4]]


def test_parity_result_survives_json() -> None:
    for psnr, tolerance in ((41.5, Tolerance(min_psnr=40)), (None, Tolerance(max_difference=2))):
        row = ParityResult("f", "r", "1x1", "PyTorch", 1, 0.5, 0.25, psnr, tolerance)
        assert ParityResult.from_json(row.to_json()) == row
        assert {*row.to_json()} == {*ParityResult.schema()["properties"]}
