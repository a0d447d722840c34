"""A cache of decoded photos for later epochs and later runs: one file that any number of processes share.

A file belongs to one photo set at one short side, and each photo has its own slot in the file. So no space has to be
allocated and no lock has to be taken to write: every process that caches a photo writes the same bytes to the same
slot. A cached photo is valid if its checksum matches; whatever a kill or a power cut left incomplete is decoded and
written again. Each slot is as large as the largest photo can be. That costs nothing, because the unwritten parts of a
sparse file take no space on the disk. The file is read, not mapped: where the disk fails or a tmpfs is full, a process
that reads a mapping is killed by SIGBUS.
"""

import errno
import hashlib
import logging
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
MAX_ASPECT_RATIO = 2  # longer photos are not cached, since they set the size of every slot
_MAGIC = "impasto photos"
_FORMAT = f"{_MAGIC} 3"  # count on where photos are decoded to other pixels
_HEADER_BYTES = 4096  # before the first slot: the key of the photo set
_BLOCK = 4096  # bytes; slots are aligned to the blocks of the disk
_SLOT = struct.Struct("<4sIII")  # marker, height, width, checksum; the pixels follow
_MARKER = b"slot"
_RESERVED_BYTES = 1 << 30  # of the disk, left to other programs
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Photos that impasto decoded; may be removed at any time.\n"
_LIMIT_REACHED = -1  # why the cache stopped writing, where the reason is not an errno
_OPEN_ERRORS = (OSError, ValueError, OverflowError)

logger = logging.getLogger(__name__)


class DecodedPhotoCache:
    """The cached photos of one photo set.

    A file that another run has open is never removed. Where the folder cannot be used or the disk is full, the cache
    logs a warning and stores nothing.

    Args:
        folder: The folder for the cache files of all photo sets. Its least recently used files make room for new ones.
        limit_gb: The size limit of the folder in GB.
        fingerprint: A hash that identifies the photo set and the versions of its files.
        count: The number of photos in the set.
        short_side: The short side that photos are cached at, in pixels.
    """

    def __init__(self, folder: Path, limit_gb: float, fingerprint: str, count: int, short_side: int) -> None:
        self.folder = folder
        self.limit_gb = limit_gb
        self.max_photo_bytes = 3 * MAX_ASPECT_RATIO * short_side**2
        self.slot_bytes = -(-(_SLOT.size + self.max_photo_bytes) // _BLOCK) * _BLOCK
        self.file_bytes = _HEADER_BYTES + count * self.slot_bytes
        libraries = (PIL.__version__, torch.__version__)  # they decode and resize
        key = hashlib.sha256(repr((_FORMAT, libraries, fingerprint, count, short_side)).encode()).hexdigest()
        self.path = folder / f"{key}{SUFFIX}"
        self.header = f"{_FORMAT}\n{key}\n".encode().ljust(_HEADER_BYTES, b"\0")
        # Why no process writes any more: 0 while they write, _LIMIT_REACHED, or an errno.
        self._stop_reason = torch.zeros(1, dtype=torch.int32)
        with suppress(RuntimeError):  # /dev/shm is full: each process stops by itself
            self._stop_reason.share_memory_()
        self._stop_logged = False
        self._file: int | None = None
        try:
            self._file = self._open()
        except _OPEN_ERRORS as error:
            self._log_unusable(getattr(error, "strerror", None) or str(error))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        with suppress(*_OPEN_ERRORS):  # the main process has logged why
            self._file = self._open()  # in a spawned worker; a forked one inherits the file of its parent

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            os.close(self._file)  # type: ignore[arg-type]

    def read(self, index: int) -> NDArray[np.uint8] | None:
        """Return a cached photo, uint8 [H, W, 3], or None if it is missing, damaged or unreadable."""
        if self._file is None:
            return None
        offset = _HEADER_BYTES + index * self.slot_bytes
        with suppress(OSError, struct.error):  # struct.error where the file was truncated
            marker, height, width, checksum = _SLOT.unpack(os.pread(self._file, _SLOT.size, offset))
            if marker != _MARKER or not 0 < 3 * height * width <= self.max_photo_bytes:
                return None
            photo = np.empty((height, width, 3), np.uint8)
            complete = os.preadv(self._file, [photo.data], offset + _SLOT.size) == photo.nbytes
            if complete and _checksum(height, width, photo) == checksum:
                return photo
        return None

    def write(self, index: int, photo: NDArray[np.uint8]) -> None:
        """Cache a photo, uint8 [H, W, 3], if there is room for it."""
        if self._file is None or self._stop_reason[0] or photo.nbytes > self.max_photo_bytes:
            return
        height, width = photo.shape[:2]
        photo = np.ascontiguousarray(photo)
        data = _SLOT.pack(_MARKER, height, width, _checksum(height, width, photo)) + photo.tobytes()
        try:
            if not self._make_room(len(data)):
                self._stop_reason[0] = _LIMIT_REACHED
            elif shutil.disk_usage(self.folder).free < _RESERVED_BYTES + len(data) or os.pwrite(
                self._file, data, _HEADER_BYTES + index * self.slot_bytes
            ) < len(data):
                self._stop_reason[0] = errno.ENOSPC
        except OSError as error:
            self._stop_reason[0] = error.errno or errno.EIO

    def log_stop(self) -> None:
        """Log once why this process or a worker stopped caching photos, if one did; the main process calls this."""
        reason = int(self._stop_reason[0])
        if not reason or self._stop_logged:
            return
        self._stop_logged = True
        if reason == _LIMIT_REACHED:
            logger.warning(
                "data.cache=%s is full, so the remaining photos are decoded in every epoch; "
                "raise the limit of %g GB with data.cache_gb=",
                self.folder,
                self.limit_gb,
            )
        else:
            self._log_unusable(os.strerror(reason))

    def _log_unusable(self, reason: str) -> None:
        logger.warning(
            "data.cache=%s cannot be written (%s), so photos are decoded in every epoch; name another folder",
            self.folder,
            reason.lower(),
        )

    def _open(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        tag = self.folder / "CACHEDIR.TAG"  # bford.info/cachedir: backup programs skip the folder
        if not tag.exists():
            tag.write_text(_TAG)
        file = self._open_locked()
        try:
            self._make_room(0)
        except BaseException:
            os.close(file)
            raise
        return file

    def _open_locked(self) -> int:
        """Open the file with a shared lock that marks it as in use; a file that is not valid is replaced first."""
        if fcntl is None:
            raise OSError("this system has no shared file locks")
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if _try_exclusive_lock(file):
                    if self._is_valid(file):
                        self._shrink(file)
                    else:
                        self._create(file)
                fcntl.flock(file, fcntl.LOCK_SH)
                if os.fstat(file).st_nlink:  # else another process removed it before it was locked
                    if not self._is_valid(file):
                        raise OSError("another run has the file open, and it is damaged")
                    os.utime(file)
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)

    def _is_valid(self, file: int) -> bool:
        return os.fstat(file).st_size == self.file_bytes and os.pread(file, _HEADER_BYTES, 0) == self.header

    def _create(self, file: int) -> None:
        try:
            os.ftruncate(file, 0)
            os.ftruncate(file, 1 << 20)
            if _disk_bytes(os.fstat(file)) >= 1 << 20:
                raise OSError("its file system has no sparse files")
            os.ftruncate(file, self.file_bytes)
            os.pwrite(file, self.header, 0)
        except OSError:
            self.path.unlink(missing_ok=True)
            raise
        logger.info("caching decoded photos in %s, up to %g GB", self.folder, self.limit_gb)

    def _shrink(self, file: int) -> None:
        """Drop photos from the last slots if they were cached under a higher limit."""
        end = self.file_bytes
        while (excess := _disk_bytes(os.fstat(file)) - int(1e9 * self.limit_gb)) > 0 and end > _HEADER_BYTES:
            end = max(_HEADER_BYTES, end - max(excess, self.slot_bytes))  # so many bytes hold at most the excess
            os.ftruncate(file, end)
        if end < self.file_bytes:
            os.ftruncate(file, self.file_bytes)

    def _make_room(self, needed: int) -> bool:
        """Remove the least recently used files as far as the limit requires; return whether `needed` bytes fit."""
        files = sorted(_cache_files(self.folder), key=lambda file: file[1].st_mtime)
        excess = sum(_disk_bytes(stat) for _, stat in files) + needed - int(1e9 * self.limit_gb)
        for path, stat in files:
            if excess <= 0:
                break
            if path != self.path and _remove_unused(path):
                excess -= _disk_bytes(stat)
        return excess <= 0


def _cache_files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # another run removes files, too
            yield path, path.stat()


def _checksum(height: int, width: int, pixels: NDArray[np.uint8]) -> int:
    return zlib.crc32(pixels.data, zlib.crc32(struct.pack("<II", height, width)))


def _disk_bytes(stat: os.stat_result) -> int:
    return stat.st_blocks * 512


def _try_exclusive_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_unused(path: Path) -> bool:
    """Remove a cache file unless a run has it open; return whether it was removed."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        is_cache = os.pread(file, len(_MAGIC), 0) == _MAGIC.encode()
        if is_cache and _try_exclusive_lock(file):
            path.unlink(missing_ok=True)
            return True
        return False
    finally:
        os.close(file)
