"""The stability loss and the flicker score, on networks whose steadiness is known."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.models import stability
from impasto.models.stability import FRAMES, NOISE, StabilityLoss, flicker


def copies(pixels: Tensor) -> Tensor:
    return pixels


def quantised(pixels: Tensor) -> Tensor:
    """A network that sees no pixel in itself, but squares of a fixed grid."""
    return F.interpolate(F.avg_pool2d(pixels, 4), scale_factor=4.0)


def blurred(pixels: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(pixels, (3, 3, 3, 3), mode="reflect"), 7, 1)


@pytest.fixture
def photo() -> Tensor:
    """Smooth colours with some grain: whole levels, [1, 3, 96, 96]."""
    random = torch.Generator().manual_seed(0)
    coarse, grain = (torch.rand(1, 3, side, side, generator=random) for side in (7, 96))
    smooth = F.interpolate(coarse, size=(96, 96), mode="bicubic")
    return (230 * smooth + 20 * grain).clamp(0, 255).round()


def test_a_copy_flickers_by_its_photos_noise_alone(photo: Tensor) -> None:
    found = flicker(copies, photo.clamp(40, 215))
    assert found["pan"] == 0
    assert found["noise"] == pytest.approx(NOISE * 2**0.5, rel=0.05)
    assert found["both"] == pytest.approx((found["noise"] ** 2 / 2) ** 0.5)


def test_a_grid_flickers_in_a_pan_and_a_blur_in_noise_less(photo: Tensor) -> None:
    plain = flicker(copies, photo)
    assert flicker(quantised, photo)["pan"] > 1
    assert flicker(blurred, photo)["pan"] < 0.01
    assert flicker(blurred, photo)["noise"] < plain["noise"] / 3


def test_frames_are_whole_levels_of_a_size_that_networks_take(photo: Tensor) -> None:
    frames: list[Tensor] = []

    def look(pixels: Tensor) -> Tensor:
        frames.append(pixels)
        return pixels

    first = flicker(look, photo)
    assert len(frames) == 2 * FRAMES
    assert all(torch.equal(frame, frame.round()) and frame.min() >= 0 and frame.max() <= 255 for frame in frames)
    assert all(side % 4 == 0 for frame in frames for side in frame.shape[2:])
    assert flicker(copies, photo) == first
    assert flicker(copies, photo, seed=1)["noise"] != first["noise"]


def test_the_loss_is_what_a_shift_and_noise_change(photo: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, random = StabilityLoss(), torch.Generator().manual_seed(1)
    assert loss(copies, photo, photo, random).item() == pytest.approx(NOISE**2, rel=0.1)
    monkeypatch.setattr(stability, "NOISE", 0.0)
    assert loss(copies, photo, photo, random).item() == 0
    still, moving = loss(blurred, photo, blurred(photo), random), loss(quantised, photo, quantised(photo), random)
    assert still.item() < 1e-3
    assert moving.item() > 1


def test_each_step_draws_another_shift_and_noise_and_draws_it_again() -> None:
    drawn = {
        (seed, step): torch.randn(3, generator=stability.draw(seed, step)).tolist()
        for seed in (0, 1, 2**32 - 1)
        for step in (0, 1, 2, 2**33)
    }
    assert len({tuple(values) for values in drawn.values()}) == len(drawn)
    again = torch.randn(3, generator=stability.draw(1, 2)).tolist()
    assert again == drawn[1, 2]


def test_the_loss_is_drawn_from_its_generator_and_teaches_both_passes(photo: Tensor) -> None:
    loss = StabilityLoss()
    gain = torch.tensor(1.0, requires_grad=True)

    def network(pixels: Tensor) -> Tensor:
        return gain * quantised(pixels)

    values = [loss(network, photo, network(photo), torch.Generator().manual_seed(seed)).item() for seed in (3, 3, 4)]
    assert values[0] == values[1] != values[2]
    whole = loss(network, photo, network(photo), torch.Generator().manual_seed(3))
    (slope,) = torch.autograd.grad(whole, gain)
    assert slope.item() == pytest.approx(2 * whole.item(), rel=1e-4)  # quadratic in a gain of both


def test_shift_and_noise_are_the_next_numbers_of_the_generator(photo: Tensor) -> None:
    shown: list[Tensor] = []

    def look(pixels: Tensor) -> Tensor:
        shown.append(pixels)
        return pixels

    StabilityLoss()(look, photo, photo, stability.draw(5, 7))
    random = stability.draw(5, 7)
    down, right = torch.randint(0, StabilityLoss().reach + 1, (2,), generator=random).tolist()
    moved = F.pad(photo[..., down:, right:], (0, right, 0, down), mode="replicate")
    assert torch.equal(shown[0], moved + NOISE * torch.randn(photo.shape, generator=random))


def test_nothing_is_read_from_the_device(photo: Tensor) -> None:
    far = photo.to("meta")  # whose values nobody can read
    assert StabilityLoss()(copies, far, far, stability.draw(0, 1)).device == far.device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_nobody_waits_for_a_gpu(photo: Tensor) -> None:
    on_gpu = photo.to("cuda")
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = [StabilityLoss()(blurred, on_gpu, on_gpu, stability.draw(0, step)) for step in (1, 1, 2)]
    finally:
        torch.cuda.set_sync_debug_mode(before)
    assert losses[0].item() == losses[1].item() != losses[2].item()
