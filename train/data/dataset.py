"""Photo sets: the photos of a folder tree or a zip file, and their split into training and validation photos."""

import copy
import hashlib
import io
import logging
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

from impasto.configs.errors import UsageError
from impasto.configs.schema.data import DataConfig
from impasto.models.image import color, decode, header
from impasto.models.image.discover import SUFFIXES, scan_folder, unread
from impasto.models.image.header import Header
from impasto.models.image.picture import UnreadablePicture, resize
from impasto.train.data import exclude_list
from impasto.train.data.own_pictures import own_pictures

logger = logging.getLogger(__name__)

MAX_BYTES = 1 << 28  # of one photo in a zip file, so that a zip bomb cannot fill the memory
MAX_ASPECT_RATIO = 16
# What zipfile raises on a damaged file; RuntimeError where it takes an entry for encrypted or for an unknown version.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, LZMAError, OSError, RuntimeError, EOFError, ValueError, OverflowError)


class PhotoSet:
    """The photos below a folder or in a zip file, recognized by their suffix.

    Args:
        root: A folder or a zip file.
        key: The configuration key that names `root` in error messages.
        exclude: A file that lists photos to leave out (see `exclude_list`).

    Attributes:
        names: The photos' paths relative to `root`, sorted, without the excluded ones.
        indices: An index for each photo of `root`, the excluded ones included.
        fingerprint: A hash that changes whenever a file of `root` changes, even if the new file has the same size and
            date, and whenever the folder moves. It identifies the cache of decoded photos.
        sha256: A hash of names and sizes. It is the same wherever the photos are.

    Raises:
        UsageError: `root` or `exclude` cannot be read, or no photo is left.
    """

    def __init__(self, root: Path, key: str, exclude: str | None = None) -> None:
        self.root = root
        self._zip_files: dict[int, zipfile.ZipFile] = {}
        self._is_folder = root.is_dir()  # a folder that vanishes later does not become a zip file
        if self._is_folder:
            pictures, problems = scan_folder(root)
            _log_unread(key, root, problems)
            own = own_pictures(root, pictures)
            if own:
                logger.warning(
                    "%s=%s: %d pictures are left out, which impasto wrote (such as %s)",
                    *(key, root, len(own), min(own).relative_to(root)),
                )
            self.names = [path.relative_to(root).as_posix() for path in pictures if path not in own]
            stats = {name: (root / name).stat() for name in self.names}
            sizes = {name: stat.st_size for name, stat in stats.items()}
            location = str(root.resolve())  # some file systems invent inodes and times of change
            versions: list[object] = [location, *((name, *_version(stat)) for name, stat in stats.items())]
        elif root.is_file() and _is_zip(root):
            entries = {entry.filename: entry for entry in self._zip_file().infolist() if _is_photo(entry.filename)}
            self.names = sorted(entries)
            _log_unread(key, root, [message for name in self._zip_file().namelist() if (message := unread(Path(name)))])
            sizes = {name: entry.file_size for name, entry in entries.items()}
            versions = [(name, sizes[name], entries[name].CRC) for name in self.names]
        else:
            problem = "is neither a folder nor a zip file" if root.exists() else "does not exist"
            raise UsageError(f"{key}={root} {problem}; name a folder or a zip file of photos")
        if not self.names:
            raise UsageError(f"{key}={root} holds no photos ({', '.join(SUFFIXES)}); name a folder that does")
        self.indices = {name: index for index, name in enumerate(self.names)}
        self.fingerprint = _sha256(versions)
        if exclude is not None:
            self._exclude(exclude, key)
        self.sha256 = _sha256([(name, sizes[name]) for name in self.names])

    def _exclude(self, exclude: str, key: str) -> None:
        excluded = exclude_list.read(Path(exclude))
        if excluded and not excluded & {*self.names}:
            raise UsageError(
                f"data.exclude={exclude} lists no photo of {key}={self.root}; create the list with impasto-check"
            )
        self.names = [name for name in self.names if name not in excluded]
        if not self.names:
            raise UsageError(
                f"data.exclude={exclude} lists every photo of {key}={self.root}; remove some photos from the list"
            )

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_zip_files": {}}  # each process opens the zip file itself

    def header(self, name: str) -> Header:
        """Return what the header of one photo's file says.

        Raises:
            UnreadablePicture: The file cannot be read.
        """
        if self._is_folder:
            return header.read(self.root / name)
        return header.read(self._unzip(name), name=f"{self.root}/{name}")

    def read(self, name: str, short_side: int) -> NDArray[np.uint8]:
        """Return one photo, uint8 [H, W, 3], resized to a short side.

        Raises:
            UnreadablePicture: The photo cannot be decoded, or its aspect ratio is over MAX_ASPECT_RATIO.
        """
        return resize(self.decode(name, short_side), short_side)

    def decode(self, name: str, short_side: int) -> NDArray[np.uint8]:
        """Return one photo, uint8 [H, W, 3], at the size that decodes fastest, with at least this short side.

        A photo with transparency is composited over white, as a browser shows it.

        Raises:
            UnreadablePicture: The photo cannot be decoded, or its aspect ratio is over MAX_ASPECT_RATIO.
        """
        if self._is_folder:
            picture = decode.read(self.root / name, short_side=short_side)
        else:
            picture = decode.read(self._unzip(name), name=f"{self.root}/{name}", short_side=short_side)
        height, width = picture.rgb.shape[:2]
        if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
            raise UnreadablePicture(f"{self.root}/{name} is {width}x{height}: too narrow to crop")
        return color.over_white(picture.rgb, picture.alpha)

    def _unzip(self, name: str) -> io.BytesIO:
        try:
            with self._zip_file().open(name) as file:
                data = file.read(MAX_BYTES + 1)
        except _ZIP_ERRORS as error:
            raise UnreadablePicture(f"{self.root}/{name} cannot be unpacked: {error}") from error
        if len(data) > MAX_BYTES:
            raise UnreadablePicture(f"{self.root}/{name} is over {MAX_BYTES >> 20} MiB")
        return io.BytesIO(data)

    def _zip_file(self) -> zipfile.ZipFile:
        # Processes that shared one open file would share its position, and so corrupt each other's reads.
        process = os.getpid()
        if process not in self._zip_files:
            try:
                self._zip_files = {process: zipfile.ZipFile(self.root)}
            except _ZIP_ERRORS as error:
                raise UsageError(f"{self.root} is a damaged zip file ({error}); create it again") from error
        return self._zip_files[process]


def _log_unread(key: str, root: Path, problems: Sequence[str]) -> None:
    if problems:
        logger.warning("%s=%s: %d files are not read, the first: %s", key, root, len(problems), problems[0])


def split(config: DataConfig) -> tuple[PhotoSet, PhotoSet]:
    """Return the training photos and the validation photos.

    The validation photos come from `config.val_root`. Without one they are taken from `config.root` by the hash of
    their names, so the split is the same in every run.

    Raises:
        UsageError: A root or the exclude list cannot be read, or contains no photos.
    """
    train = PhotoSet(Path(config.root), "data.root", config.exclude)
    if config.val_root is not None:
        val_photos = PhotoSet(Path(config.val_root), "data.val_root")
        val_photos.names = val_photos.names[: config.val_photos]
        return train, val_photos
    val_photos = copy.copy(train)
    count = min(config.val_photos, max(1, len(train.names) // 5))
    val_photos.names = sorted(sorted(train.names, key=_name_digest)[:count])
    train.names = [name for name in train.names if name not in set(val_photos.names)] or train.names
    return train, val_photos


def warn_of_few_val_photos(config: DataConfig, photos: PhotoSet, val_photos: PhotoSet) -> None:
    """Log a warning if `split` found fewer photos than the validation photos that the settings ask for."""
    of_root = set() if config.val_root is not None else set(photos.names)
    count = len(of_root | set(val_photos.names))
    if config.val_photos > count:
        key = "data.root" if config.val_root is None else "data.val_root"
        logger.warning(
            "data.val_photos=%d is more than the photos of %s=%s, %d", config.val_photos, key, val_photos.root, count
        )


def validation_crops(photos: PhotoSet, size: int) -> tuple[Tensor, list[str], list[str]]:
    """Return the center square of each readable photo.

    Args:
        photos: The photos to read.
        size: The short side to resize each photo to, and the side of its square, in pixels.

    Returns:
        The squares, uint8 [N, size, size, 3]; the names of their photos; and an error message for each photo that
        could not be read.

    Raises:
        UsageError: No photo can be read.
    """
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
        raise UsageError(f"none of the validation photos in {photos.root} can be read; the first error: {skipped[0]}")
    return torch.from_numpy(np.stack(crops)), names, skipped


def to_pixels(batch: Tensor, device: torch.device) -> Tensor:
    """Convert photos uint8 [N, H, W, 3] to float pixels [N, 3, H, W], 0..255, on a device, in channels-last memory."""
    return batch.to(device, non_blocking=True).permute(0, 3, 1, 2).float()


def picture_to_pixels(rgb: NDArray[np.uint8]) -> Tensor:
    """Convert one picture uint8 [H, W, 3] to float pixels [1, 3, H, W], 0..255, on the CPU."""
    return to_pixels(torch.from_numpy(rgb)[None], torch.device("cpu"))


def _name_digest(name: str) -> bytes:
    """A hash of a photo's name, which may contain bytes that are not UTF-8."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).digest()


def _sha256(items: Sequence[object]) -> str:
    return hashlib.sha256(repr(items).encode(errors="surrogateescape")).hexdigest()


def _version(stat: os.stat_result) -> tuple[int, ...]:
    # Another file can have the same size and date (cp -p, tar), but not the same inode and time of change.
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _is_zip(path: Path) -> bool:
    # is_zipfile raises on some damaged zip files.
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def _is_photo(name: str) -> bool:
    path = Path(name)
    return path.suffix.lower() in SUFFIXES and not any(part.startswith((".", "__MACOSX")) for part in path.parts)
