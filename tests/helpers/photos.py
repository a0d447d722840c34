"""Synthetic photos, the settings of a dataset of them, and a zip file like COCO's."""

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from impasto.configs.schema.data import DataConfig


def photo(seed: int, size: tuple[int, int] = (80, 60)) -> Image.Image:
    """Return a smooth photo, (width, height), whose colors depend on the seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (4, 5, 3), np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def config(root: Path, **changes: object) -> DataConfig:
    """Return the settings of a dataset of small photos."""
    settings: dict[str, object] = {
        "root": str(root),
        "val_root": None,
        "exclude": None,
        "val_photos": 2,
        "val_size": 32,
        "size": 32,
        "scale_range": [1.0, 1.5],
        "flip": True,
        "workers": 0,
        "cache": None,
        "cache_gb": 1.0,
    }
    return DataConfig(**(settings | changes))  # type: ignore[arg-type]


def pack(root: Path, path: Path) -> Path:
    """Zip a folder as COCO's files are zipped: everything below one folder, plus what macOS adds."""
    with zipfile.ZipFile(path, "w") as file:
        for name in sorted(root.rglob("*")):
            if name.is_file():
                file.write(name, Path("train2017") / name.relative_to(root))
        file.writestr("__MACOSX/train2017/._a.jpg", b"resource fork")
    return path
