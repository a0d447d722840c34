import pytest
import torch

from impasto.models.losses.checkerboard import CheckerboardLoss


def checkerboard_of(pixels: torch.Tensor) -> float:
    return CheckerboardLoss(4)(pixels).item()


def test_checkerboard_loss_measures_the_power_of_its_period() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = 30 * torch.randn(1, 3, 128, 128, generator=generator)
    cell = torch.randn(1, 1, 4, 4, generator=generator)
    checkerboard = 10 * (cell - cell.mean()).tile(1, 3, 32, 32)
    levels = checkerboard.square().mean().item()
    assert 0.5 * levels < checkerboard_of(checkerboard) < 2 * levels  # the high pass attenuates some frequencies
    # Noise is averaged over the 256 periods of a window.
    assert checkerboard_of(noise) < 1.1 * 900 / 256
    assert checkerboard_of(noise + checkerboard) == pytest.approx(
        checkerboard_of(noise) + checkerboard_of(checkerboard), rel=0.2
    )
    assert checkerboard_of(checkerboard.roll((1, 3), (2, 3))) == pytest.approx(checkerboard_of(checkerboard), rel=0.05)


@pytest.mark.parametrize("period", [3, 5, 7])
def test_checkerboard_loss_ignores_other_periods(period: int) -> None:
    columns = 20.0 * (torch.arange(64) % period == 0).float()
    assert checkerboard_of(columns.expand(1, 3, 64, 64)) < 0.1 * checkerboard_of(
        20.0 * (torch.arange(64) % 4 == 0).float().expand(1, 3, 64, 64)
    )


@pytest.mark.parametrize(("height", "width"), [(32, 32), (36, 200), (100, 64)])
def test_checkerboard_loss_of_flat_picture_and_gradient_is_zero(height: int, width: int) -> None:
    assert checkerboard_of(torch.full((2, 3, height, width), 255.0)) == 0
    slope = torch.arange(width).expand(1, 3, height, width).float()
    assert checkerboard_of(slope) < 0.1  # from the reflected border
