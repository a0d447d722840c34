"""The zoo: train it, and make its table and its picture sheet anew.

`train` trains the networks of paintings and puts checkpoints and int8-stored ONNX files into models/zoo; `table`
measures what stands there against the optimizer; `sheet` paints the demo's photos with all of it, and needs nothing but
the demo extra. The folder of paintings has a styles.csv (benchmarks/runs.py).

Run: python -m benchmarks.zoo train --styles DIR --photos DIR [--paintings NAME ...] [--steps N] [key=value ...]
     python -m benchmarks.zoo table --styles DIR --val DIR
     python -m benchmarks.zoo sheet
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks import demo, frontier, runs
from impasto.models import exported, pictures, zoo
from impasto.train import sheets

HOME = Path("outputs/zoo")
SHEET = Path("docs/zoo.jpg")
TABLE = zoo.FOLDER / "README.md"
ABOUT = """\
# The zoo

Paintings in the public domain, and networks that impasto trained on them: `zoo/PAINTING` wherever a command takes a
checkpoint or a model. Trained by the functions of `python -m benchmarks.zoo train`, with `--steps 800`, or with
`--steps 300 init=zoo/starry_night` where the table says so; great_wave/mobile with `--steps 3200 trainer.batch=1
trainer.lr=0.002`, starry_night/mobile by two hours more of these, crops of 128 px as the others (`benchmarks.soak`).
Measured by `python -m benchmarks.zoo table`: total loss, median of {photos} photos that were not trained on; worth, in
iterations of the optimizer from noise at 256 px (photos: {judged}, iterations: {iterations}); flicker in levels
(models/stability.py).

"""
HEAD = (
    *("painting", "artist", "network", "parameters", "images seen", "int8 ONNX", "loss 256 px", "loss 512 px"),
    *("worth", "of the best", "flicker"),
)
SIDE = 200  # px, of a picture on the sheet


def train(options: argparse.Namespace) -> None:
    """Train, and install what came out."""
    for painting in runs.paintings(options.styles, options.paintings):
        for model in options.models:
            path = runs.train(options.home, painting, model, options.photos, options.steps, *options.overrides)
            install(path, painting.name, model)


def install(path: Path, painting: str, model: str) -> None:
    """Put a checkpoint and its int8-stored ONNX file into the zoo."""
    folder = zoo.FOLDER / painting
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder / f"{model}.safetensors")
    _, small = frontier.exported_bytes(path)
    (folder / f"{model}.onnx").write_bytes(small)


def table(options: argparse.Namespace) -> None:
    """Measure each network of the zoo, and write its table."""
    from impasto.models import checkpoint

    text = ABOUT.format(photos=options.count, judged=options.judged, iterations=options.iterations)
    text += f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}\n"
    for painting in runs.paintings(options.styles, zoo.names()):
        for model in zoo.MODELS:
            path = zoo.resolve(f"zoo/{painting.name}/{model}", checkpoint.SUFFIX)
            network, card = checkpoint.load(path)
            found = frontier.losses(path, painting.path, options.val, options.count)
            home, name = options.home, f"{painting.name}-{model}"
            found |= frontier.worth(path, painting.path, options.val, home, options.judged, options.iterations, name)
            cells = [
                *(painting.title, painting.artist, f"`{painting.name}/{model}`"),
                f"{sum(weight.numel() for weight in network.parameters()):,}",
                f"{card['training']['images']:,}"
                + (f" after {origin['name']}" if (origin := card.get("init")) else ""),
                f"{path.with_suffix('.onnx').stat().st_size:,}",
                *(f"{found['total_256']:,.0f}", f"{found['total_512']:,.0f}", f"{found['worth']:g}"),
                *(f"{found['ratio']:.2f}", f"{found['flicker']['both']:.1f}"),
            ]
            text += f"| {' | '.join(cells)} |\n"
    TABLE.write_text(text)
    print(text)


def sheet(options: argparse.Namespace) -> None:
    """Paint the demo's held-out photos with every network of the zoo."""
    with tempfile.TemporaryDirectory() as folder:
        photos = [pictures.read(path) for path in pictures.find_pictures(demo.photos(Path(folder), demo.HELD_OUT))]
    small = [pictures.Picture(pictures.resize(photo.rgb, SIDE)) for photo in photos]
    rows, captions = [[photo.rgb for photo in small]], ["the photos"]
    for painting in zoo.names():
        for model in zoo.MODELS:
            session = exported.load(zoo.resolve(f"zoo/{painting}/{model}", ".onnx"), threads=2)
            rows.append([exported.stylize(session, photo).rgb for photo in small])
            captions.append(f"zoo/{painting}/{model}")
    sheets.write_sheet(SHEET, rows, [""] * len(small), captions)
    print(SHEET)


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    training, measuring, showing = (verbs.add_parser(name) for name in ("train", "table", "sheet"))
    for verb, folder in ((training, "photos"), (measuring, "val")):
        verb.add_argument("--styles", type=Path, required=True)
        verb.add_argument(f"--{folder}", type=Path, required=True)
        verb.add_argument("--home", type=Path, default=HOME)
    training.add_argument("--paintings", nargs="+", default=["starry_night", "great_wave", "udnie", "the_scream"])
    training.add_argument("--models", nargs="+", default=[*zoo.MODELS])
    training.add_argument("--steps", type=int, default=1200)
    training.add_argument("overrides", nargs="*", help="further settings of impasto-train")
    measuring.add_argument("--count", type=int, default=16, help="photos for the losses")
    measuring.add_argument("--judged", type=int, default=3, help="photos for worth")
    measuring.add_argument("--iterations", type=int, default=120)
    training.set_defaults(verb=train)
    measuring.set_defaults(verb=table)
    showing.set_defaults(verb=sheet)
    options = parser.parse_args()
    options.verb(options)


if __name__ == "__main__":
    main()
