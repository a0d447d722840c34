"""The throughput of the data loader alone, from 640x480 JPEGs in a folder and in a zip file like COCO's.

The baseline `plain` is what most examples do: Pillow decodes, torchvision resizes, crops and converts to float.
`uncached` decodes every photo, `filling` is the first epoch with data.cache, and `cached` a later epoch. The
measurements are interleaved in rounds, each with a new loader, and the medians over the rounds are printed. Photos per
CPU second are the throughput of one core. They do not depend on the load of the machine.

Run: python -m benchmarks.loader --photos DIR [--count 600] [--workers 1 2] [--size 256] [--rounds 3]
"""

import argparse
import io
import os
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

from impasto.configs.cli import app
from impasto.configs.schema.data import DataConfig
from impasto.models.card import CropStage
from impasto.models.image import decode
from impasto.models.image.discover import find_pictures
from impasto.train.data.dataset import PhotoSet
from impasto.train.data.random_crops import Crops, batches
from impasto.train.runtime import device

BATCH = 4
MODES = ("plain", "uncached", "filling", "cached")


def write_photos(source: Path, folder: Path, count: int) -> int:
    """Write `count` 640x480 JPEGs from the pictures below `source`, at COCO's quality; return their mean size."""
    pictures, size = find_pictures(source), 0
    folder.mkdir()
    for number in track(range(count), "writing photos", transient=True):
        photo = Image.fromarray(decode.read(pictures[number % len(pictures)], short_side=480).rgb)
        encoded = io.BytesIO()
        photo.resize((640, 480), Image.Resampling.LANCZOS).save(encoded, "JPEG", quality=94)
        (folder / f"{number:012}.jpg").write_bytes(encoded.getvalue())
        size += encoded.tell()
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_STORED) as file:
        for path in sorted(folder.iterdir()):
            file.write(path, f"{folder.name}/{path.name}")
    return size // count


class Plain(Dataset[Tensor]):
    """The dataset of most examples."""

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
def open_batches(mode: str, config: DataConfig, stage: CropStage, count: int) -> Iterator[Iterator[Any]]:
    """Open a loader of `count` photos."""
    root = Path(config.root)
    if mode == "plain":
        yield iter(DataLoader(Plain(root, stage.size), BATCH, shuffle=True, num_workers=config.workers))
        return
    settings = replace(config, cache=config.cache if mode != "uncached" else None)
    crops = Crops(PhotoSet(root, "data.root"), settings, 0, [stage])
    with batches(crops, BATCH, 0, False, 0, 1) as stream:
        yield islice(stream, count // BATCH)


def measure(mode: str, config: DataConfig, stage: CropStage, count: int) -> tuple[float, float]:
    """Return the photos per second of wall time and of CPU time, over one epoch."""
    started, cpu_started = time.perf_counter(), cpu_seconds()
    with open_batches(mode, config, stage, count) as stream:
        photos = sum(BATCH for _ in stream)
        seconds = time.perf_counter() - started
    return photos / seconds, photos / (cpu_seconds() - cpu_started)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its finished workers."""
    return sum(os.times()[:4])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos of at least 640x480")
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    device.keep_memory()
    measured: dict[tuple[str, str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as work:
        folder, cache = Path(work) / "train", Path(work) / "cache"
        size = write_photos(options.photos, folder, options.count)
        roots = {"folder": folder, "zip": folder.with_suffix(".zip")}
        config = app.compose("train", ["data.root=."]).data
        stage = CropStage(options.size, [1.0, 1.5])
        for _ in track(range(options.rounds), "measuring", transient=True):
            for workers in options.workers:
                for source, root in roots.items():
                    for mode in MODES:
                        if mode == "filling":
                            shutil.rmtree(cache, ignore_errors=True)
                        if mode != "plain" or source == "folder":
                            settings = replace(config, root=str(root), workers=workers, cache=str(cache))
                            speed = measure(mode, settings, stage, options.count // BATCH * BATCH)
                            measured.setdefault((source, mode, workers), []).append(speed)
    table = Table(
        *("source", "loader", "workers", "photos/s", "min-max", "photos per CPU second", "times 16 cores"),
        title=f"{options.count} JPEGs of 640x480, {size / 1000:.0f} kB each, to crops of {options.size} px",
    )
    for (source, mode, workers), speeds in measured.items():
        wall, cpu = ([speed[index] for speed in speeds] for index in (0, 1))
        core = statistics.median(cpu)
        table.add_row(
            *(source, mode, str(workers), f"{statistics.median(wall):.0f}", f"{min(wall):.0f}-{max(wall):.0f}"),
            *(f"{core:.0f}", f"{16 * core:,.0f}"),
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
