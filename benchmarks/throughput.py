"""Training throughput and peak memory: impasto against the plain loop that most examples have, interleaved in one run.

The plain loop: float32, NCHW, the whole of VGG-16 (13 convolutions, torchvision's module) on both pictures, autograd's
own instance norm, Adam. Both train the same network from the same weights on the same random pixels, each in a process
of its own; the two take turns, and medians of the turns are compared.

Run: .venv/bin/python benchmarks/throughput.py [--models johnson mobile] [--size 256] [--batch 4] [--turns 5]
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

from impasto.configs import app
from impasto.configs.schema import TrainConfig
from impasto.models import networks, vgg_weights
from impasto.models.losses import PerceptualLoss, gram_matrix
from impasto.models.vgg import MEAN_RGB
from impasto.train import hardware

STEPS = 3  # of a turn


@dataclass(frozen=True)
class Job:
    """What a process is to train."""

    loop: str
    model: str
    size: int
    batch: int


def impasto_step(config: TrainConfig, pixels: Tensor, style: Tensor) -> Callable[[], None]:
    """One training step as train/trainer.py takes it."""
    hardware.keep_memory()
    place = hardware.choose("cpu", "auto")
    network = networks.build(config.model).train().to(memory_format=torch.channels_last)
    loss = PerceptualLoss(config.loss, vgg_weights.load("auto"), style).to(memory_format=torch.channels_last)
    loss.to_precision(place.dtype)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    photos = pixels.to(memory_format=torch.channels_last)

    def step() -> None:
        with place.autocast():
            stylized = network(photos)
        optimizer.zero_grad()
        loss(stylized, loss.content_target(photos)).total.backward()
        optimizer.step()

    return step


def plain_step(config: TrainConfig, pixels: Tensor, style: Tensor) -> Callable[[], None]:
    """One training step of the plain loop."""
    from torchvision.models import vgg16

    network = networks.build(config.model).train()
    for module in network.modules():
        if isinstance(module, networks.InstanceNorm):
            module.eval()  # torch's instance_norm; it has no running statistics
    vgg = vgg16().features.requires_grad_(False)
    layers = [i for i, layer in enumerate(vgg) if isinstance(layer, torch.nn.Conv2d)]
    weights = vgg_weights.load("auto")
    for i, conv in zip(layers, vgg_weights.CONVS, strict=True):
        vgg[i].load_state_dict({part: weights[f"{conv}.{part}"] for part in ("weight", "bias")})
    mean = torch.tensor(MEAN_RGB).view(1, 3, 1, 1)

    def features(x: Tensor) -> list[Tensor]:
        x, kept = x - mean, []
        for i, layer in enumerate(vgg):
            x = layer(x)
            if i in (3, 8, 15, 22):  # relu1_2, relu2_2, relu3_3, relu4_3
                kept.append(x)
        return kept

    with torch.no_grad():
        grams = [gram_matrix(x) for x in features(style)]
    optimizer = torch.optim.Adam(network.parameters(), fused=False)

    def step() -> None:
        optimizer.zero_grad()
        stylized = features(network(pixels))
        content = F.mse_loss(stylized[1], features(pixels)[1])
        styles = [
            F.mse_loss(gram_matrix(x), gram.expand(len(x), -1, -1)) for x, gram in zip(stylized, grams, strict=True)
        ]
        (config.loss.content_weight * content + config.loss.style_weight * sum(styles)).backward()
        optimizer.step()

    return step


def work(job: Job, pipe: Connection) -> None:
    """Answer each request with the seconds of a turn, and the peak memory in MiB."""
    config = app.compose("train", [f"model={job.model}", "data.root=."])
    torch.manual_seed(0)
    style, pixels = (torch.rand(n, 3, job.size, job.size) * 255 for n in (1, job.batch))
    step = {"impasto": impasto_step, "plain": plain_step}[job.loop](config, pixels, style)
    step()
    while pipe.recv():
        started = time.perf_counter()
        for _ in range(STEPS):
            step()
        pipe.send((time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


@contextmanager
def process(job: Job) -> Iterator[Connection]:
    """A process that works on a job, and the pipe to it."""
    ours, theirs = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(job, theirs))
    worker.start()
    try:
        yield ours
        ours.send(False)
    finally:
        worker.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["johnson", "mobile"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    place = hardware.choose("cpu", "auto")
    title = f"{options.size} px, batch {options.batch}, {torch.get_num_threads()} threads, {str(place.dtype)[6:]}"
    table = Table(
        "network", "loop", "images/s", "lowest-highest", "ratio to plain (median of turns)", "peak memory", title=title
    )
    for model in options.models:
        seconds: dict[str, list[float]] = {"plain": [], "impasto": []}
        memory = {}
        with (
            process(Job("plain", model, options.size, options.batch)) as plain,
            process(Job("impasto", model, options.size, options.batch)) as ours,
        ):
            for _ in range(options.turns + 1):
                for loop, pipe in (("plain", plain), ("impasto", ours)):
                    pipe.send(True)
                    turn, memory[loop] = pipe.recv()
                    seconds[loop].append(turn)
        images = {loop: [STEPS * options.batch / turn for turn in turns[1:]] for loop, turns in seconds.items()}
        for loop, speeds in images.items():
            ratios = [speed / plain for speed, plain in zip(speeds, images["plain"], strict=True)]
            table.add_row(
                *(model, loop, f"{statistics.median(speeds):.2f}", f"{min(speeds):.2f}-{max(speeds):.2f}"),
                *(f"{statistics.median(ratios):.2f}", f"{memory[loop]:,.0f} MiB"),
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
