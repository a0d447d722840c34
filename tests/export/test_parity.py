import numpy as np
import pytest

from impasto.configs.errors import CheckError
from impasto.export import golden, parity, proof
from impasto.export.parity import Bound, Row, compare

PICTURE = golden.make(lambda rgb: rgb, 64, 96)


def changed(by: int, count: int) -> golden.Pixels:
    pixels = PICTURE.stylized.copy().astype(np.int16)
    values = pixels[..., :3].reshape(-1)
    pixels[..., :3] = np.where(
        np.arange(values.size) < count, values + np.where(values > 127, -by, by), values
    ).reshape(pixels[..., :3].shape)
    return pixels.astype(np.uint8)


def test_figures() -> None:
    same = compare(PICTURE, PICTURE.stylized, "f", "r", Bound(largest=0))
    assert (same.largest, same.mean, same.share, same.psnr, same.failure()) == (0, 0, 0, None, None)
    row = compare(PICTURE, changed(3, 64)[..., :3], "f", "r", Bound(largest=3))
    values = 64 * 96 * 3
    assert (row.largest, row.picture) == (3, "96x64")
    assert row.mean == pytest.approx(3 * 64 / values, abs=1e-6)
    assert row.share == pytest.approx(64 / values, abs=1e-6)
    assert row.psnr == pytest.approx(10 * np.log10(255**2 * values / (9 * 64)), abs=0.01)


@pytest.mark.parametrize(
    ("bound", "by", "count", "sentence"),
    [
        (Bound(largest=1), 1, 9000, None),
        (Bound(largest=1), 2, 1, "f in r differs from PyTorch at 96x64 by up to 2 of 255, more than 1"),
        (Bound(psnr=40), 2, 18432, None),
        (Bound(psnr=40), 3, 18432, "f in r differs from PyTorch at 96x64 by a PSNR of 38.6 dB, less than 40 dB"),
    ],
)
def test_bounds(bound: Bound, by: int, count: int, sentence: str | None) -> None:
    row = compare(PICTURE, changed(by, count)[..., :3], "f", "r", bound)
    assert row.failure() == sentence
    if sentence is None:
        proof.hold([row])
    else:
        with pytest.raises(CheckError, match=sentence):
            proof.hold([row])


def test_another_alpha_or_size_fails_whatever_the_bound() -> None:
    other = PICTURE.stylized.copy()
    other[3, 4, 3] ^= 1
    with pytest.raises(CheckError, match="changes the alpha of the picture of 96x64"):
        compare(PICTURE, other, "f", "r", Bound(largest=255))
    with pytest.raises(CheckError, match="turns a picture of 96x64 into one of 96x60"):
        compare(PICTURE, PICTURE.stylized[:60], "f", "r", Bound(largest=255))


def test_worst_of_each_file_and_runtime() -> None:
    def row(file: str, runtime: str, largest: int, psnr: float | None, bound: Bound) -> Row:
        return Row(file, runtime, "1x1", "PyTorch", largest, 0, 0, psnr, bound)

    one, db = Bound(largest=1), Bound(psnr=40)
    rows = [row("a", "x", 0, None, one), row("a", "x", 1, 60, one), row("a", "y", 0, None, one)]
    rows += [row("b", "x", 9, 45, db), row("b", "x", 5, 44, db), row("b", "x", 0, None, db)]
    assert parity.worst(rows) == [rows[1], rows[2], rows[4]]
