"""Photos kept decoded for later epochs and later runs, in a file that any number of processes share.

A file is of one photo set at one short side, and each photo has a place of its own in it. So nothing is allocated, and
nothing locked to write: whoever keeps a photo writes the same bytes to the same place. A photo is good if the checksum
beside it is right; what a kill or a power cut left half written is decoded and written again. The places are as large
as the largest photo may be, which costs nothing, for what was never written of a sparse file takes no room on the disk.
The file is read, not mapped: where its disk fails, or a tmpfs is full, a mapping's reader is killed by SIGBUS.
"""

import errno
import hashlib
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".photos"
LONGEST = 2  # times the short side: what is longer is not kept
_FORMAT = "impasto photos 1"
_HEAD = 4096  # bytes before the first place: which photos these are
_BLOCK = 4096  # bytes: a place has blocks of the disk of its own
_PLACE = struct.Struct("<4sIII")  # mark, height, width, checksum; the pixels follow
_MARK = b"kept"
_FREE = 1 << 30  # bytes of the disk that are left to others
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Photos that impasto decoded; may be removed at any time.\n"
_BOUND = -1  # why no more is kept, where it is no error's number


class Kept:
    """The kept photos of one set, up to `gigabytes` of all that is kept in `folder`; the oldest files make room.

    `stamp` tells the set, with its files' dates, from all others; `count` is how many photos it has, `short_side` the
    size they are kept at. A file that a run has open is never removed. Where the folder cannot be used, or the disk
    is full, nothing is kept; `news` says so.
    """

    def __init__(self, folder: Path, gigabytes: float, stamp: str, count: int, short_side: int) -> None:
        self.folder = folder
        self.gigabytes = gigabytes
        self.room = 3 * LONGEST * short_side**2
        self.place = -(-(_PLACE.size + self.room) // _BLOCK) * _BLOCK
        self.size = _HEAD + count * self.place
        made_by = (PIL.__version__, torch.__version__)  # who decoded and resized
        key = hashlib.sha256(repr((_FORMAT, made_by, stamp, count, short_side)).encode()).hexdigest()
        self.path = folder / f"{key}{SUFFIX}"
        self.head = f"{_FORMAT}\n{key}\n".encode().ljust(_HEAD, b"\0")
        self._news: list[str] = []
        self._warned = False
        # Why nothing more is written, for all workers: 0, _BOUND, or the number of a system's error.
        self._stopped = torch.zeros(1, dtype=torch.int32).share_memory_()
        self._file: int | None = None
        self._open()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()  # a spawned worker; a forked one has its parent's

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            os.close(self._file)  # type: ignore[arg-type]

    def read(self, number: int) -> NDArray[np.uint8] | None:
        """A kept photo [H, W, 3]; None if it is not there, damaged, or cannot be read."""
        if self._file is None:
            return None
        at = _HEAD + number * self.place
        with suppress(OSError, struct.error):  # the latter where the file was cut short
            mark, height, width, checksum = _PLACE.unpack(os.pread(self._file, _PLACE.size, at))
            if mark != _MARK or not 0 < 3 * height * width <= self.room:
                return None
            photo = np.empty((height, width, 3), np.uint8)
            whole = os.preadv(self._file, [photo.data], at + _PLACE.size) == photo.nbytes
            if whole and _checksum(height, width, photo) == checksum:
                return photo
        return None

    def write(self, number: int, photo: NDArray[np.uint8]) -> None:
        """Keep a photo [H, W, 3], if there is room."""
        if self._file is None or self._stopped[0] or photo.nbytes > self.room:
            return
        height, width = photo.shape[:2]
        photo = np.ascontiguousarray(photo)
        data = _PLACE.pack(_MARK, height, width, _checksum(height, width, photo)) + photo.tobytes()
        try:
            if not self._has_room(len(data)):
                self._stopped[0] = _BOUND
            elif shutil.disk_usage(self.folder).free < _FREE + len(data) or os.pwrite(
                self._file, data, _HEAD + number * self.place
            ) < len(data):
                self._stopped[0] = errno.ENOSPC
        except OSError as error:
            self._stopped[0] = error.errno or errno.EIO

    def news(self) -> list[str]:
        """What a user should know, each sentence once: where photos are kept from now on, or why they are not."""
        stopped = int(self._stopped[0])
        if stopped and not self._warned:
            self._warned = True
            self._news.append(self._full() if stopped == _BOUND else self._unusable(os.strerror(stopped).lower()))
        news, self._news = self._news, []
        return news

    def _full(self) -> str:
        return (
            f"data.cache={self.folder} is full: the other photos are decoded each time; give more than "
            f"{self.gigabytes:g} GB with data.cache_gb="
        )

    def _unusable(self, reason: str) -> str:
        return f"data.cache={self.folder} keeps no photos ({reason}): they are decoded each time; name another folder"

    def _open(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tag = self.folder / "CACHEDIR.TAG"  # bford.info/cachedir: backups leave the folder out
            if not tag.exists():
                tag.write_text(_TAG)
            self._file = self._locked()
            self._has_room(0)
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._news.append(self._unusable(reason.lower()))
            if self._file is not None:
                os.close(self._file)
            self._file = None

    def _locked(self) -> int:
        """The file, made where it is not whole, with a shared lock on it: that it is in use."""
        if fcntl is None:
            raise OSError("this system has no locks that can be shared")
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if _lock_alone(file):
                    if self._is_whole(file):
                        self._shrink(file)
                    else:
                        self._make(file)
                fcntl.flock(file, fcntl.LOCK_SH)
                if os.fstat(file).st_nlink:  # else it was removed before the lock was on it
                    if not self._is_whole(file):
                        raise OSError("another run has the file open, and it is damaged")
                    os.utime(file)
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)

    def _is_whole(self, file: int) -> bool:
        return os.fstat(file).st_size == self.size and os.pread(file, _HEAD, 0) == self.head

    def _make(self, file: int) -> None:
        try:
            os.ftruncate(file, 0)
            os.ftruncate(file, 1 << 20)
            if _taken(os.fstat(file)) >= 1 << 20:
                raise OSError("its file system knows no sparse files")
            os.ftruncate(file, self.size)
            os.pwrite(file, self.head, 0)
        except OSError:
            self.path.unlink(missing_ok=True)
            raise
        self._news.append(f"keeping decoded photos in {self.folder}, up to {self.gigabytes:g} GB")

    def _shrink(self, file: int) -> None:
        """Drop photos, the last places first, if the bound was higher when they were kept."""
        end = self.size
        while (excess := _taken(os.fstat(file)) - int(1e9 * self.gigabytes)) > 0 and end > _HEAD:
            end = max(_HEAD, end - max(excess, self.place))  # no more than the excess is in so many bytes
            os.ftruncate(file, end)
        if end < self.size:
            os.ftruncate(file, self.size)

    def _has_room(self, needed: int) -> bool:
        """Whether what is kept stays within the bound; removes the files that were used the longest ago for that."""
        files = sorted(_files(self.folder), key=lambda file: file[1].st_mtime)
        excess = sum(_taken(stat) for _, stat in files) + needed - int(1e9 * self.gigabytes)
        for path, stat in files:
            if excess <= 0:
                break
            if path != self.path and _remove(path):
                excess -= _taken(stat)
        return excess <= 0


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # another run removes files, too
            yield path, path.stat()


def _checksum(height: int, width: int, pixels: NDArray[np.uint8]) -> int:
    return zlib.crc32(pixels.data, zlib.crc32(struct.pack("<II", height, width)))


def _taken(stat: os.stat_result) -> int:
    """Bytes on the disk."""
    return stat.st_blocks * 512


def _lock_alone(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(path: Path) -> bool:
    """Remove a file of kept photos, if it is one and no run has it open."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        ours = os.pread(file, len(_FORMAT), 0) == _FORMAT.encode()
        if ours and _lock_alone(file):
            path.unlink(missing_ok=True)
            return True
        return False
    finally:
        os.close(file)
