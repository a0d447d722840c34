"""The demo: train a style that impasto paints itself on photos that installed packages ship, export it, look at it.

Run: make demo
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from impasto.configs.app import compose
from impasto.models import pictures
from impasto.models.pictures import Picture
from impasto.train import painting, sheets

HOME = Path("outputs/demo")
SHORT_SIDE = 448  # px
PACKAGES = {  # photographs that may be redistributed, in the wheels of the demo extra
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
}
TRAIN = {
    "skimage": ("astronaut.png", "rocket.jpg", "motorcycle_left.png", "motorcycle_right.png", "hubble_deep_field.jpg"),
    "sklearn": ("flower.jpg",),
    "matplotlib": ("grace_hopper.jpg",),
}
HELD_OUT = {"skimage": ("chelsea.png", "coffee.png"), "sklearn": ("china.jpg",)}


def photos(folder: Path, names: dict[str, tuple[str, ...]]) -> Path:
    """Gather photos of installed packages in a folder, as JPEGs of the size that photo collections have."""
    from importlib.util import find_spec

    folder.mkdir(parents=True, exist_ok=True)
    for package, files in names.items():
        spec = find_spec(package)
        assert spec and spec.origin, f"{package} is not installed: pip install 'impasto[demo]'"
        for file in files:
            rgb = pictures.read(Path(spec.origin).parent / PACKAGES[package] / file).rgb
            small = rgb if min(rgb.shape[:2]) <= SHORT_SIDE else pictures.resize(rgb, SHORT_SIDE)
            pictures.write(Picture(small), (folder / file).with_suffix(".jpg"), quality=95)
    return folder


def call(verb: str, *arguments: str) -> float:
    """Run a command as a user would, and return its seconds."""
    line = [str(Path(sys.executable).with_name(f"impasto-{verb}")), *arguments]
    Console(stderr=True).print(f"\n$ impasto-{verb} {' '.join(arguments)}", style="bold", soft_wrap=True)
    started = time.monotonic()
    subprocess.run(line, check=True)
    return time.monotonic() - started


def main() -> None:
    """Train, export, stylize, show."""
    style = compose("train", ["experiment=demo", "data.root=."]).style
    shutil.rmtree(HOME, ignore_errors=True)
    train, held_out = photos(HOME / "photos/train", TRAIN), photos(HOME / "photos/held_out", HELD_OUT)
    picture = painting.paint(style.painter, style.size, style.seed)
    pictures.write(Picture(picture), HOME / "style.png", quality=95)
    run, bundle = HOME / "run", HOME / "bundle" / style.name
    seconds = call(
        *("train", "experiment=demo", f"data.root={train}", f"data.val_root={held_out}", f"hydra.run.dir={run}"),
        *sys.argv[1:],
    )
    checkpoint = max(run.glob("*.safetensors"))
    call("export", f"checkpoint={checkpoint}", f"output={bundle}")
    call("verify", f"bundle={bundle}")
    call("stylize", f"model={bundle}", f"input={held_out}", f"output={HOME / 'stylized'}")
    rows = []
    for path in pictures.find_pictures(held_out):
        photo, stylized = (pictures.read(file).rgb for file in (path, HOME / "stylized" / path.name))
        height, width = photo.shape[:2]
        rows.append([pictures.resize(p, (300, round(300 * width / height))) for p in (photo, stylized)])
        rows[-1].insert(0, pictures.resize(picture, 300))
    sheets.write_sheet(HOME / "sheet.png", rows, ("style", "photo, not trained on", "network"))
    report(seconds, checkpoint, bundle, run)


def report(seconds: float, checkpoint: Path, bundle: Path, run: Path) -> None:
    """Print the last table; impasto-export has printed one of the bundle."""
    from impasto.models.checkpoint import load

    _, card = load(checkpoint)
    first, last = card["validation"][0], card["validation"][-1]
    table = Table(title="impasto demo", show_header=False)
    table.add_row(
        "training", f"{seconds:.0f} s, {card['training']['images']:,} images, {card['training']['precision']}"
    )
    for row, name in ((first, "first"), (last, "last")):
        losses = f"{row['total']:,.0f} = content {row['content']:,.0f} + style {row['style']:,.0f}"
        table.add_row(f"{name} loss, held-out photos", f"{losses} (step {row['step']:.0f})")
    table.add_row("look at", f"{HOME / 'sheet.png'}, {HOME / 'stylized'}, {run / 'curves.png'}, {run / 'samples'}")
    table.add_row("ship", str(bundle))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
