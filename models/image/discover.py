"""Find the pictures in a folder, by their suffixes; no torch."""

import os
from pathlib import Path

from impasto.configs.errors import UsageError

# Of pictures that may be read. Their content decides: exports of cloud services name JPEG files .HEIC.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".hif", ".tif", ".tiff", ".bmp"),
    *(".gif", ".ppm", ".pgm"),
)
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg", ".m2v", ".ts", ".mts", ".m2ts"),
    *(".3gp", ".3g2", ".ogv", ".mxf", ".vob", ".h264", ".264", ".hevc", ".h265", ".265", ".mjpeg"),
)
_UNSUPPORTED = (".jxl", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2")


def find_pictures(folder: Path) -> list[Path]:
    """List the pictures under a folder by suffix, sorted.

    Links are followed and each folder is visited once. Hidden files and folders are skipped, as are pipes and devices.

    Raises:
        UsageError: The folder cannot be listed.
    """
    return scan_folder(folder)[0]


def scan_folder(folder: Path) -> tuple[list[Path], list[str]]:
    """List the pictures as `find_pictures` does, and a message for each picture or folder that cannot be read."""
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise UsageError(_cannot_list(folder, error)) from error
    pictures, problems, visited = [], list[str](), set()

    def report(error: OSError) -> None:
        problems.append(_cannot_list(error.filename, error))

    for root, folders, files in os.walk(folder, onerror=report, followlinks=True):
        parent = Path(root)
        resolved = parent.resolve()
        if resolved in visited:  # a link to a parent folder
            folders.clear()
            continue
        visited.add(resolved)
        # Real folders first, so that a link beside its target does not claim the target's pictures.
        folders[:] = sorted((f for f in folders if f[0] != "."), key=lambda f: ((parent / f).is_symlink(), f))
        for path in sorted(parent / file for file in files if file[0] != "."):
            suffix = path.suffix.lower()
            if suffix in SUFFIXES and path.is_file():
                pictures.append(path)
            elif suffix in SUFFIXES and path.is_symlink():
                problems.append(f"{path} is a broken link")
            elif problem := unread(path):
                problems.append(problem)
    return sorted(pictures), problems


def unread(path: Path) -> str:
    """Return a message for a picture or video that a folder of photos holds in vain, by its suffix; else nothing."""
    suffix = path.suffix.lower()
    if suffix in _UNSUPPORTED:
        return f"{path} has an unsupported format; convert it to JPEG"
    return f"{path} is a video, which a folder of photos leaves out; name it alone" if suffix in VIDEO_SUFFIXES else ""


def _cannot_list(folder: object, error: OSError) -> str:
    return f"{folder} cannot be listed as a folder: {(error.strerror or '').lower()}"
