"""A training step of impasto, and one of the plain loop of most examples, for the same network."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import chip
from impasto.configs.schema.train import TrainConfig
from impasto.models import network_blocks, transform_net
from impasto.models.card import CropStage
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.losses.terms import gram_matrix
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import MEAN_RGB
from impasto.train.data.dataset import PhotoSet, to_pixels
from impasto.train.data.random_crops import Crops, batches
from impasto.train.engine import divergence
from impasto.train.engine.ema import ModelEma
from impasto.train.engine.optimizer import build_optimizer
from impasto.train.engine.training_loss import TrainingLoss
from impasto.train.runtime import device as devices
from impasto.train.runtime.distributed import Group

STEPS = 3  # timed together


class Ours:
    """impasto's training step, as in train/engine/trainer.py."""

    def __init__(self, config: TrainConfig, pixels: Tensor, style: Tensor) -> None:
        devices.keep_memory()
        self.config = config
        self.hardware = devices.choose(config.device, "auto")
        device = self.hardware.device
        self.network = transform_net.build(config.model).train().to(device).to(memory_format=torch.channels_last)
        self.loss = PerceptualLoss(config.loss, vgg_weights.load("auto"), style)
        self.loss = self.loss.to(device).to(memory_format=torch.channels_last).to_precision(self.hardware.dtype)
        self.training_loss = TrainingLoss(config, self.hardware, self.network, self.loss, style, Group())
        self.average = ModelEma(self.network, config.trainer.ema_decay)
        self.optimizer = build_optimizer(config, self.network.parameters())
        self.batch = pixels.permute(0, 2, 3, 1).contiguous().byte()

    def step(self) -> None:
        loss, _ = self.training_loss(to_pixels(self.batch, self.hardware.device), 0)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update(self.network, first=False)

    def parts(self) -> dict[str, float]:
        """Seconds of each part of STEPS steps, with a synchronization after each part."""
        spent: dict[str, float] = {}

        @contextmanager
        def part(name: str) -> Iterator[None]:
            started = time.perf_counter()
            yield
            chip.wait(self.hardware.device)
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - started

        with ExitStack() as stack:
            stream: Iterator[Any] | None = None
            if self.config.data.root != ".":
                stage = CropStage(self.batch.shape[1], [1.0, 1.5])
                crops = Crops(PhotoSet(Path(self.config.data.root), "--photos"), self.config.data, 0, [stage])
                pinned = self.hardware.device.type == "cuda"
                stream = stack.enter_context(batches(crops, len(self.batch), 0, pinned, 0, 1))
                next(stream)
            for _ in range(STEPS):
                with part("waiting for the loader"):
                    batch = self.batch if stream is None else next(stream)[0]
                with part("photos to the device"):
                    photos = to_pixels(batch, self.hardware.device)
                with part("network, forward"), self.hardware.autocast():
                    stylized = self.network(photos)
                with part("VGG of the photos"):
                    target = self.loss.content_target(photos)
                with part("VGG and losses of the pictures"):
                    total = self.loss(stylized, target).total
                with part("checkerboard and divergence statistics"):
                    total = total + self.config.loss.checkerboard_weight * self.training_loss.checkerboard(stylized)
                    divergence.statistics(stylized.detach())
                with part("backward"):
                    self.optimizer.zero_grad()
                    total.backward()
                with part("Adam and average"):
                    self.optimizer.step()
                    self.average.update(self.network, first=False)
        return spent


class Plain:
    """One training step of the plain loop."""

    def __init__(self, config: TrainConfig, pixels: Tensor, style: Tensor) -> None:
        from torchvision.models import vgg16

        device = devices.choose(config.device, "fp32").device
        network = transform_net.build(config.model).train()
        for module in network.modules():
            if isinstance(module, network_blocks.InstanceNorm):
                module.eval()  # torch's instance_norm; it has no running statistics
        vgg = vgg16().features.requires_grad_(False)
        layers = [i for i, layer in enumerate(vgg) if isinstance(layer, torch.nn.Conv2d)]
        weights = vgg_weights.load("auto")
        for i, conv in zip(layers, vgg_weights.CONVS, strict=True):
            vgg[i].load_state_dict({part: weights[f"{conv}.{part}"] for part in ("weight", "bias")})
        self.config, self.pixels = config, pixels.to(device)
        self.network, self.vgg = network.to(device), vgg.to(device)
        self.mean = torch.tensor(MEAN_RGB, device=device).view(1, 3, 1, 1)
        with torch.no_grad():
            self.grams = [gram_matrix(x) for x in self.features(style.to(device))]
        self.optimizer = torch.optim.Adam(network.parameters(), fused=False)

    def features(self, x: Tensor) -> list[Tensor]:
        x, features = x - self.mean, []
        for i, layer in enumerate(self.vgg):
            x = layer(x)
            if i in (3, 8, 15, 22):  # relu1_2, relu2_2, relu3_3, relu4_3
                features.append(x)
        return features

    def step(self) -> None:
        self.optimizer.zero_grad()
        stylized = self.features(self.network(self.pixels))
        content = F.mse_loss(stylized[1], self.features(self.pixels)[1])
        pairs = zip(stylized, self.grams, strict=True)
        styles = sum(F.mse_loss(gram_matrix(x), gram.expand(len(x), -1, -1)) for x, gram in pairs)
        (self.config.loss.content_weight * content + self.config.loss.style_weight * styles).backward()
        self.optimizer.step()
