"""The per-image optimizer against the plain loop that most examples have: time, loss and memory, on a CPU.

The plain loop: float32, NCHW, the whole of VGG-16 (torchvision's module, 13 convolutions) at each evaluation, Gram
matrices F F^T by autograd, torch.optim.LBFGS with impasto's lr, first step and history, so that the losses compare. The
photo's features are computed once. `optimizer.first_step=null` gives all loops torch's own first step instead.
All start from the same picture, each in a process of its own; they take turns, and medians of the turns are compared.
The loss is that of the picture each ends with, computed once more in float32: impasto's best, the plain loop's last.

Memory is the peak of `impasto-optimize`, and of the plain loop, in a few iterations, to which the pairs of vectors that
L-BFGS has not gathered by then are added; `--memory-iterations 60` gathers all of them instead.

Run: .venv/bin/python benchmarks/optimizer.py [--content PHOTO] [--style PAINTING] [--size 512] [--iterations 100]
     [--starts content noise] [--precisions auto fp32] [--memory 512 1024 2048] [key=value ...]
"""

import argparse
import multiprocessing
import os
import resource
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

from impasto.configs import app
from impasto.configs.schema import OptimizeConfig
from impasto.models import vgg_weights
from impasto.models.losses import Losses, PerceptualLoss
from impasto.models.tiles import TiledLoss
from impasto.models.vgg import MEAN_RGB
from impasto.train import hardware, optimizer
from impasto.train.sources import Sources

TURN = 5  # iterations
PLAIN = "plain"
PLAIN_MEMORY = 1024  # px: the plain loop is not measured above
Turn = Callable[[Tensor], None]
"""Called after each iteration with the picture."""


@dataclass(frozen=True)
class Job:
    """What a process is to optimise: PLAIN, or impasto in a precision, and the settings of impasto-optimize."""

    loop: str
    settings: tuple[str, ...]

    def config(self) -> OptimizeConfig:
        config = app.compose("optimize", list(self.settings))
        assert isinstance(config, OptimizeConfig)
        return config


def impasto_loop(job: Job, turn: Turn) -> Tensor:
    """Optimise as train/optimize.py does; the best picture."""
    config = job.config()
    hardware.keep_memory()
    place = hardware.choose("cpu", job.loop)
    given = Sources(config)
    loss = PerceptualLoss(config.loss, vgg_weights.load(config.loss.weights), given.paintings(config.size))
    tiled = TiledLoss(loss.to(memory_format=torch.channels_last).to_precision(place.dtype), config.tile)
    target = tiled.content_target(given.content(config.size))

    def follow(iterate: optimizer.Iterate) -> bool:
        turn(iterate.pixels)
        return False

    start = given.first(config.size)
    return optimizer.optimize(tiled, target, start, config.optimizer, config.iterations, follow).pixels


def plain_loop(job: Job, turn: Turn) -> Tensor:
    """Optimise by the plain loop; the last picture."""
    from torchvision.models import vgg16

    config = job.config()
    given = Sources(config)
    vgg = vgg16().features.requires_grad_(False)
    layers = [i for i, layer in enumerate(vgg) if isinstance(layer, torch.nn.Conv2d)]
    weights = vgg_weights.load(config.loss.weights)
    for i, conv in zip(layers, vgg_weights.CONVS, strict=True):
        vgg[i].load_state_dict({part: weights[f"{conv}.{part}"] for part in ("weight", "bias")})
    mean = torch.tensor(MEAN_RGB).view(1, 3, 1, 1)
    painting, photo, start = (
        x.contiguous() for x in (given.paintings(config.size)[0], given.content(config.size), given.first(config.size))
    )

    def features(x: Tensor) -> list[Tensor]:
        x, kept = x - mean, []
        for i, layer in enumerate(vgg):
            x = layer(x)
            if i in (3, 8, 15, 22):  # relu1_2, relu2_2, relu3_3, relu4_3
                kept.append(x)
        return kept

    def gram(x: Tensor) -> Tensor:
        rows = x.flatten(2)[0]
        return rows @ rows.T / x.numel()

    with torch.no_grad():
        grams = [gram(x) for x in features(painting)]
        content = features(photo)[1]
    pixels = start.requires_grad_()
    lbfgs = torch.optim.LBFGS([pixels], config.optimizer.lr, max_iter=1, history_size=config.optimizer.history)

    def evaluate() -> Tensor:
        lbfgs.zero_grad()
        found = features(pixels)
        style = sum(F.mse_loss(gram(x), target) for x, target in zip(found, grams, strict=True))
        total = config.loss.content_weight * F.mse_loss(found[1], content) + config.loss.style_weight * style
        total.backward()
        return total

    [group] = lbfgs.param_groups
    if config.optimizer.first_step is not None:
        group["lr"] = config.optimizer.first_step * pixels.numel()
    for _ in range(config.iterations):
        lbfgs.step(evaluate)
        group["lr"] = config.optimizer.lr
        turn(pixels.detach())
    return pixels.detach()


def work(job: Job, pipe: Connection) -> None:
    """Send the seconds of each turn, as often as asked for one; at the end the picture, and the peak memory in MiB."""
    iteration, started = 0, 0.0

    def turn(pixels: Tensor) -> None:
        nonlocal iteration, started
        iteration += 1
        if iteration % TURN == 0:
            pipe.send(time.perf_counter() - started)
            pipe.recv()
            started = time.perf_counter()

    pipe.recv()
    started = time.perf_counter()
    picture = (plain_loop if job.loop == PLAIN else impasto_loop)(job, turn)
    pipe.send((picture.numpy(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


@contextmanager
def process(job: Job) -> Iterator[Connection]:
    """A process that works on a job, and the pipe to it."""
    ours, theirs = multiprocessing.Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(job, theirs))
    worker.start()
    theirs.close()  # so that a worker's failure ends the wait for it
    try:
        yield ours
    finally:
        if sys.exc_info()[0] is not None:
            worker.terminate()
        worker.join()


def race(jobs: list[Job]) -> tuple[dict[str, list[float]], dict[str, Losses]]:
    """Run jobs in turns: the seconds per iteration of each turn, and the loss of each picture in float32."""
    config = jobs[0].config()
    given = Sources(config)
    loss = PerceptualLoss(config.loss, vgg_weights.load(config.loss.weights), given.paintings(config.size))
    target = loss.content_target(given.content(config.size))
    seconds: dict[str, list[float]] = {job.loop: [] for job in jobs}
    losses = {}
    with ExitStack() as stack:
        pipes = {job.loop: stack.enter_context(process(job)) for job in jobs}
        for _ in range(config.iterations // TURN):
            for loop, pipe in pipes.items():
                pipe.send(True)
                seconds[loop].append(pipe.recv() / TURN)
        for loop, pipe in pipes.items():
            pipe.send(True)
            picture, _ = pipe.recv()
            with torch.no_grad():
                losses[loop] = loss(torch.from_numpy(picture), target)
    return {loop: turns[1:] for loop, turns in seconds.items()}, losses  # the first turn holds the start


def peak(job: Job) -> float:
    """Peak memory of a loop in MiB: of the command itself, or of the plain loop in a process of its own."""
    if job.loop == PLAIN:
        with process(job) as pipe:
            for _ in range(job.config().iterations // TURN + 1):
                pipe.send(True)
                last = pipe.recv()
            return float(last[1])
    with tempfile.TemporaryDirectory() as folder:
        command = str(Path(sys.executable).with_name("impasto-optimize"))
        line = [command, *job.settings, f"precision={job.loop}", "device=cpu", f"output={folder}/out.png"]
        child = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert child.stderr
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"impasto-optimize failed with exit code {child.returncode}: {said}")
        return usage.ru_maxrss / 1024


def missing(config: OptimizeConfig, loop: str) -> float:
    """MiB of the pairs of vectors that L-BFGS, with its memory full, has more than in this many iterations."""
    pair = 2 * 3 * 4 * Sources(config).shape(config.size)[0] * Sources(config).shape(config.size)[1]
    fit = config.optimizer.history if loop == PLAIN else min(config.optimizer.history, optimizer.HISTORY_BYTES // pair)
    return max(0, fit - (config.iterations - 1)) * pair / 2**20


def race_table(options: argparse.Namespace, fixed: list[str], start: str) -> Table:
    """Time and loss of each loop from one start."""
    init = ["init=content"] if start == "content" else ["init=noise", f"seed={0 if start == 'noise' else start}"]
    sizes = (f"size={options.size}", f"style.size={options.size}", f"iterations={options.iterations}")
    seconds, losses = race([Job(loop, (*fixed, *init, *sizes)) for loop in (PLAIN, *options.precisions)])
    auto = str(hardware.choose("cpu", "auto").dtype).removeprefix("torch.")
    title = f"from {start}, {options.size} px, {options.iterations} iterations, {torch.get_num_threads()} threads"
    columns = ("loop", "s/iteration", "lowest-highest", "times as fast", "total", "content", "style", "to plain")
    table = Table(*columns, title=f"{title}, auto is {auto}")
    for loop, turns in seconds.items():
        ratios = [plain / turn for plain, turn in zip(seconds[PLAIN], turns, strict=True)]
        table.add_row(
            *(loop, f"{statistics.median(turns):.2f}", f"{min(turns):.2f}-{max(turns):.2f}"),
            f"{statistics.median(ratios):.2f}",
            *(f"{getattr(losses[loop], name):,.0f}" for name in ("total", "content", "style")),
            f"{losses[loop].total / losses[PLAIN].total - 1:+.1%}",
        )
    return table


def memory_table(options: argparse.Namespace, fixed: list[str], size: int) -> Table:
    """Peak memory of each loop at one size."""
    table = Table("loop", "measured", "L-BFGS's memory full", title=f"peak memory, short side {size} px")
    settings = (*fixed, f"size={size}", f"style.size={size}", f"iterations={options.memory_iterations}")
    for loop in [*([PLAIN] if size <= PLAIN_MEMORY else []), *options.precisions]:
        job = Job(loop, settings)
        measured = peak(job)
        whole = measured + missing(job.config(), loop)
        table.add_row(loop, f"{measured:,.0f} MiB", f"{whole:,.0f} MiB")
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, help="a photo; scikit-image's astronaut, 512x512, if none is named")
    parser.add_argument("--style", default="swirls", help="a preset or a picture")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--starts", nargs="*", default=["content"], help="content, noise, or seeds of noise as 1 2 ...")
    parser.add_argument("--precisions", nargs="+", default=["auto"], choices=["auto", "bf16", "fp32"])
    parser.add_argument("--memory", type=int, nargs="*", default=[512, 1024, 2048])
    parser.add_argument("--memory-iterations", type=int, default=5)
    parser.add_argument("overrides", nargs="*", help="further settings of impasto-optimize")
    options = parser.parse_intermixed_args()
    if options.iterations < 2 * TURN:
        parser.error(f"--iterations {options.iterations} is too few; give at least {2 * TURN}")
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
