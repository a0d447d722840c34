import numpy as np
import pytest
import torch

from impasto.models.image.grain import add_grain
from impasto.models.losses.weave import WeaveLoss
from impasto.models.metrics import display
from impasto.models.metrics.display import PaintingDistance
from impasto.models.vgg import weights
from impasto.train.evaluation.display_evaluation import DisplayEvaluator


def test_display_evaluator_measures_the_weave_of_the_picture() -> None:
    rng = np.random.default_rng(0)
    photo, painting = (rng.integers(0, 256, (128, 160, 3), np.uint8) for _ in range(2))
    threads = 127 + 60 * torch.cos(torch.arange(160.0)) + 60 * torch.cos(torch.arange(128.0))[:, None]
    woven = threads.round().expand(1, 3, -1, -1)
    distance = PaintingDistance(weights.load("random"), painting)
    evaluator = DisplayEvaluator(lambda pixels: woven, distance, painting, 128, 128)
    evaluation = evaluator.evaluate(photo, "photo")
    assert torch.equal(display.to_pixels(evaluation.stylized), woven)
    assert evaluation.weave == pytest.approx(WeaveLoss()(woven).item(), abs=1e-4) and evaluation.weave > 1
    assert evaluation.to_json()["weave"] == evaluation.weave


def test_display_evaluator_adds_grain_to_what_the_network_sees() -> None:
    photo = np.full((128, 160, 3), 90, np.uint8)
    painting = np.random.default_rng(0).integers(0, 256, (128, 160, 3), np.uint8)
    distance = PaintingDistance(weights.load("random"), painting)
    evaluator = DisplayEvaluator(lambda pixels: 255 - pixels, distance, painting, 128, 128, grain=4)
    evaluation = evaluator.evaluate(photo, "photo")
    np.testing.assert_array_equal(evaluation.stylized, 255 - add_grain(photo, 4))
    np.testing.assert_array_equal(evaluation.pixels, photo)
