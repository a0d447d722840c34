import numpy as np
import pytest
import torch
import torch.nn.functional as F

from impasto.models.losses.drawing import DrawingLoss


def smooth(seed: int, side: int = 96) -> torch.Tensor:
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    blurred = F.avg_pool2d(F.pad(noise, (8, 8, 8, 8), mode="reflect"), 17, 1)
    return 127 + 800 * blurred


def test_drawing_loss_equals_the_formula() -> None:
    picture, photo = smooth(0, 160), smooth(1, 160)
    expected = []
    for scale in (1, 2, 4, 8, 16, 32, 64):
        gradients = []
        for image in (picture, photo):
            luma = np.tensordot([0.299, 0.587, 0.114], image[0].double().numpy(), 1)
            side = 160 // scale
            luma = luma[: side * scale, : side * scale]
            small = luma.reshape(side, scale, side, scale).mean((1, 3))
            gradients.append(np.concatenate([np.diff(small, axis=0).ravel(), np.diff(small, axis=1).ravel()]))
        first, second = gradients
        expected.append(1 - first @ second / np.sqrt((first @ first) * (second @ second)))
    assert DrawingLoss()(picture, photo).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_drawing_loss_ignores_contrast_brightness_and_color() -> None:
    photo = smooth(2)
    assert DrawingLoss()(photo, photo).item() == pytest.approx(0, abs=1e-5)
    assert DrawingLoss()(0.3 * photo + 60, photo).item() == pytest.approx(0, abs=1e-5)
    luma = (photo * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert DrawingLoss()(luma.expand_as(photo), photo).item() == pytest.approx(0, abs=1e-5)
    assert DrawingLoss()(255 - photo, photo).item() == pytest.approx(2, abs=1e-4)


def test_drawing_loss_of_a_flat_picture_is_one_with_a_finite_gradient() -> None:
    flat = torch.full((1, 3, 64, 64), 99.0, requires_grad=True)
    loss = DrawingLoss()(flat, smooth(3, 64))
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert flat.grad is not None and flat.grad.isfinite().all()


def test_drawing_loss_leaves_out_scales_at_which_pictures_have_one_cell() -> None:
    photo = smooth(4, 64)
    assert DrawingLoss()(photo, photo).item() == pytest.approx(0, abs=1e-5)
