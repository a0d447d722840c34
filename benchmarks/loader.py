"""Photos a second that the loader alone feeds, from a folder and from a zip as COCO's are: 640x480 JPEG to crops.

`plain` is what most examples do: Pillow decodes, torchvision resizes, crops and makes floats. `decoding` keeps nothing,
`filling` is the first epoch with data.cache, `kept` a later one. Each row is of a loader of its own; the rows take
turns, and medians of the turns are printed. Photos per second of CPU time are those of one core, however busy the
machine is with other things.

Run: .venv/bin/python benchmarks/loader.py --photos DIR [--count 600] [--workers 1 2] [--size 256] [--turns 3]
"""

import argparse
import io
import resource
import shutil
import statistics
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from impasto.configs import app
from impasto.configs.schema import DataConfig
from impasto.models import pictures
from impasto.train import hardware
from impasto.train.crops import Crops, batches
from impasto.train.photos import PhotoSet

BATCH = 4
WAYS = ("plain", "decoding", "filling", "kept")


def make(source: Path, folder: Path, count: int) -> int:
    """Write `count` JPEGs of 640x480 from the pictures below `source`, at the quality of COCO's; their mean bytes."""
    found, size = pictures.find_pictures(source), 0
    folder.mkdir()
    for number in track(range(count), "making photos", transient=True):
        photo = Image.fromarray(pictures.read(found[number % len(found)], short_side=480).rgb)
        encoded = io.BytesIO()
        photo.resize((640, 480), Image.Resampling.LANCZOS).save(encoded, "JPEG", quality=94)
        (folder / f"{number:012}.jpg").write_bytes(encoded.getvalue())
        size += encoded.tell()
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_STORED) as file:
        for path in sorted(folder.iterdir()):
            file.write(path, f"{folder.name}/{path.name}")
    return size // count


class Plain(Dataset[Tensor]):
    """The usual data set of examples."""

    def __init__(self, root: Path, size: int) -> None:
        from torchvision import transforms

        self.paths = sorted(root.iterdir())
        steps = [transforms.Resize(round(1.25 * size)), transforms.RandomCrop(size), transforms.ToTensor()]
        self.transform = transforms.Compose([*steps, lambda pixels: pixels * 255])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Tensor:
        with Image.open(self.paths[number]) as image:
            return self.transform(image.convert("RGB"))


@contextmanager
def feeding(way: str, config: DataConfig, count: int) -> Iterator[Iterator[Any]]:
    """The batches of a loader of `count` photos."""
    root = Path(config.root)
    if way == "plain":
        yield iter(DataLoader(Plain(root, config.size), BATCH, shuffle=True, num_workers=config.workers))
        return
    crops = Crops(PhotoSet(root, "data.root"), replace(config, cache=config.cache if way != "decoding" else None), 0)
    with batches(crops, BATCH, 0, False, 0, 1) as endless:
        yield islice(endless, count // BATCH)


def feed(way: str, config: DataConfig, count: int) -> tuple[float, float]:
    """Photos per second of the clock, and of CPU time, over the whole set once."""
    started, spent = time.perf_counter(), cpu_seconds()
    with feeding(way, config, count) as made:
        photos = sum(BATCH for _ in made)
        seconds = time.perf_counter() - started
    return photos / seconds, photos / (cpu_seconds() - spent)


def cpu_seconds() -> float:
    """CPU time of this process and of the workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos of at least 640x480")
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    hardware.keep_memory()
    measured: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as work:
        folder, cache = Path(work) / "train", Path(work) / "cache"
        size = make(options.photos, folder, options.count)
        roots = {"folder": folder, "zip": folder.with_suffix(".zip")}
        config = app.compose("train", ["data.root=.", f"data.size={options.size}"]).data
        for _ in track(range(options.turns), "measuring", transient=True):
            for workers in options.workers:
                for source, root in roots.items():
                    for way in WAYS:
                        if way == "filling":
                            shutil.rmtree(cache, ignore_errors=True)
                        if way != "plain" or source == "folder":
                            this = replace(config, root=str(root), workers=workers, cache=str(cache))
                            speed = feed(way, this, options.count // BATCH * BATCH)
                            measured.setdefault((source, way, workers), []).append(speed)
    table = Table(
        *("photos from", "loader", "workers", "photos/s", "lowest-highest", "photos per CPU second", "of 16 cores"),
        title=f"{options.count} JPEGs of 640x480, {size / 1000:.0f} kB each, to crops of {options.size} px",
    )
    for (source, way, workers), speeds in measured.items():
        clock, cpu = ([pair[which] for pair in speeds] for which in (0, 1))
        core = statistics.median(cpu)
        table.add_row(
            *(source, way, str(workers), f"{statistics.median(clock):.0f}", f"{min(clock):.0f}-{max(clock):.0f}"),
            *(f"{core:.0f}", f"{16 * core:,.0f}"),
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
