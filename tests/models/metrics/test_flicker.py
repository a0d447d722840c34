"""The flicker score, on networks whose temporal stability is known."""

import pytest
import torch
from torch import Tensor

from impasto.models.losses.temporal import NOISE
from impasto.models.metrics.flicker import FRAMES, flicker
from tests.helpers.frames import blurred, grainy_photo, identity, quantized


@pytest.fixture
def photo() -> Tensor:
    return grainy_photo()


def test_flicker_of_identity_is_the_noise(photo: Tensor) -> None:
    scores = flicker(identity, photo.clamp(40, 215))
    assert scores["pan"] == 0
    assert scores["noise"] == pytest.approx(NOISE * 2**0.5, rel=0.05)
    assert scores["both"] == pytest.approx((scores["noise"] ** 2 / 2) ** 0.5)


def test_flicker_of_grid_shows_in_pan_and_of_blur_is_low(photo: Tensor) -> None:
    plain = flicker(identity, photo)
    assert flicker(quantized, photo)["pan"] > 1
    assert flicker(blurred, photo)["pan"] < 0.01
    assert flicker(blurred, photo)["noise"] < plain["noise"] / 3


def test_flicker_frames_are_integer_levels_of_valid_sizes(photo: Tensor) -> None:
    frames: list[Tensor] = []

    def record(pixels: Tensor) -> Tensor:
        frames.append(pixels)
        return pixels

    first = flicker(record, photo)
    assert len(frames) == 2 * FRAMES
    assert all(torch.equal(frame, frame.round()) and frame.min() >= 0 and frame.max() <= 255 for frame in frames)
    assert all(side % 4 == 0 for frame in frames for side in frame.shape[2:])
    assert flicker(identity, photo) == first
    assert flicker(identity, photo, seed=1)["noise"] != first["noise"]
