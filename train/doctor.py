"""What a dataset is made of: sizes, kinds of files, and the photos that are of little use to learn on."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from impasto.configs.errors import CheckError
from impasto.configs.schema import KINDS, CheckConfig
from impasto.models.pictures import UnreadablePicture
from impasto.train.photos import PhotoSet

CHUNK = 16  # photos that a process takes at once
QUANTILES = (0, 5, 50, 95, 100)  # per cent


@dataclass
class Finding:
    """One photo: what its file says of it, and what is odd about it (of KINDS) with a reason for each.

    `seen` is a hash of it as training sees it, "" where it cannot be read.
    """

    name: str
    size: int = 0
    file: str = ""
    width: int = 0
    height: int = 0
    seen: str = ""
    odd: dict[str, str] = field(default_factory=dict)


def scan(photos: PhotoSet, config: CheckConfig) -> Iterator[Finding]:
    """Look at every photo, in parallel, in no order; raises CheckError where a process dies over one."""
    chunks = [photos.names[start : start + CHUNK] for start in range(0, len(photos.names), CHUNK)]
    processes = min(config.processes or os.cpu_count() or 1, len(chunks))
    pool = ProcessPoolExecutor(processes, initializer=_start, initargs=(photos, config))
    running: dict[Future[list[Finding]], Sequence[str]] = {}
    try:
        running = {pool.submit(_examine_all, chunk): chunk for chunk in chunks}
        for future in as_completed(running):
            yield from future.result()
    except BrokenProcessPool as error:
        left = next(chunk for future, chunk in running.items() if not future.done() or future.exception())
        raise CheckError(
            f"a process was ended from outside, or for want of memory, while it read photos of {photos.root}, near "
            f"{left[0]}; try processes=1"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def examine(photos: PhotoSet, name: str, config: CheckConfig) -> Finding:
    """Look at one photo as training does."""
    found, limits = Finding(name), config.check
    try:
        header = photos.header(name)
        found.size, found.file = header.bytes, header.kind
        found.width, found.height = header.width, header.height
        found.odd = {kind: kind for kind in header.odd}
        if header.width * header.height > limits.huge * 1e6:
            found.odd["huge"] = f"{header.width}x{header.height}"
        if min(header.width, header.height) < (limits.tiny or config.data.size):
            found.odd["tiny"] = f"{header.width}x{header.height}"
        pixels = photos.read(name, config.data.size)
    except UnreadablePicture as error:
        found.odd["unreadable"] = str(error).removeprefix(f"{photos.root}/{name} ")
        return found
    colours = pixels.astype(np.int16)
    if (spread := float(pixels.reshape(-1, 3).std(0).mean())) < limits.flat:
        found.odd["flat"] = f"varies by {spread:.2g} levels"
    if float((colours.max(2) - colours.min(2)).mean()) < limits.grey:
        found.odd["grey"] = "no colour"
    found.seen = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    return found


def mark_duplicates(found: Sequence[Finding]) -> None:
    """Mark each photo that shows the very pixels of one of an earlier name, in whatever file."""
    first: dict[str, str] = {}
    for one in found:
        if one.seen:
            original = first.setdefault(one.seen, one.name)
            if original != one.name:
                one.odd["duplicate"] = f"of {original}"


def report(found: Sequence[Finding], skip: Sequence[str]) -> dict[str, Any]:
    """All of it as JSON: counts, sizes, and the photos of each odd kind with their reasons."""
    sizes = [one for one in found if one.width]
    odd: dict[str, dict[str, str]] = defaultdict(dict)
    for one in found:
        for kind, reason in one.odd.items():
            odd[kind][one.name] = reason
    left_out = [one for one in found if {*one.odd} & {*skip}]
    return {
        "photos": len(found),
        "bytes": sum(one.size for one in found),
        "files": dict(Counter(one.file for one in found if one.file).most_common()),
        "short_side": _quantiles([min(one.width, one.height) for one in sizes]),
        "long_side": _quantiles([max(one.width, one.height) for one in sizes]),
        "megapixels": _quantiles([one.width * one.height / 1e6 for one in sizes]),
        "counts": {kind: len(odd[kind]) for kind in KINDS},
        "skip": {"kinds": [*skip], "photos": len(left_out)},
        "odd": {kind: odd[kind] for kind in KINDS if odd[kind]},
    }


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        f"{q}%": round(float(value), 2) for q, value in zip(QUANTILES, np.percentile(values, QUANTILES), strict=True)
    }


_photos: PhotoSet
_config: CheckConfig


def _start(photos: PhotoSet, config: CheckConfig) -> None:
    global _photos, _config
    _photos, _config = photos, config
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that shows the bar
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A killed parent tells nobody, and the workers hold each other's queue open: they would wait for ever.
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _examine_all(names: Sequence[str]) -> list[Finding]:
    return [examine(_photos, name, _config) for name in names]
