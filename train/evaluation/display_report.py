"""The evaluation at display size of a set of photos: its figures and its contact sheet."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from impasto.configs.schema.evaluate import EvaluateConfig
from impasto.models.image.picture import UnreadablePicture
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.losses.tiled import TiledLoss
from impasto.models.metrics.display import PaintingDistance
from impasto.models.vgg.constants import Weights
from impasto.train.data.dataset import PhotoSet, picture_to_pixels
from impasto.train.evaluation.display_evaluation import DisplayEvaluation, DisplayEvaluator, DisplayMedians, medians
from impasto.train.evaluation.loaded_model import StyleModel
from impasto.train.evaluation.optimizer_baseline import BASELINE
from impasto.train.image_optimization.optimizer import optimize
from impasto.train.runtime.contact_sheet import to_bytes, write_sheet
from impasto.train.runtime.progress import Display

Pixels = NDArray[np.uint8]

SHEET_PHOTOS = 4
DETAIL = 480  # px; side of the details that the sheet shows one to one
TILE = 512  # px; side of the tiles in which VGG sees a picture that is optimized

logger = logging.getLogger(__name__)


class DisplayReport:
    """Evaluates a network at display size, and writes what a person looks at.

    Args:
        config: The settings of impasto-evaluate.
        model: The network.
        weights: The convolutions of the loss network.
    """

    def __init__(self, config: EvaluateConfig, model: StyleModel, weights: Weights) -> None:
        assert config.evaluate.display is not None
        self.config = config
        self.model = model
        self.weights = weights
        self.short_side = config.evaluate.display
        self.painting = to_bytes(model.style_image(config.style, self.short_side).pixels)[0]
        self.evaluations: list[DisplayEvaluation] = []

    def evaluate(self, photos: PhotoSet, title: str) -> None:
        """Evaluate the network on the first photos of a set, with a progress bar."""
        size = self.short_side
        distance = PaintingDistance(self.weights, self.painting, self.model.loss.network)
        style = self.model.style
        sides = size, style.card_stroke_resolution() or size
        evaluator = DisplayEvaluator(self.model.run, distance, self.painting, *sides, style.grain)
        names = photos.names[: self.config.evaluate.display_count]
        with Display(title) as progress:
            for number, name in enumerate(names):
                progress.note(number / len(names), f"{name} at {size} px")
                try:
                    self.evaluations.append(evaluator.evaluate(photos.decode(name, size), name))
                except UnreadablePicture as error:
                    logger.warning("skipped a photo: %s", error)

    def to_json(self) -> dict[str, Any]:
        """Return the medians and the figures of each photo."""
        photos = [evaluation.to_json() for evaluation in self.evaluations]
        settings = {"size": self.short_side, "grain": self.model.style.grain}
        return settings | {"medians": asdict(self.medians), "photos": photos}

    @property
    def medians(self) -> DisplayMedians:
        """The medians over the photos."""
        return medians(self.evaluations)

    def write_sheet(self, path: Path) -> None:
        """Write painting, photo, network and optimizer: whole, and a detail of each one to one."""
        shown = self.evaluations[:SHEET_PHOTOS]
        rows, captions = [], ["painting", "photo", "network"]
        for evaluation in shown:
            pictures = [self.painting, evaluation.pixels, evaluation.stylized]
            if self.config.evaluate.display_iterations:
                pictures.append(self._optimized(evaluation))
            rows += [pictures, [_detail(picture) for picture in pictures]]
        if self.config.evaluate.display_iterations:
            captions.append(f"optimizer, {self.config.evaluate.display_iterations} iterations")
        write_sheet(path, rows, captions)

    def _optimized(self, evaluation: DisplayEvaluation) -> Pixels:
        """The picture that the optimizer finds from the photo, by the loss of the network, at display size."""
        painting, pixels = (picture_to_pixels(rgb) for rgb in (self.painting, evaluation.pixels))
        loss = PerceptualLoss(self.model.loss_config(self.config.weights), self.weights, painting)
        tiled = TiledLoss(loss.to(memory_format=torch.channels_last), TILE)
        iterations = self.config.evaluate.display_iterations
        trajectory = optimize(tiled, tiled.content_target(pixels), pixels, BASELINE, iterations, lambda _: False)
        return to_bytes(trajectory.pixels)[0]


def _detail(picture: Pixels) -> Pixels:
    """The middle of a picture."""
    top, left = (max(0, (side - DETAIL) // 2) for side in picture.shape[:2])
    return picture[top : top + DETAIL, left : left + DETAIL]
