from pathlib import Path

import numpy as np
from torch import Tensor

from impasto.configs.cli import app
from impasto.configs.schema.evaluate import EvaluateConfig, EvaluationConfig
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.train.data.dataset import picture_to_pixels
from impasto.train.evaluation.photo_evaluation import evaluate_photo

PHOTO = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def test_evaluate_photo_scores_pixels_in_range(tmp_path: Path) -> None:
    """A network that leaves 0..255 is scored as its output is written, and so is the optimizer."""
    settings = app.compose("train", ["data.root=.", "loss=johnson", "loss.weights=random"]).loss
    painting = picture_to_pixels(np.where(PHOTO > 127, np.uint8(255), np.uint8(0)))
    loss = PerceptualLoss(settings, weights.load("random"), painting)
    options = EvaluationConfig(sizes=[32], starts=["photo"], iterations=12)
    config = EvaluateConfig(checkpoint="", photos="", cache=str(tmp_path), evaluate=options)

    def network(pixels: Tensor) -> Tensor:
        return 3 * pixels - 255

    evaluation = evaluate_photo(network, loss, "key", PHOTO, "photo", config, lambda start, iterate: None)
    pixels = picture_to_pixels(PHOTO)
    target = loss.content_target(pixels)
    written = loss(picture_to_pixels(evaluation.stylized), target).total.item()
    assert abs(evaluation.losses["total"] / written - 1) < 0.01
    assert loss(network(pixels), target).total.item() > 1.1 * written
    best = loss(picture_to_pixels(evaluation.trajectories["photo"].best_snapshot), target).total.item()
    assert abs(evaluation.best["photo"] / best - 1) < 0.01
