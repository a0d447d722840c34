import pytest
import torch

from impasto.models.losses.frame import FrameLoss


def noise(*shape: int) -> torch.Tensor:
    return 127 + 30 * torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_frame_loss_of_an_even_picture_is_small_and_of_a_frame_large() -> None:
    even = noise(1, 3, 128, 160)
    assert FrameLoss()(even).item() < 0.05
    for side in range(4):
        framed = even.rot90(side, (2, 3)).clone()
        framed[..., :16, :] += 15  # half of the standard deviation, on one of four sides
        assert FrameLoss()(framed).item() == pytest.approx(
            16 * 0.25 / 4 / 2, rel=0.2
        )  # half of the channels are high-passed


def test_frame_loss_counts_a_border_with_less_variation() -> None:
    framed = noise(1, 3, 128, 128)
    framed[..., :16, :] = 127
    assert FrameLoss()(framed).item() > 0.2


def test_frame_loss_equals_the_formula_for_each_picture_of_a_batch() -> None:
    batch = noise(2, 3, 96, 112)
    values = []
    for picture in batch.double():
        fine = picture - torch.nn.functional.avg_pool2d(
            torch.nn.functional.pad(picture[None], (2, 2, 2, 2), mode="reflect"), 5, 1
        )
        for turns in range(4):
            turned = torch.cat([picture, fine[0]]).rot90(turns, (1, 2))
            for channel in turned:
                inner = channel[16:48]
                for strip in (channel[:4], channel[4:16]):
                    means, spreads = (strip.mean() - inner.mean()) ** 2, (strip.std() - inner.std()) ** 2
                    values.append((16 * means + spreads) / (inner.std() ** 2 + 1))
    assert FrameLoss()(batch).item() == pytest.approx(torch.stack(values).mean().item(), rel=1e-4)
