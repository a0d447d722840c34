"""Two ways to train the same network, each as a step to call: impasto's own, and the plain one of most examples."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import chip
from impasto.configs.schema import TrainConfig
from impasto.models import networks, vgg_weights
from impasto.models.losses import PerceptualLoss, gram_matrix
from impasto.models.vgg import MEAN_RGB
from impasto.train import guards, hardware
from impasto.train.average import Average
from impasto.train.crops import Crops, batches
from impasto.train.objective import Objective
from impasto.train.photos import PhotoSet, to_pixels

STEPS = 3  # that are timed at a time


class Ours:
    """impasto's training step, as train/trainer.py takes it."""

    def __init__(self, config: TrainConfig, pixels: Tensor, style: Tensor) -> None:
        hardware.keep_memory()
        self.config = config
        self.place = hardware.choose(config.device, "auto")
        device = self.place.device
        self.network = networks.build(config.model).train().to(device).to(memory_format=torch.channels_last)
        self.loss = PerceptualLoss(config.loss, vgg_weights.load("auto"), style)
        self.loss = self.loss.to(device).to(memory_format=torch.channels_last).to_precision(self.place.dtype)
        self.objective = Objective(config, self.place, self.network, self.loss)
        self.average = Average(self.network, config.trainer.average)
        self.optimizer = torch.optim.Adam(self.network.parameters(), fused=True)
        self.batch = pixels.permute(0, 2, 3, 1).contiguous().byte()

    def step(self) -> None:
        loss, _ = self.objective(to_pixels(self.batch, self.place.device), 0)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.follow(self.network, first=False)

    def parts(self) -> dict[str, float]:
        """Seconds of each part of some steps, the device waited for after each."""
        spent: dict[str, float] = {}

        @contextmanager
        def part(name: str) -> Iterator[None]:
            started = time.perf_counter()
            yield
            chip.wait(self.place.device)
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - started

        with ExitStack() as stack:
            following: Iterator[Any] | None = None
            if self.config.data.root != ".":
                crops = Crops(PhotoSet(Path(self.config.data.root), "--photos"), self.config.data, 0)
                pinned = self.place.device.type == "cuda"
                following = stack.enter_context(batches(crops, len(self.batch), 0, pinned, 0, 1))
                next(following)
            for _ in range(STEPS):
                with part("waiting for the loader"):
                    batch = self.batch if following is None else next(following)[0]
                with part("photos to the device"):
                    photos = to_pixels(batch, self.place.device)
                with part("network, forward"), self.place.autocast():
                    stylized = self.network(photos)
                with part("VGG of the photos"):
                    target = self.loss.content_target(photos)
                with part("VGG and losses of the pictures"):
                    total = self.loss(stylized, target).total
                with part("lattice and guards"):
                    total = total + self.config.trainer.lattice_weight * self.objective.lattice(stylized)
                    guards.figures(stylized.detach())
                with part("backward"):
                    self.optimizer.zero_grad()
                    total.backward()
                with part("Adam and average"):
                    self.optimizer.step()
                    self.average.follow(self.network, first=False)
        return spent


class Plain:
    """One training step of the plain loop."""

    def __init__(self, config: TrainConfig, pixels: Tensor, style: Tensor) -> None:
        from torchvision.models import vgg16

        device = hardware.choose(config.device, "fp32").device
        network = networks.build(config.model).train()
        for module in network.modules():
            if isinstance(module, networks.InstanceNorm):
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
        x, kept = x - self.mean, []
        for i, layer in enumerate(self.vgg):
            x = layer(x)
            if i in (3, 8, 15, 22):  # relu1_2, relu2_2, relu3_3, relu4_3
                kept.append(x)
        return kept

    def step(self) -> None:
        self.optimizer.zero_grad()
        stylized = self.features(self.network(self.pixels))
        content = F.mse_loss(stylized[1], self.features(self.pixels)[1])
        pairs = zip(stylized, self.grams, strict=True)
        styles = sum(F.mse_loss(gram_matrix(x), gram.expand(len(x), -1, -1)) for x, gram in pairs)
        (self.config.loss.content_weight * content + self.config.loss.style_weight * styles).backward()
        self.optimizer.step()
