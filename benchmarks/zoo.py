"""The zoo: train its networks, measure them, and write its table and its contact sheet.

`train` trains networks on paintings and copies the checkpoints, the int8-stored ONNX files and the LiteRT files into
models/zoo. `studio` installs the `mobile` networks of paintings as `studio`, in three passes and without training.
`export` writes PROVENANCE into the checkpoints' cards, and the exported files again, after a change of an exporter.
`store` installs a store of the paintings, which benchmarks/store.py measures, as zoo/store or zoo/video. `table`
measures the networks of the zoo (impasto-evaluate). `sheet` stylizes the demo's photos with `zoo/PAINTING/studio`, or
else `zoo/PAINTING`, of each painting at the size of a phone's screen, and needs only the demo extra. The folder of
paintings contains a styles.csv (benchmarks/runs.py).

Run: python -m benchmarks.zoo train --styles DIR --photos DIR [--paintings NAME ...] [--steps N] [key=value ...]
     python -m benchmarks.zoo studio --paintings NAME ...
     python -m benchmarks.zoo export
     python -m benchmarks.zoo store --checkpoint FILE [--name video]
     python -m benchmarks.zoo table --styles DIR --val DIR
     python -m benchmarks.zoo sheet
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import demo, frontier, runs, zoo_texts
from impasto.configs.schema.stylize import StylizeConfig
from impasto.export.inference.stylizer import Stylizer
from impasto.models import zoo
from impasto.models.card import Card
from impasto.models.image import decode, encode
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import Picture, resize
from impasto.models.provenance import sha256
from impasto.train.runtime import contact_sheet

HOME = Path("outputs/zoo")
SHEET = Path("docs/zoo.jpg")
TABLE = zoo.FOLDER / "README.md"
GRAIN = {"night_cafe": 3.0, "starry_night": 3.0}  # levels, of `mobile` and `studio`: viewers preferred it
PASSES = 3  # of `studio`
DISPLAY = 1080  # px: the short side of a phone's screen, at which the photos of the contact sheet are stylized
SIDE = 280  # px: the short side of a picture on the contact sheet, at most
LITERT_SIZE = (256, 256)  # px; the page rewrites it for each photo (export/web/engine/tflite.mjs)
LITERT_STUDIO_SIZE = (768, 768)  # px, so that the page can tell the sides of all passes
QUALITY, LARGEST = 75, 600_000  # JPEG quality and bytes of the contact sheet, which the README shows


def train(options: argparse.Namespace) -> None:
    """Train networks, and copy them into the zoo."""
    for painting in runs.paintings(options.styles, options.paintings):
        for model in options.models:
            path = runs.train(options.home, painting, model, options.photos, options.steps, *options.overrides)
            install(path, painting.name, model)


def install(path: Path, painting: str, model: str) -> None:
    """Copy a checkpoint and its int8-stored ONNX file into the zoo, with PROVENANCE in its card."""
    from impasto.models import checkpoint

    folder = zoo.FOLDER / painting
    folder.mkdir(parents=True, exist_ok=True)
    network, card = checkpoint.load(path)
    assert card.style is not None and card.data is not None
    title, artist, source = zoo_texts.PROVENANCE[painting]
    grain = GRAIN.get(painting, 0.0) if model != "tiny" else 0.0
    card = replace(
        card,
        style=replace(card.style, title=title, artist=artist, source=source, license="public domain", grain=grain),
        data=replace(card.data, source=zoo_texts.PHOTOS, license=zoo_texts.PHOTOS_LICENSE),
        init=card.init and replace(card.init, license=zoo_texts.NETWORK_LICENSE),  # each began with a network of ours
        license=zoo_texts.NETWORK_LICENSE,
    )
    copy = folder / f"{model}{checkpoint.SUFFIX}"
    checkpoint.save(copy, network, card)
    _, int8 = frontier.exported_bytes(copy)
    (folder / f"{model}.onnx").write_bytes(int8)
    write_litert(copy)


def write_litert(path: Path) -> None:
    """Write the LiteRT file of a checkpoint beside it, for the GPU in the page of impasto-app."""
    from impasto.export import fp16_rescale
    from impasto.export.litert import writer
    from impasto.models import checkpoint
    from impasto.models.contract import Label

    network, card = checkpoint.load(path)
    safe = fp16_rescale.fp16_safe(network, fp16_rescale.calibration_images())
    size = LITERT_SIZE if network.passes == 1 else LITERT_STUDIO_SIZE
    writer.write(safe, path.with_suffix(zoo.LITERT), [size], Label.of(card))


def studio(options: argparse.Namespace) -> None:
    """Install networks of one pass as networks of several, which have the same weights."""
    from impasto.models import checkpoint

    for painting in options.paintings:
        network, card = checkpoint.load(zoo.FOLDER / painting / f"mobile{checkpoint.SUFFIX}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{zoo.STUDIO}{checkpoint.SUFFIX}"
            checkpoint.save(path, network, replace(card, model=replace(card.model, passes=PASSES)))
            install(path, painting, zoo.STUDIO)


def store(options: argparse.Namespace) -> None:
    """Install the checkpoint of a store of paintings of the zoo, with PROVENANCE in its card."""
    from impasto.models import checkpoint
    from impasto.models.card import StoreCard
    from impasto.models.store import Store

    network, card = checkpoint.load_any(options.checkpoint)
    assert isinstance(network, Store) and card.store is not None and card.data is not None
    styles = []
    for style in card.store.styles:
        title, artist, source = zoo_texts.PROVENANCE[style.name]
        styles.append(replace(style, title=title, artist=artist, source=source, license="public domain"))
    card = replace(
        card,
        store=StoreCard(options.name, styles),
        data=replace(card.data, source=zoo_texts.PHOTOS, license=zoo_texts.PHOTOS_LICENSE),
        init=card.init and replace(card.init, license=zoo_texts.NETWORK_LICENSE),
        license=zoo_texts.NETWORK_LICENSE,
    )
    folder = zoo.FOLDER / options.name
    folder.mkdir(exist_ok=True)
    copy = folder / f"{card.model.name}{checkpoint.SUFFIX}"
    checkpoint.save(copy, network, card)
    _, int8 = frontier.exported_bytes(copy)
    copy.with_suffix(".onnx").write_bytes(int8)


def export(options: argparse.Namespace) -> None:
    """Install each network of the zoo again."""
    for painting in zoo.names():
        for model in zoo.models(painting):
            install(zoo.FOLDER / painting / f"{model}.safetensors", painting, model)
            print(painting, model)


def evaluate(path: Path, painting: Path, options: argparse.Namespace, displayed: bool) -> dict[str, Any]:
    """The medians of impasto-evaluate, also at display size if `displayed`; of an earlier call with this network."""
    home = options.home / "evaluations" / f"{path.parent.name}-{path.stem}-{sha256(path)[:12]}"
    if not (home / "evaluation.json").is_file():
        command = [str(Path(sys.executable).with_name("impasto-evaluate")), f"checkpoint={path}", f"style={painting}"]
        command += [f"photos={options.val}", f"output={home}", f"cache={options.home / 'trajectories'}"]
        display = f"display_count={options.count}" if displayed else "display=null"
        command += [f"evaluate.{display}", "evaluate.sizes=[256]", "evaluate.starts=[noise]"]
        command += ["evaluate.count=1", f"evaluate.iterations={options.iterations}"]
        subprocess.run(command, check=True)
    report = json.loads((home / "evaluation.json").read_text(encoding="utf-8"))
    (medians,) = report["medians"]
    return {**medians, **(report["display"] or {"medians": {}})["medians"]}


def _start(card: Card, painting: str) -> str:
    """What the network's training began with, for the table."""
    if card.model.passes > 1:
        return ", those of mobile"
    if card.init is None:
        return ""
    # The file of that name is the network itself now.
    first = card.init.name in (f"{zoo.PREFIX}{painting}", f"{zoo.PREFIX}{painting}/{card.model.name}")
    return " after the network before" if first else f" after {card.init.name}"


def _figures(medians: dict[str, Any]) -> list[str]:
    """The cells of the measured columns."""
    display = ["-"] * 8
    if "octaves" in medians:
        pattern = medians["pattern"]
        display = [f"{octave:.2f}" for octave in medians["octaves"]]
        display += [f"{medians['edges']:.2f}", f"{pattern['fraction']:.2f} at {pattern['period']:.1f} px"]
        display.append("-" if medians["flat_texture"] is None else f"{medians['flat_texture']:.2f}")
        display.append(f"{medians['weave']:.2f}")
    return [
        *display,
        *(f"{medians['equivalent_iterations']:g}", f"{medians['ratio']:.2f}"),
        f"{medians['flicker']['both']:.1f}",
    ]


def table(options: argparse.Namespace) -> None:
    """Measure each network of the zoo, and write the table."""
    from impasto.models import checkpoint

    text = zoo_texts.ABOUT.format(count=options.count, iterations=options.iterations)
    text += f"| {' | '.join(zoo_texts.HEAD)} |\n|{' --- |' * len(zoo_texts.HEAD)}\n"
    for painting in runs.paintings(options.styles, zoo.names()):
        for model in zoo.models(painting.name):
            path = zoo.resolve(f"zoo/{painting.name}/{model}", checkpoint.SUFFIX)
            network, card = checkpoint.load(path)
            assert card.style is not None
            cells = [
                *(card.style.title, card.style.artist, f"`{painting.name}/{model}`"),
                str(card.style.stroke_resolution or "native"),
                f"{sum(weight.numel() for weight in network.parameters()):,}",
                f"{card.training.images if card.training else 0:,}" + _start(card, painting.name),
                f"{path.with_suffix('.onnx').stat().st_size:,}",
            ]
            cells += _figures(evaluate(path, painting.path, options, card.style.stroke_resolution is not None))
            text += f"| {' | '.join(cells)} |\n"
    TABLE.write_text(text, encoding="utf-8")
    print(text)


def sheet(options: argparse.Namespace) -> None:
    """Stylize the demo's validation photos at display size with the network of each painting, beside the paintings."""
    with tempfile.TemporaryDirectory() as folder:
        photos = [decode.read(path) for path in find_pictures(demo.photos(Path(folder), demo.VAL_PHOTOS))]
    displayed = [Picture(resize(photo.rgb, DISPLAY)) for photo in photos]
    rows, captions = [[contact_sheet.BLANK, *(photo.rgb for photo in displayed)]], ["photos"]
    for painting in zoo.names():
        original = decode.read(zoo.FOLDER / painting / zoo.PAINTING).rgb
        model = f"zoo/{painting}/{zoo.STUDIO}" if zoo.STUDIO in zoo.models(painting) else f"zoo/{painting}"
        stylizer = Stylizer(StylizeConfig(model=model, input="-", output="-"), threads=0)
        rows.append([original, *(stylizer(photo).rgb for photo in displayed)])
        captions.append(model)
    for side in range(SIDE, 100, -10):
        small = [[contact_sheet.thumbnail(row[0], side), *(resize(rgb, side) for rgb in row[1:])] for row in rows]
        pixels = contact_sheet.sheet(small, [""] * len(small[0]), captions)
        encode.write(Picture(pixels), SHEET, quality=QUALITY)
        if SHEET.stat().st_size <= LARGEST:
            break
    print(SHEET)


def main() -> None:
    """Run a subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("export").set_defaults(command=export)
    studio_parser = commands.add_parser("studio")
    studio_parser.add_argument("--paintings", nargs="+", required=True)
    studio_parser.set_defaults(command=studio)
    store_parser = commands.add_parser("store")
    store_parser.add_argument("--checkpoint", type=Path, required=True)
    store_parser.add_argument("--name", choices=[zoo.STORE, zoo.VIDEO], default=zoo.STORE)
    store_parser.set_defaults(command=store)
    train_parser, table_parser, sheet_parser = (commands.add_parser(name) for name in ("train", "table", "sheet"))
    for command, folder in ((train_parser, "photos"), (table_parser, "val")):
        command.add_argument("--styles", type=Path, required=True)
        command.add_argument(f"--{folder}", type=Path, required=True)
        command.add_argument("--home", type=Path, default=HOME)
    train_parser.add_argument("--paintings", nargs="+", default=["starry_night", "great_wave", "udnie", "the_scream"])
    train_parser.add_argument("--models", nargs="+", default=["mobile", "tiny"])
    train_parser.add_argument("--steps", type=int, default=1200)
    train_parser.add_argument("overrides", nargs="*", help="more settings of impasto-train")
    table_parser.add_argument("--count", type=int, default=3, help="photos at display size")
    table_parser.add_argument("--iterations", type=int, default=60)
    train_parser.set_defaults(command=train)
    table_parser.set_defaults(command=table)
    sheet_parser.set_defaults(command=sheet)
    options = parser.parse_args()
    options.command(options)


if __name__ == "__main__":
    main()
