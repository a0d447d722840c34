"""A store of styles against single networks, and the ways to learn one more painting.

`train` trains a store on several paintings, and a network on each of them with the same total number of steps, all
from one checkpoint. `fidelity` measures checkpoints on photos that were not trained on: the mean content and style loss
of each painting, by the loss that the store was trained with, and the ratio of the store to the single network.
`blends` measures whether the style loss of blends of two styles falls to each end, `flicker` the flicker of each style
beside that of another store, `sizes` the bytes of stores. `frontier` learns one more painting for equal CPU seconds: by
its norms alone, by its norms and then all weights, by all weights from the store, from the nearest single network and
from random weights. The folder of paintings contains a styles.csv (benchmarks/runs.py).

Run: python -m benchmarks.store train --styles DIR --photos DIR --val DIR --paintings NAME ... [--steps N] [key=value]
     python -m benchmarks.store fidelity --store FILE --networks FILE ... --styles DIR --val DIR
     python -m benchmarks.store blends --store FILE --styles DIR --val DIR
     python -m benchmarks.store flicker --store FILE --other FILE --val DIR
     python -m benchmarks.store sizes
     python -m benchmarks.store frontier --store FILE --painting FILE --photos DIR --val DIR [--minutes 1 4 16]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from itertools import combinations, pairwise
from pathlib import Path

import torch

from benchmarks import runs
from benchmarks.frontier import exported_bytes
from impasto.configs.schema.fields import validate
from impasto.configs.schema.loss import LossConfig
from impasto.configs.schema.style import StyleConfig, slug
from impasto.models import checkpoint, zoo
from impasto.models.card import Card, LossCard, StoreCard, StyleCard
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.metrics import flicker as metrics
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet
from impasto.models.vgg import weights
from impasto.train.data import style_image
from impasto.train.data.dataset import PhotoSet, to_pixels, validation_crops

HOME = Path("outputs/store")
SIDE = 384  # px, of the center squares that losses are measured on
BLEND_SIDE = 256  # px, of those that blends are measured on
TRIAL = 10  # steps, whose CPU seconds give the number of steps of a budget
WAYS = {
    "norms alone": ("norms",),
    "norms, then all": ("norms", "all"),
    "all, from the store": ("all",),
    "all, from the nearest single network": ("nearest",),
    "all, from random weights": ("random",),
}


def run(directory: Path, steps: int, *settings: str) -> Path:
    """The checkpoint of a run of impasto-train after its last step; trains or resumes it unless it is complete."""
    finished = directory / f"step_{steps:08d}{checkpoint.SUFFIX}"
    if not finished.exists():
        new = [f"hydra.run.dir={directory}", f"trainer.steps={steps}", *settings]
        line = [f"resume={directory}"] if any(directory.glob("*.state")) else new
        subprocess.run([str(Path(sys.executable).with_name("impasto-train")), *line], check=True)
    return finished


def train(options: argparse.Namespace) -> None:
    """Train a store and its single networks, and compare them."""
    paintings = runs.paintings(options.styles, options.paintings)
    common = [f"data.root={options.photos}", f"data.val_root={options.val}", f"model={options.model}"]
    common += [f"init={options.init}", *options.overrides]
    total = options.steps * len(paintings)
    images = ",".join(str(painting.path) for painting in paintings)
    store = run(options.home / f"store-{options.model}", total, f"style=[{images}]", *common)
    networks = [
        run(options.home / f"{painting.name}-{options.model}", options.steps, f"style={painting.path}", *common)
        for painting in paintings
    ]
    compare(store, networks, options.styles, options.val, options.count)


def fidelity(options: argparse.Namespace) -> None:
    """Compare checkpoints that exist."""
    compare(options.store, options.networks, options.styles, options.val, options.count)


def compare(store: Path, networks: Sequence[Path], styles: Path, val: Path, count: int) -> None:
    """Print the losses of each painting in the store and in its single network, and their ratios."""
    _, card = checkpoint.load_any(store)
    assert card.store is not None and card.loss is not None
    loaded = [checkpoint.load(path) for path in networks]
    singles = {own.style.name: (network, own) for network, own in loaded if own.style is not None}
    photos, *_ = validation_crops(PhotoSet(val, "--val"), SIDE)
    print(f"{min(count, len(photos))} photos at {SIDE} px; {_budget(card)} in the store; losses of {card.model.name}")
    print("| painting | content, store | single | ratio | style, store | single | ratio | steps, single |")
    print("|" + " --- |" * 8)
    ratios = []
    for name in card.store.names:
        if name not in singles:
            continue
        network, own = singles[name]
        loss = _loss(card.loss, _style(card, name), styles)
        one, other = (losses(each, loss, photos[:count]) for each in (checkpoint.load(store, name)[0], network))
        ratios.append([a / b for a, b in zip(one, other, strict=True)])
        cells = [f"{one[0]:.3f}", f"{other[0]:.3f}", f"{ratios[-1][0]:.3f}"]
        cells += [f"{one[1]:.3f}", f"{other[1]:.3f}", f"{ratios[-1][1]:.3f}", _budget(own)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    means = [sum(values) / len(values) for values in zip(*ratios, strict=True)]
    print(f"| mean | | | {means[0]:.3f} | | | {means[1]:.3f} | |")


@torch.no_grad()
def losses(network: TransformNet, loss: PerceptualLoss, photos: torch.Tensor) -> tuple[float, float]:
    """The mean content and style loss on photos uint8 [N, H, W, 3]."""
    sums = torch.zeros(2)
    for photo in photos.split(1):
        pixels = to_pixels(photo, torch.device("cpu"))
        measured = loss(network(pixels), loss.content_target(pixels))
        sums += torch.stack([measured.content, measured.style])
    content, style = (sums / len(photos)).tolist()
    return content, style


def blends(options: argparse.Namespace) -> None:
    """Print the style loss by both paintings of blends of each pair, and whether it falls to each end."""
    store, card = checkpoint.load_any(options.store)
    assert isinstance(store, Store) and card.store is not None and card.loss is not None
    names = card.store.names
    photos, *_ = validation_crops(PhotoSet(options.val, "--val"), BLEND_SIDE)
    measured = [_loss(card.loss, style, options.styles) for style in card.store.styles]
    print(
        f"style loss of blends, {min(options.count, len(photos))} photos at {BLEND_SIDE} px, by the share of the first"
    )
    print("| blend | by | 0 | 1/4 | 1/2 | 3/4 | 1 | monotone |\n|" + " --- |" * 8)
    for one, other in combinations(range(len(names)), 2):
        rows: list[list[float]] = [[], []]
        for share in (0, 0.25, 0.5, 0.75, 1):
            weights = [share * (index == one) + (1 - share) * (index == other) for index in range(len(names))]
            network = store.blend(weights)
            for row, index in zip(rows, (one, other), strict=True):
                row.append(losses(network, measured[index], photos[: options.count])[1])
        for row, index in zip((rows[0][::-1], rows[1]), (one, other), strict=True):
            monotone = all(later >= earlier for earlier, later in pairwise(row))
            cells = [f"{value:.2f}" for value in (row[::-1] if index == one else row)]
            print(f"| {names[one]}, {names[other]} | {names[index]} | {' | '.join(cells)} | {monotone} |", flush=True)


def flicker(options: argparse.Namespace) -> None:
    """Print the mean flicker of each style of two stores (models/metrics/flicker.py), and their ratio."""
    photos, *_ = validation_crops(PhotoSet(options.val, "--val"), SIDE)
    pixels = [to_pixels(photo, torch.device("cpu")) for photo in photos[: options.count].split(1)]
    _, card = checkpoint.load_any(options.store)
    assert card.store is not None
    print(f"{len(pixels)} photos at {SIDE} px\n| style | flicker | of the other store | ratio |\n|" + " --- |" * 4)
    for name in card.store.names:
        networks = (checkpoint.load(path, name)[0].eval() for path in (options.store, options.other))
        own, other = (
            sum(metrics.flicker(network, photo)["both"] for photo in pixels) / len(pixels) for network in networks
        )
        print(f"| {name} | {own:.1f} | {other:.1f} | {own / other:.2f} |", flush=True)


def sizes(options: argparse.Namespace) -> None:
    """Print the bytes of stores of the zoo's networks, and of a style file."""
    print("| network | styles | int8 ONNX | as single networks | a style file |\n|" + " --- |" * 5)
    for model in ("mobile", "tiny"):
        path = zoo.resolve(f"zoo/starry_night/{model}", checkpoint.SUFFIX)
        network, card = checkpoint.load(path)
        assert card.style is not None
        single = len(exported_bytes(path)[1])
        for count in (1, 7, 20):
            styles = [replace(card.style, name=f"{card.style.name}_{number}") for number in range(count)]
            with tempfile.TemporaryDirectory() as name:
                file = Path(name) / f"store{checkpoint.SUFFIX}"
                whole = replace(card, style=None, store=StoreCard("store", styles))
                checkpoint.save(file, Store([network] * count), whole)
                one = replace(whole, store=StoreCard("store", styles[:1]))
                written = checkpoint.save_styles(Path(name), Store([network]), one)
                cells = len(exported_bytes(file)[1]), count * single, next(iter(written.values())).stat().st_size
            print(f"| {model} | {count} | {' | '.join(f'{value:,}' for value in cells)} |")


def frontier(options: argparse.Namespace) -> None:
    """Learn one more painting in several ways, each with equal CPU seconds."""
    _, card = checkpoint.load_any(options.store)
    common = [f"data.root={options.photos}", f"data.val_root={options.val}", f"style={options.painting}"]
    common += [f"model={card.model.name}", "trainer.validate_every=100000", "trainer.sample_every=100000"]
    common += ["trainer.checkpoint_every=100000", *options.overrides]
    starts = {"norms": str(options.store), "all": str(options.store), "nearest": "auto", "random": "null"}
    frozen = {"norms": ["freeze=all_but_norms"]}
    settings = {stage: [*common, *frozen.get(stage, [])] for stage in starts}
    seconds = {stage: _seconds_per_step(stage, [*settings[stage], f"init={start}"]) for stage, start in starts.items()}
    photos, *_ = validation_crops(PhotoSet(options.val, "--val"), SIDE)
    print("| way | CPU minutes | steps | content | style | total |\n|" + " --- |" * 6)
    for way, stages in WAYS.items():
        for minutes in options.minutes:
            path, counts = None, []
            for stage in stages:
                counts.append(max(1, int(60 * minutes / len(stages) / seconds[stage])))
                start = path or starts[stage]
                directory = options.home / f"{'-'.join(stages)}-{minutes:g}-{len(counts)}"
                path = run(directory, counts[-1], *settings[stage], f"init={start}")
            assert path is not None
            is_store = checkpoint.load_any(path)[1].store is not None
            network, own = checkpoint.load(path, slug(str(options.painting)) if is_store else None)
            assert own.loss is not None and own.style is not None
            loss = _loss(own.loss, own.style, options.painting.parent)
            content, style = losses(network, loss, photos[: options.count])
            cells = way, f"{minutes:g}", " + ".join(map(str, counts)), f"{content:.3f}", f"{style:.3f}"
            print(f"| {' | '.join(cells)} | {content + style:.3f} |", flush=True)


def _seconds_per_step(name: str, settings: Sequence[str]) -> float:
    """CPU seconds of a step: the difference of two short runs, which leaves out what a run costs before its steps."""
    measured = []
    for steps in (TRIAL, 4 * TRIAL):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder) / name, steps, *settings)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        measured.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return max(1e-3, (measured[1] - measured[0]) / (3 * TRIAL))


def _style(card: Card, name: str) -> StyleCard:
    assert card.store is not None
    return card.store.styles[card.store.names.index(name)]


def _loss(card: LossCard, style: StyleCard, styles: Path) -> PerceptualLoss:
    """The perceptual loss of a card and a painting, without a window: the whole picture counts."""
    known = {item.name for item in fields(LossConfig)}
    values = {name: value for name, value in asdict(card).items() if name in known}
    config = validate(LossConfig, values | {"style_strength": None, "weights": "auto"})
    (path,) = styles.glob(f"{style.name}.*")
    own = {item.name: getattr(style, item.name) for item in fields(StyleConfig) if item.name != "image"}
    image = style_image.load(StyleConfig(**own | {"image": str(path), "painter": None}))
    return PerceptualLoss(config, weights.load("auto", config.network), image.pixels)


def _budget(card: Card) -> str:
    return f"{card.training.steps:,} steps" if card.training else "unknown steps"


def main() -> None:
    """Run a subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("sizes").set_defaults(command=sizes)
    for command in (train, fidelity, blends, flicker, frontier):
        each = commands.add_parser(command.__name__)
        each.set_defaults(command=command)
        each.add_argument("--val", type=Path, required=True)
        each.add_argument("--count", type=int, default=16, help="photos to measure on")
        if command in (train, fidelity, blends):
            each.add_argument("--styles", type=Path, required=True)
        if command in (train, frontier):
            each.add_argument("--photos", type=Path, required=True)
            each.add_argument("--home", type=Path, default=HOME)
            each.add_argument("overrides", nargs="*", help="more settings of impasto-train")
        if command is not train:
            each.add_argument("--store", type=Path, required=True)
    train_parser, fidelity_parser, frontier_parser = (commands.choices[f.__name__] for f in (train, fidelity, frontier))
    train_parser.add_argument("--paintings", nargs="+", required=True)
    train_parser.add_argument("--model", default="mobile")
    train_parser.add_argument("--init", default="null", help="what the store and the networks start from")
    train_parser.add_argument("--steps", type=int, default=400, help="of each network; the store takes as many in all")
    fidelity_parser.add_argument("--networks", type=Path, nargs="+", required=True)
    commands.choices["flicker"].add_argument("--other", type=Path, required=True)
    frontier_parser.add_argument("--painting", type=Path, required=True)
    frontier_parser.add_argument("--minutes", type=float, nargs="+", default=[1, 4, 16])
    options = parser.parse_args()
    options.command(options)


if __name__ == "__main__":
    main()
