"""Photos to learn on, from a folder tree or a zip; of which to train on and which to validate on."""

import copy
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from lzma import LZMAError
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.configs.errors import RequestError
from impasto.configs.schema import DataConfig
from impasto.models import headers, pictures
from impasto.models.headers import Header
from impasto.models.pictures import SUFFIXES, UnreadablePicture
from impasto.train import skiplist

MAX_BYTES = 1 << 28  # of one photo in a zip, so that a zip bomb cannot fill the memory
# What zipfile raises over a damaged file: RuntimeError where it takes it for encrypted, or of a kind that it knows not.
_DAMAGED = (zipfile.BadZipFile, zlib.error, LZMAError, OSError, RuntimeError, EOFError, ValueError, OverflowError)


class PhotoSet:
    """The photos below a folder or in a zip, by name; pictures are recognised by their suffix.

    `stamp` is another one where any file of `root` was changed, or replaced by one of the same size and date, and where
    a folder was moved; `sha256`, of names and sizes alone, is the same wherever the photos are. `numbers` counts all of
    `root`'s photos.
    """

    def __init__(self, root: Path, key: str, skip: str | None = None) -> None:
        self.root = root
        self._zips: dict[int, zipfile.ZipFile] = {}
        if root.is_dir():
            self.names = [str(path.relative_to(root)) for path in pictures.find_pictures(root)]
            files = {name: (root / name).stat() for name in self.names}
            sizes = {name: file.st_size for name, file in files.items()}
            place = str(root.resolve())  # for file systems that make up the rest
            versions: list[object] = [place, *((name, *_version(file)) for name, file in files.items())]
        elif root.is_file() and _is_zip(root):
            entries = {entry.filename: entry for entry in self._zip().infolist() if _is_photo(entry.filename)}
            self.names = sorted(entries)
            sizes = {name: entry.file_size for name, entry in entries.items()}
            versions = [(name, sizes[name], entries[name].CRC) for name in self.names]
        else:
            kind = "is neither a folder nor a zip file" if root.exists() else "does not exist"
            raise RequestError(f"{key}={root} {kind}; name a folder of photos, or a zip of one")
        if not self.names:
            raise RequestError(f"{key}={root} holds no photos ({', '.join(SUFFIXES)}); name a folder that does")
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.stamp = _sha256(versions)
        if skip is not None:
            self._leave_out(skip, key)
        self.sha256 = _sha256([(name, sizes[name]) for name in self.names])

    def _leave_out(self, skip: str, key: str) -> None:
        listed = skiplist.read(Path(skip))
        if listed and not listed & {*self.names}:
            raise RequestError(f"data.skip={skip} names no photo of {key}={self.root}; make it with impasto-check")
        self.names = [name for name in self.names if name not in listed]
        if not self.names:
            raise RequestError(f"data.skip={skip} names every photo of {key}={self.root}; leave some to train on")

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_zips": {}}  # each process opens its own

    def header(self, name: str) -> Header:
        """What the file of one photo says of it; raises UnreadablePicture."""
        if self.root.is_dir():
            return headers.read(self.root / name)
        return headers.read(self._unzip(name), name=f"{self.root}/{name}")

    def read(self, name: str, short_side: int) -> NDArray[np.uint8]:
        """One photo [H, W, 3], resized to a short side; raises UnreadablePicture."""
        return pictures.resize(self.decode(name, short_side), short_side)

    def decode(self, name: str, short_side: int) -> NDArray[np.uint8]:
        """One photo [H, W, 3], as large as decodes fastest but not below a short side; raises UnreadablePicture."""
        if self.root.is_dir():
            picture = pictures.read(self.root / name, short_side=short_side)
        else:
            picture = pictures.read(self._unzip(name), name=f"{self.root}/{name}", short_side=short_side)
        height, width = picture.rgb.shape[:2]
        if max(height, width) > 16 * min(height, width):
            raise UnreadablePicture(f"{self.root}/{name} is {width}x{height}: too narrow to crop")
        return picture.rgb

    def _unzip(self, name: str) -> io.BytesIO:
        try:
            with self._zip().open(name) as file:
                data = file.read(MAX_BYTES + 1)
        except _DAMAGED as error:
            raise UnreadablePicture(f"{self.root}/{name} cannot be unpacked: {error}") from error
        if len(data) > MAX_BYTES:
            raise UnreadablePicture(f"{self.root}/{name} is over {MAX_BYTES >> 20} MiB")
        return io.BytesIO(data)

    def _zip(self) -> zipfile.ZipFile:
        # Each worker process opens its own: a shared file position would mix their reads.
        process = os.getpid()
        if process not in self._zips:
            try:
                self._zips = {process: zipfile.ZipFile(self.root)}
            except _DAMAGED as error:
                raise RequestError(f"{self.root} is a damaged zip file ({error}); make it again") from error
        return self._zips[process]


def split(config: DataConfig) -> tuple[PhotoSet, PhotoSet]:
    """The photos to train on, and to validate on: `val_root`, or some of `root`, by the hash of their names."""
    train = PhotoSet(Path(config.root), "data.root", config.skip)
    if config.val_root is not None:
        held_out = PhotoSet(Path(config.val_root), "data.val_root")
        held_out.names = held_out.names[: config.val_photos]
        return train, held_out
    held_out = copy.copy(train)
    count = min(config.val_photos, max(1, len(train.names) // 5))
    held_out.names = sorted(sorted(train.names, key=lambda name: hashlib.sha256(name.encode()).digest())[:count])
    train.names = [name for name in train.names if name not in set(held_out.names)] or train.names
    return train, held_out


def validation_crops(photos: PhotoSet, size: int) -> tuple[Tensor, list[str], list[str]]:
    """The middle square of each photo at short side `size`, uint8 [N, size, size, 3]; their names; what was skipped."""
    crops, names, skipped = [], [], []
    for name in photos.names:
        try:
            photo = photos.read(name, size)
        except UnreadablePicture as error:
            skipped.append(str(error))
            continue
        top, left = ((side - size) // 2 for side in photo.shape[:2])
        crops.append(photo[top : top + size, left : left + size])
        names.append(name)
    if not crops:
        raise RequestError(f"none of the photos to validate on in {photos.root} can be read; the first: {skipped[0]}")
    return torch.from_numpy(np.stack(crops)), names, skipped


def to_pixels(batch: Tensor, device: torch.device) -> Tensor:
    """Photos uint8 [N, H, W, 3] to pixels float [N, 3, H, W] on the device, in channels-last memory."""
    return batch.to(device, non_blocking=True).permute(0, 3, 1, 2).float()


def _sha256(listed: Sequence[object]) -> str:
    return hashlib.sha256(repr(listed).encode(errors="surrogateescape")).hexdigest()


def _version(file: os.stat_result) -> tuple[int, ...]:
    # Another photo's file can have the same size and date (cp -p, tar), but not the same inode and time of change.
    return file.st_size, file.st_mtime_ns, file.st_ctime_ns, file.st_ino


def _is_zip(path: Path) -> bool:
    """Whether it is a zip, damaged ones included."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def _is_photo(name: str) -> bool:
    path = Path(name)
    return path.suffix.lower() in SUFFIXES and not any(part.startswith((".", "__MACOSX")) for part in path.parts)
