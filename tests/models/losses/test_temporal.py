"""The temporal loss, on networks whose temporal stability is known."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.models.losses import temporal
from impasto.models.losses.temporal import NOISE, TemporalLoss
from tests.helpers.frames import blurred, grainy_photo, identity, quantized


@pytest.fixture
def photo() -> Tensor:
    return grainy_photo()


def test_temporal_loss_measures_the_change_by_shift_and_noise(photo: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, random = TemporalLoss(), torch.Generator().manual_seed(1)
    assert loss(identity, photo, photo, random).item() == pytest.approx(NOISE**2, rel=0.1)
    monkeypatch.setattr(temporal, "NOISE", 0.0)
    assert loss(identity, photo, photo, random).item() == 0
    still, moving = loss(blurred, photo, blurred(photo), random), loss(quantized, photo, quantized(photo), random)
    assert still.item() < 1e-3
    assert moving.item() > 1


def test_draw_is_distinct_per_step_and_reproducible() -> None:
    drawn = {
        (seed, step): torch.randn(3, generator=temporal.draw(seed, step)).tolist()
        for seed in (0, 1, 2**32 - 1)
        for step in (0, 1, 2, 2**33)
    }
    assert len({tuple(values) for values in drawn.values()}) == len(drawn)
    again = torch.randn(3, generator=temporal.draw(1, 2)).tolist()
    assert again == drawn[1, 2]


def test_temporal_loss_is_reproducible_and_differentiates_both_passes(photo: Tensor) -> None:
    loss = TemporalLoss()
    gain = torch.tensor(1.0, requires_grad=True)

    def network(pixels: Tensor) -> Tensor:
        return gain * quantized(pixels)

    values = [loss(network, photo, network(photo), torch.Generator().manual_seed(seed)).item() for seed in (3, 3, 4)]
    assert values[0] == values[1] != values[2]
    whole = loss(network, photo, network(photo), torch.Generator().manual_seed(3))
    (slope,) = torch.autograd.grad(whole, gain)
    assert slope.item() == pytest.approx(2 * whole.item(), rel=1e-4)  # quadratic in a gain of both


def test_temporal_loss_draws_shift_then_noise_from_the_generator(photo: Tensor) -> None:
    inputs: list[Tensor] = []

    def record(pixels: Tensor) -> Tensor:
        inputs.append(pixels)
        return pixels

    TemporalLoss()(record, photo, photo, temporal.draw(5, 7))
    random = temporal.draw(5, 7)
    down, right = torch.randint(0, TemporalLoss().max_shift + 1, (2,), generator=random).tolist()
    moved = F.pad(photo[..., down:, right:], (0, right, 0, down), mode="replicate")
    assert torch.equal(inputs[0], moved + NOISE * torch.randn(photo.shape, generator=random))


def test_temporal_loss_reads_nothing_from_the_device(photo: Tensor) -> None:
    far = photo.to("meta")  # whose values nobody can read
    assert TemporalLoss()(identity, far, far, temporal.draw(0, 1)).device == far.device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_temporal_loss_never_synchronizes_the_gpu(photo: Tensor) -> None:
    on_gpu = photo.to("cuda")
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = [TemporalLoss()(blurred, on_gpu, on_gpu, temporal.draw(0, step)) for step in (1, 1, 2)]
    finally:
        torch.cuda.set_sync_debug_mode(before)
    assert losses[0].item() == losses[1].item() != losses[2].item()
