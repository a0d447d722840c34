"""The blotch loss: its formula, and that it sees patches of any color and rims, but neither edges nor fine texture."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impasto.models.losses.blotch import FLOOR, SCALES, UNIT, BlotchLoss
from impasto.models.losses.opponent import OPPONENT


def smooth(seed: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 3, height, width, generator=generator)
    return 127 + 1500 * F.avg_pool2d(F.pad(noise, (12, 12, 12, 12), mode="reflect"), 25, 1)


def steps(picture: np.ndarray, scale: int, axis: int) -> np.ndarray:
    """The lengths of the differences of neighbors of a picture [3, H, W] in opponent colors."""
    height, width = (side // scale for side in picture.shape[1:])
    blocks = picture[:, : height * scale, : width * scale].reshape(3, height, scale, width, scale).mean((2, 4))
    opponent = np.tensordot(np.array(OPPONENT), blocks, 1)
    return np.asarray(np.sqrt(np.square(np.diff(opponent, axis=axis + 1)).sum(0) + 0.01))


def test_blotch_loss_equals_the_formula() -> None:
    picture, photo = smooth(0, 100, 131), 127 + 0.1 * (smooth(1, 100, 131) - 127)
    expected = []
    for scale in SCALES:
        for axis in (0, 1):
            found, known = (steps(image[0].double().numpy(), scale, axis) for image in (picture, photo))
            padded = np.pad(known, 1)
            shifted = [padded[y : y + known.shape[0], x : x + known.shape[1]] for y in range(3) for x in range(3)]
            expected.append(np.maximum(found - np.max(shifted, 0) - FLOOR, 0).mean() / UNIT)
    assert np.mean(expected) > 0.1
    assert BlotchLoss()(picture, photo).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_blotch_loss_of_a_photo_is_zero_and_of_a_stronger_one_is_not() -> None:
    photo = smooth(2, 128, 128)
    assert BlotchLoss()(photo, photo).item() == 0
    assert BlotchLoss()(127 + 2 * (photo - 127), photo).item() > 0.1


@pytest.mark.parametrize("channel", range(3))
def test_blotch_loss_sees_a_patch_of_any_color_on_a_plain_photo(channel: int) -> None:
    plain = torch.full((1, 3, 128, 128), 127.0)
    patch = plain.clone()
    patch[:, :, 40:90, 30:100] += 20 * torch.tensor(OPPONENT[channel]).view(1, 3, 1, 1)
    assert BlotchLoss()(patch, plain).item() > 0.05
    photo = plain.clone()
    photo[:, :, 44:86, 34:96] -= 40  # an object: its colors may be any, and its outline may move a little
    assert BlotchLoss()(patch, photo).item() < 0.01


@pytest.mark.parametrize(("period", "low", "high"), [(2.7, 0, 0.01), (4, 0, 0.001), (12, 0.3, 1), (16, 0.8, 2)])
def test_blotch_loss_sees_wide_strokes_but_no_fine_texture(period: float, low: float, high: float) -> None:
    plain = torch.full((1, 3, 128, 128), 127.0)
    strokes = 20 * torch.sin(2 * torch.pi * torch.arange(128) / period)
    assert low <= BlotchLoss()(plain + strokes, plain).item() <= high


def test_blotch_loss_of_a_rim_around_an_object() -> None:
    photo = torch.full((1, 3, 128, 128), 200.0)
    photo[..., :64] = 20
    rim = photo.clone()
    rim[..., 64:96] += 40 * torch.linspace(1, 0, 32)
    assert BlotchLoss()(rim, photo).item() > 0.02


@pytest.mark.parametrize("side", [16, 31])
def test_blotch_loss_of_a_small_picture_is_finite_with_its_gradient(side: int) -> None:
    picture = smooth(3, side, side).requires_grad_()
    loss = BlotchLoss()(picture, torch.full((1, 3, side, side), 99.0))
    loss.backward()
    assert loss.isfinite()
    assert picture.grad is not None and picture.grad.isfinite().all()
