"""The per-image optimizer and the plain loop of most examples: time, loss and memory on a CPU.

The plain loop uses float32, NCHW, all 13 convolutions of torchvision's VGG-16 at each evaluation, Gram matrices F F^T
by autograd, and torch.optim.LBFGS with impasto's lr, first step and history, so that the losses compare. It computes
the photo's features once. With `optimizer.first_step=null` all loops use torch's default first step. All loops start
from the same initial image, each in its own process. Their iterations are interleaved in rounds, and medians over the
rounds are compared. The losses are those of the results, computed again in float32: impasto's best iterate, and the
plain loop's last.

Memory is the peak of `impasto-optimize`, or of the plain loop, over a few iterations, plus the pairs of vectors that
L-BFGS would still add to its history. `--memory-iterations 60` fills the history instead. It needs Unix.

Run: python -m benchmarks.optimizer [--content PHOTO] [--style PAINTING] [--size 512] [--iterations 100]
     [--starts content noise] [--precisions auto fp32] [--memory 512 1024 2048] [key=value ...]
"""

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

from impasto.configs.cli import app
from impasto.configs.schema.optimize import OptimizeConfig
from impasto.models.losses.perceptual import Losses, PerceptualLoss
from impasto.models.losses.tiled import TiledLoss
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import MEAN_RGB
from impasto.train.image_optimization import optimizer
from impasto.train.image_optimization.inputs import OptimizationInputs
from impasto.train.runtime import device

ROUND = 5  # iterations
PLAIN = "plain"
RSS_UNITS = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss in a MiB
PLAIN_MEMORY = 1024  # px: the largest size at which the plain loop's memory is measured
OnIteration = Callable[[Tensor], None]
"""Called after each iteration with its pixels."""


@dataclass(frozen=True)
class Job:
    """The work of a process: PLAIN or impasto's precision, and the settings of impasto-optimize."""

    loop: str
    settings: tuple[str, ...]

    def config(self) -> OptimizeConfig:
        config = app.compose("optimize", list(self.settings))
        assert isinstance(config, OptimizeConfig)
        return config


def impasto_loop(job: Job, on_iteration: OnIteration) -> Tensor:
    """Optimize like impasto-optimize; return the best pixels."""
    config = job.config()
    device.keep_memory()
    hardware = device.choose("cpu", job.loop)
    inputs = OptimizationInputs(config)
    loss = PerceptualLoss(config.loss, vgg_weights.load(config.loss.weights), inputs.style_images(config.size))
    tiled = TiledLoss(loss.to(memory_format=torch.channels_last).to_precision(hardware.dtype), config.tile)
    target = tiled.content_target(inputs.content(config.size))

    def callback(iterate: optimizer.Iterate) -> bool:
        on_iteration(iterate.pixels)
        return False

    initial = inputs.initial(config.size)
    return optimizer.optimize(tiled, target, initial, config.optimizer, config.iterations, callback).pixels


def plain_loop(job: Job, on_iteration: OnIteration) -> Tensor:
    """Optimize by the plain loop; return the last pixels."""
    from torchvision.models import vgg16

    config = job.config()
    inputs = OptimizationInputs(config)
    vgg = vgg16().features.requires_grad_(False)
    layers = [i for i, layer in enumerate(vgg) if isinstance(layer, torch.nn.Conv2d)]
    weights = vgg_weights.load(config.loss.weights)
    for i, conv in zip(layers, vgg_weights.CONVS, strict=True):
        vgg[i].load_state_dict({part: weights[f"{conv}.{part}"] for part in ("weight", "bias")})
    mean = torch.tensor(MEAN_RGB).view(1, 3, 1, 1)
    size = config.size
    style_image, photo, initial = (
        x.contiguous() for x in (inputs.style_images(size)[0], inputs.content(size), inputs.initial(size))
    )

    def features(x: Tensor) -> list[Tensor]:
        x, outputs = x - mean, []
        for i, layer in enumerate(vgg):
            x = layer(x)
            if i in (3, 8, 15, 22):  # relu1_2, relu2_2, relu3_3, relu4_3
                outputs.append(x)
        return outputs

    def gram(x: Tensor) -> Tensor:
        rows = x.flatten(2)[0]
        return rows @ rows.T / x.numel()

    with torch.no_grad():
        grams = [gram(x) for x in features(style_image)]
        content = features(photo)[1]
    pixels = initial.requires_grad_()
    lbfgs = torch.optim.LBFGS([pixels], config.optimizer.lr, max_iter=1, history_size=config.optimizer.history)

    def evaluate() -> Tensor:
        lbfgs.zero_grad()
        outputs = features(pixels)
        style = sum(F.mse_loss(gram(x), target) for x, target in zip(outputs, grams, strict=True))
        total = config.loss.content_weight * F.mse_loss(outputs[1], content) + config.loss.style_weight * style
        total.backward()
        return total

    [group] = lbfgs.param_groups
    if config.optimizer.first_step is not None:
        group["lr"] = config.optimizer.first_step * pixels.numel()
    for _ in range(config.iterations):
        lbfgs.step(evaluate)
        group["lr"] = config.optimizer.lr
        on_iteration(pixels.detach())
    return pixels.detach()


def work(job: Job, pipe: Connection) -> None:
    """Run one round per request and send its seconds; at the end send the pixels and the peak memory in MiB."""
    iteration, started = 0, 0.0

    def on_iteration(pixels: Tensor) -> None:
        nonlocal iteration, started
        iteration += 1
        if iteration % ROUND == 0:
            pipe.send(time.perf_counter() - started)
            pipe.recv()
            started = time.perf_counter()

    pipe.recv()
    started = time.perf_counter()
    pixels = (plain_loop if job.loop == PLAIN else impasto_loop)(job, on_iteration)
    pipe.send((pixels.numpy(), own_peak()))


def own_peak() -> float:
    """Return the peak memory of this process in MiB; 0 on Windows."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / RSS_UNITS


@contextmanager
def process(job: Job) -> Iterator[Connection]:
    """Start a process that works on a job, and open a pipe to it."""
    parent_end, child_end = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(job, child_end))
    worker.start()
    child_end.close()  # so that recv() raises when the worker fails
    try:
        yield parent_end
    finally:
        if sys.exc_info()[0] is not None:
            worker.terminate()
        worker.join()


def race(jobs: list[Job]) -> tuple[dict[str, list[float]], dict[str, Losses]]:
    """Run jobs interleaved; return the seconds per iteration of each round, and the results' losses in float32."""
    config = jobs[0].config()
    inputs = OptimizationInputs(config)
    loss = PerceptualLoss(config.loss, vgg_weights.load(config.loss.weights), inputs.style_images(config.size))
    target = loss.content_target(inputs.content(config.size))
    seconds: dict[str, list[float]] = {job.loop: [] for job in jobs}
    losses = {}
    with ExitStack() as stack:
        pipes = {job.loop: stack.enter_context(process(job)) for job in jobs}
        for _ in range(config.iterations // ROUND):
            for loop, pipe in pipes.items():
                pipe.send(True)
                seconds[loop].append(pipe.recv() / ROUND)
        for loop, pipe in pipes.items():
            pipe.send(True)
            pixels, _ = pipe.recv()
            with torch.no_grad():
                losses[loop] = loss(torch.from_numpy(pixels), target)
    return {loop: rounds[1:] for loop, rounds in seconds.items()}, losses  # the first round includes the start-up


def peak(job: Job) -> float:
    """Return the peak memory of a loop in MiB, of impasto-optimize itself or of the plain loop in its own process."""
    if job.loop == PLAIN:
        with process(job) as pipe:
            for _ in range(job.config().iterations // ROUND + 1):
                pipe.send(True)
                last = pipe.recv()
            return float(last[1])
    with tempfile.TemporaryDirectory() as folder:
        command = str(Path(sys.executable).with_name("impasto-optimize"))
        line = [command, *job.settings, f"precision={job.loop}", "device=cpu", f"output={folder}/out.png"]
        child = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert child.stderr
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"impasto-optimize failed with exit code {child.returncode}: {errors}")
        return usage.ru_maxrss / RSS_UNITS


def remaining_history(config: OptimizeConfig, loop: str) -> float:
    """Return the MiB of the pairs of vectors that a full L-BFGS history has beyond those of this many iterations."""
    height, width = OptimizationInputs(config).shape(config.size)
    pair = 2 * 3 * 4 * height * width  # two float32 pictures
    fit = config.optimizer.history if loop == PLAIN else min(config.optimizer.history, optimizer.HISTORY_BYTES // pair)
    return max(0, fit - (config.iterations - 1)) * pair / 2**20


def race_table(options: argparse.Namespace, fixed: list[str], start: str) -> Table:
    """Return the time and the losses of each loop from one initial image."""
    init = ["init=content"] if start == "content" else ["init=noise", f"seed={0 if start == 'noise' else start}"]
    sizes = (f"size={options.size}", f"style.size={options.size}", f"iterations={options.iterations}")
    seconds, losses = race([Job(loop, (*fixed, *init, *sizes)) for loop in (PLAIN, *options.precisions)])
    auto = str(device.choose("cpu", "auto").dtype).removeprefix("torch.")
    title = f"from {start}, {options.size} px, {options.iterations} iterations, {torch.get_num_threads()} threads"
    columns = ("loop", "s/iteration", "min-max", "speed-up", "total", "content", "style", "total vs plain")
    table = Table(*columns, title=f"{title}, auto is {auto}")
    for loop, rounds in seconds.items():
        ratios = [plain / own for plain, own in zip(seconds[PLAIN], rounds, strict=True)]
        table.add_row(
            *(loop, f"{statistics.median(rounds):.2f}", f"{min(rounds):.2f}-{max(rounds):.2f}"),
            f"{statistics.median(ratios):.2f}",
            *(f"{getattr(losses[loop], name):,.0f}" for name in ("total", "content", "style")),
            f"{losses[loop].total / losses[PLAIN].total - 1:+.1%}",
        )
    return table


def memory_table(options: argparse.Namespace, fixed: list[str], size: int) -> Table:
    """Return the peak memory of each loop at one size."""
    table = Table("loop", "measured", "with a full L-BFGS history", title=f"peak memory, short side {size} px")
    settings = (*fixed, f"size={size}", f"style.size={size}", f"iterations={options.memory_iterations}")
    for loop in [*([PLAIN] if size <= PLAIN_MEMORY else []), *options.precisions]:
        job = Job(loop, settings)
        measured = peak(job)
        full = measured + remaining_history(job.config(), loop)
        table.add_row(loop, f"{measured:,.0f} MiB", f"{full:,.0f} MiB")
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, help="a photo; by default scikit-image's astronaut, 512x512")
    parser.add_argument("--style", default="swirls", help="a preset or a picture file")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument(
        "--starts", nargs="*", default=["content"], help="content, noise, or seeds of the noise, as in 1 2"
    )
    parser.add_argument("--precisions", nargs="+", default=["auto"], choices=["auto", "bf16", "fp32"])
    parser.add_argument("--memory", type=int, nargs="*", default=[512, 1024, 2048])
    parser.add_argument("--memory-iterations", type=int, default=5)
    parser.add_argument("overrides", nargs="*", help="more settings of impasto-optimize")
    options = parser.parse_intermixed_args()
    if options.iterations < 2 * ROUND:
        parser.error(f"--iterations {options.iterations} is too few; give at least {2 * ROUND}")
    if options.memory and not hasattr(os, "wait4"):
        parser.error("--memory needs Unix; pass --memory without sizes")
    if options.content is None:
        import skimage

        options.content = Path(skimage.__file__).parent / "data/astronaut.png"
    fixed = [f"content={options.content}", f"style={options.style}", "optimizer.tolerance=0", *options.overrides]
    console = Console(width=120)
    for start in options.starts:
        console.print(race_table(options, fixed, start))
    for size in options.memory:
        console.print(memory_table(options, fixed, size))


if __name__ == "__main__":
    main()
