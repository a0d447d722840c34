"""The demo: train a procedural style on photos from installed packages, export the network, verify and apply it.

Run: make demo
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from impasto.configs.cli.app import compose
from impasto.models.image import decode, encode
from impasto.models.image.discover import find_pictures
from impasto.models.image.picture import Picture, resize
from impasto.train.data import procedural_style
from impasto.train.runtime import contact_sheet

HOME = Path("outputs/demo")
SHORT_SIDE = 448  # px
PACKAGES = {  # the wheels of the demo extra, whose photographs may be redistributed
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
}
TRAIN = {
    "skimage": ("astronaut.png", "rocket.jpg", "motorcycle_left.png", "motorcycle_right.png", "hubble_deep_field.jpg"),
    "sklearn": ("flower.jpg",),
    "matplotlib": ("grace_hopper.jpg",),
}
VAL_PHOTOS = {"skimage": ("chelsea.png", "coffee.png"), "sklearn": ("china.jpg",)}


def photos(folder: Path, names: dict[str, tuple[str, ...]]) -> Path:
    """Copy photos of installed packages into a folder, as JPEGs of the size of photo collections."""
    from importlib.util import find_spec

    folder.mkdir(parents=True, exist_ok=True)
    for package, files in names.items():
        spec = find_spec(package)
        assert spec and spec.origin, f"{package} is not installed: pip install -e '.[demo]'"
        for file in files:
            rgb = decode.read(Path(spec.origin).parent / PACKAGES[package] / file).rgb
            small = rgb if min(rgb.shape[:2]) <= SHORT_SIDE else resize(rgb, SHORT_SIDE)
            encode.write(Picture(small), (folder / file).with_suffix(".jpg"), quality=95)
    return folder


def call(command: str, *arguments: str) -> float:
    """Run a command as a user would, and return its duration in seconds."""
    line = [str(Path(sys.executable).with_name(f"impasto-{command}")), *arguments]
    Console(stderr=True).print(f"\n$ impasto-{command} {' '.join(arguments)}", style="bold", soft_wrap=True)
    started = time.monotonic()
    subprocess.run(line, check=True)
    return time.monotonic() - started


def main() -> None:
    """Train, export, verify, stylize, and write a contact sheet."""
    style = compose("train", ["experiment=demo", "data.root=."]).style
    shutil.rmtree(HOME, ignore_errors=True)
    train, val_photos = photos(HOME / "photos/train", TRAIN), photos(HOME / "photos/val", VAL_PHOTOS)
    style_image = procedural_style.paint(style.painter, style.size, style.seed)
    encode.write(Picture(style_image), HOME / "style.png", quality=95)
    run, bundle = HOME / "run", HOME / "bundle" / style.name
    seconds = call(
        *("train", "experiment=demo", f"data.root={train}", f"data.val_root={val_photos}", f"hydra.run.dir={run}"),
        *sys.argv[1:],
    )
    checkpoint = max(run.glob("*.safetensors"))
    tools = Path(__file__).parents[1] / "build" / "tools"
    named = [f"tools_dir={tools}"] if tools.is_dir() else []
    call("export", f"checkpoint={checkpoint}", f"output={bundle}", *named)
    call("verify", f"bundle={bundle}", *named)
    call("stylize", f"model={bundle}", f"input={val_photos}", f"output={HOME / 'stylized'}")
    rows = []
    for path in find_pictures(val_photos):
        photo, stylized = (decode.read(file).rgb for file in (path, HOME / "stylized" / path.name))
        height, width = photo.shape[:2]
        rows.append([resize(p, (300, round(300 * width / height))) for p in (photo, stylized)])
        rows[-1].insert(0, resize(style_image, 300))
    contact_sheet.write_sheet(HOME / "sheet.png", rows, ("style", "photo, not trained on", "network"))
    report(seconds, checkpoint, bundle, run)


def report(seconds: float, checkpoint: Path, bundle: Path, run: Path) -> None:
    """Print the losses and where the results are; impasto-export has printed the table of the bundle."""
    from impasto.models.checkpoint import load

    _, card = load(checkpoint)
    assert card.training is not None
    first, last = card.validation[0], card.validation[-1]
    table = Table(title="impasto demo", show_header=False)
    table.add_row("training", f"{seconds:.0f} s, {card.training.images:,} images, {card.training.precision}")
    for row, name in ((first, "first"), (last, "last")):
        losses = f"{row['total']:,.0f} = content {row['content']:,.0f} + style {row['style']:,.0f}"
        table.add_row(f"{name} loss, validation photos", f"{losses} (step {row['step']:.0f})")
    table.add_row("look at", f"{HOME / 'sheet.png'}, {HOME / 'stylized'}, {run / 'curves.png'}, {run / 'samples'}")
    table.add_row("ship", str(bundle))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
