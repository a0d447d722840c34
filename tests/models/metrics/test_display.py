import numpy as np
import pytest

from impasto.models.metrics import display
from impasto.models.metrics.display import OCTAVES, PaintingDistance, Pixels
from impasto.models.vgg import weights


def blocks(seed: int, height: int = 128, width: int = 160) -> Pixels:
    """Colored squares of 16 px."""
    cells = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    return cells.repeat(16, 0).repeat(16, 1)


@pytest.fixture(scope="module")
def distance() -> PaintingDistance:
    return PaintingDistance(weights.load("random"), blocks(0))


def test_painting_distance_of_the_painting_is_zero_and_of_black_one_or_less(distance: PaintingDistance) -> None:
    assert distance(blocks(0)) == pytest.approx([0] * len(OCTAVES), abs=1e-6)
    assert all(value > 0 for value in distance(np.zeros_like(blocks(0))))


def test_painting_distance_grows_with_the_difference(distance: PaintingDistance) -> None:
    painting, other = blocks(0).astype(float), blocks(1).astype(float)
    near, far = (distance((painting + share * (other - painting)).astype(np.uint8)) for share in (0.2, 0.8))
    assert all(first < second for first, second in zip(near, far, strict=True))


def test_painting_distance_octaves_see_different_sizes(distance: PaintingDistance) -> None:
    fine = blocks(0).astype(int)
    parity = np.indices(fine.shape[:2]).sum(0)[..., None] % 2
    woven = (fine + 40 * (2 * parity - 1)).clip(0, 255).astype(np.uint8)
    first, *_, last = distance(woven)
    assert first > 10 * last  # a weave of 2 px is gone at an eighth


def test_edges_ignore_contrast_and_see_displacement() -> None:
    photo = blocks(3)
    assert display.edges(photo, photo) == pytest.approx(1)
    assert display.edges((photo // 2 + 50).astype(np.uint8), photo) == pytest.approx(1, abs=0.01)
    assert display.edges(255 - photo, photo) == pytest.approx(-1)
    assert abs(display.edges(np.roll(photo, 40, 1), photo)) < 0.4
    assert display.edges(np.full_like(photo, 9), photo) == 0


def test_edges_of_a_box_ignore_the_rest() -> None:
    photo = blocks(4)
    changed = photo.copy()
    changed[:, 80:] = 0
    assert display.edges(changed, photo, (slice(0, 128), slice(0, 64))) == pytest.approx(1)
    assert display.edges(changed, photo) < 0.95


def test_faces_of_a_portrait_are_found_and_of_blocks_not() -> None:
    data = pytest.importorskip("skimage.data")
    portrait = data.astronaut()
    (rows, columns), *_ = display.faces(portrait)
    assert rows.start < 130 < rows.stop and columns.start < 225 < columns.stop  # her nose
    assert display.faces(blocks(5)) == []
