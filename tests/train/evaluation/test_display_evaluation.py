import numpy as np
import pytest
import torch

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
