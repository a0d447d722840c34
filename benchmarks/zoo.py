"""The zoo: train its networks, measure them, and write its table and its contact sheet.

`train` trains networks on paintings and copies the checkpoints and the int8-stored ONNX files into models/zoo. `table`
compares the networks of the zoo with the per-image optimizer. `sheet` stylizes the demo's photos with every network,
and needs only the demo extra. The folder of paintings contains a styles.csv (benchmarks/runs.py).

Run: python -m benchmarks.zoo train --styles DIR --photos DIR [--paintings NAME ...] [--steps N] [key=value ...]
     python -m benchmarks.zoo table --styles DIR --val DIR
     python -m benchmarks.zoo sheet
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks import demo, frontier, runs
from impasto.models import onnx_model, zoo
from impasto.models.image import decode
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import Picture, resize
from impasto.train.runtime import contact_sheet

HOME = Path("outputs/zoo")
SHEET = Path("docs/zoo.jpg")
TABLE = zoo.FOLDER / "README.md"
ABOUT = """\
# The zoo: pretrained networks

Networks trained by impasto on paintings in the public domain. Wherever a command takes a checkpoint or a model,
`zoo/PAINTING` is the `mobile` network and `zoo/PAINTING/tiny` the `tiny` one. `painting.jpg` in each folder is a
thumbnail of the painting.

- **Training.** `python -m benchmarks.zoo train --styles DIR --photos DIR`, on 128 px crops: `--steps 800`, or
  `--steps 300 init=zoo/starry_night` where the table says "after zoo/starry_night". `great_wave/mobile` used
  `--steps 3200 trainer.batch_size=1 optimizer.lr=0.002`; `starry_night/mobile` was trained for two more hours with
  these settings (`python -m benchmarks.soak`).
- **Starting points.** `zoo/PAINTING/deep` is a checkpoint of `model=deep` for `init=`, without an exported file:
  `impasto-train experiment=display`, about 10,600 crops on The Starry Night, then 1,000 to 1,450 crops on each
  painting, while the loss still changed. They paint a frame along the border
  ([limitations](../../docs/limitations.md#quality)).
- **Measurement.** `python -m benchmarks.zoo table --styles DIR --val DIR`. Losses are total losses, the median of
  {photos} held-out photos. Equivalent L-BFGS iterations and the ratio to the optimizer's best loss are from noise at
  256 px (photos: {evaluated}, iterations: {iterations}). Flicker is in levels (0..255). Terms:
  [glossary](../../docs/glossary.md).

"""
HEAD = (
    *("painting", "artist", "network", "parameters", "images seen", "int8 ONNX", "loss 256 px", "loss 512 px"),
    *("equivalent L-BFGS iterations", "ratio to best", "flicker"),
)
SIDE = 200  # px: the short side of a picture on the contact sheet


def train(options: argparse.Namespace) -> None:
    """Train networks, and copy them into the zoo."""
    for painting in runs.paintings(options.styles, options.paintings):
        for model in options.models:
            path = runs.train(options.home, painting, model, options.photos, options.steps, *options.overrides)
            install(path, painting.name, model)


def install(path: Path, painting: str, model: str) -> None:
    """Copy a checkpoint and its int8-stored ONNX file into the zoo."""
    folder = zoo.FOLDER / painting
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder / f"{model}.safetensors")
    _, int8 = frontier.exported_bytes(path)
    (folder / f"{model}.onnx").write_bytes(int8)


def table(options: argparse.Namespace) -> None:
    """Measure each network of the zoo, and write the table."""
    from impasto.models import checkpoint

    text = ABOUT.format(photos=options.count, evaluated=options.evaluated, iterations=options.iterations)
    text += f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}\n"
    for painting in runs.paintings(options.styles, zoo.names()):
        for model in zoo.MODELS:
            path = zoo.resolve(f"zoo/{painting.name}/{model}", checkpoint.SUFFIX)
            network, card = checkpoint.load(path)
            figures = frontier.losses(path, painting.path, options.val, options.count)
            home, name = options.home, f"{painting.name}-{model}"
            figures |= frontier.evaluate(
                path, painting.path, options.val, home, options.evaluated, options.iterations, name
            )
            cells = [
                *(painting.title, painting.artist, f"`{painting.name}/{model}`"),
                f"{sum(weight.numel() for weight in network.parameters()):,}",
                f"{card.training.images if card.training else 0:,}" + (f" after {card.init.name}" if card.init else ""),
                f"{path.with_suffix('.onnx').stat().st_size:,}",
                *(
                    f"{figures['total_256']:,.0f}",
                    f"{figures['total_512']:,.0f}",
                    f"{figures['equivalent_iterations']:g}",
                ),
                *(f"{figures['ratio']:.2f}", f"{figures['flicker']['both']:.1f}"),
            ]
            text += f"| {' | '.join(cells)} |\n"
    TABLE.write_text(text)
    print(text)


def sheet(options: argparse.Namespace) -> None:
    """Stylize the demo's validation photos with every network of the zoo, beside the paintings."""
    with tempfile.TemporaryDirectory() as folder:
        photos = [decode.read(path) for path in find_pictures(demo.photos(Path(folder), demo.VAL_PHOTOS))]
    thumbnails = [Picture(resize(photo.rgb, SIDE)) for photo in photos]
    rows, captions = [[contact_sheet.BLANK, *(photo.rgb for photo in thumbnails)]], ["the photos"]
    for painting in zoo.names():
        original = contact_sheet.thumbnail(decode.read(zoo.FOLDER / painting / zoo.PAINTING).rgb, SIDE)
        for model in zoo.MODELS:
            session = onnx_model.load(zoo.resolve(f"zoo/{painting}/{model}", ".onnx"), threads=2)
            rows.append([original, *(onnx_model.stylize(session, photo).rgb for photo in thumbnails)])
            captions.append(f"zoo/{painting}/{model}")
    contact_sheet.write_sheet(SHEET, rows, ["painting", *[""] * len(thumbnails)], captions)
    print(SHEET)


def main() -> None:
    """Run a subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    train_parser, table_parser, sheet_parser = (commands.add_parser(name) for name in ("train", "table", "sheet"))
    for command, folder in ((train_parser, "photos"), (table_parser, "val")):
        command.add_argument("--styles", type=Path, required=True)
        command.add_argument(f"--{folder}", type=Path, required=True)
        command.add_argument("--home", type=Path, default=HOME)
    train_parser.add_argument("--paintings", nargs="+", default=["starry_night", "great_wave", "udnie", "the_scream"])
    train_parser.add_argument("--models", nargs="+", default=[*zoo.MODELS])
    train_parser.add_argument("--steps", type=int, default=1200)
    train_parser.add_argument("overrides", nargs="*", help="more settings of impasto-train")
    table_parser.add_argument("--count", type=int, default=16, help="photos for the losses")
    table_parser.add_argument("--evaluated", type=int, default=3, help="photos for equivalent iterations")
    table_parser.add_argument("--iterations", type=int, default=120)
    train_parser.set_defaults(command=train)
    table_parser.set_defaults(command=table)
    sheet_parser.set_defaults(command=sheet)
    options = parser.parse_args()
    options.command(options)


if __name__ == "__main__":
    main()
