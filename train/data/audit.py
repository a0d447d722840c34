"""The audit of a photo set: sizes, file formats, and the photos that contribute little to training."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.check import KINDS, CheckConfig
from impasto.configs.schema.data import AUTO
from impasto.models.image import decode
from impasto.models.image.picture import UnreadablePicture
from impasto.train.data.dataset import PhotoSet

FORMAT: Final = "impasto-check-1"
CHUNK = 16  # photos per task of a worker
QUANTILES = (0, 5, 50, 95, 100)  # percent


@dataclass
class Finding:
    """The audit of one photo.

    Attributes:
        name: The photo's path in its set.
        bytes: The size of its file.
        format: The format of its file, "" if unknown.
        width: In pixels, 0 if unknown.
        height: In pixels, 0 if unknown.
        pixels_sha256: The hash of the pixels that training would read, "" if they cannot be read.
        issues: A description for each of KINDS that applies.
    """

    name: str
    bytes: int = 0
    format: str = ""
    width: int = 0
    height: int = 0
    pixels_sha256: str = ""
    issues: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditReport:
    """The content of check.json."""

    format: Literal["impasto-check-1"]
    photos: int
    """The number of photos."""
    bytes: int
    formats: dict[str, int]
    """The number of photos of each file format."""
    short_side: dict[str, float]
    """Quantiles in px, as those of long_side; of megapixels in 10^6 px."""
    long_side: dict[str, float]
    megapixels: dict[str, float]
    counts: dict[str, int]
    """The number of photos with each kind of issue."""
    exclude: dict[str, Any]
    """The kinds whose photos training leaves out, and the number of these photos."""
    issues: dict[str, dict[str, str]]
    """A description by kind and by the photo's name."""


def scan(photos: PhotoSet, config: CheckConfig) -> Iterator[Finding]:
    """Examine all photos in parallel.

    Args:
        photos: The photos to examine.
        config: The thresholds and the number of processes.

    Yields:
        A finding for each photo, in the order in which the workers finish.

    Raises:
        CheckFailed: A worker died.
    """
    chunks = [photos.names[start : start + CHUNK] for start in range(0, len(photos.names), CHUNK)]
    processes = min(config.processes or os.cpu_count() or 1, len(chunks))
    pool = ProcessPoolExecutor(processes, initializer=_init_worker, initargs=(photos, config))
    pending: dict[Future[list[Finding]], Sequence[str]] = {}
    try:
        pending = {pool.submit(_examine_chunk, chunk): chunk for chunk in chunks}
        for future in as_completed(pending):
            yield from future.result()
    except BrokenProcessPool as error:
        unfinished = next(chunk for future, chunk in pending.items() if not future.done() or future.exception())
        raise CheckFailed(
            f"a worker process was killed or ran out of memory while it read photos of {photos.root} near "
            f"{unfinished[0]}; try processes=1"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def examine(photos: PhotoSet, name: str, config: CheckConfig) -> Finding:
    """Examine one photo, read as training reads it.

    Args:
        photos: The set that contains the photo.
        name: The photo's path in the set.
        config: The thresholds, and the short side that training reads photos at.
    """
    finding, thresholds = Finding(name), config.check
    side = config.data.val_size if config.data.size == AUTO else int(config.data.size)
    try:
        header = photos.header(name)
        finding.bytes, finding.format = header.bytes, header.kind
        finding.width, finding.height = header.width, header.height
        finding.issues = {kind: kind for kind in header.odd}
        if header.width * header.height > thresholds.huge * 1e6:
            finding.issues["huge"] = f"{header.width}x{header.height}"
        if min(header.width, header.height) < (thresholds.tiny or side):
            finding.issues["tiny"] = f"{header.width}x{header.height}"
        pixels = photos.read(name, side)
    except UnreadablePicture as error:
        finding.issues["unreadable"] = str(error).removeprefix(f"{photos.root}/{name} ")
        return finding
    colors = pixels.astype(np.int16)
    if (deviation := float(pixels.reshape(-1, 3).std(0).mean())) < thresholds.flat:
        finding.issues["flat"] = f"standard deviation of {deviation:.2g} levels"
    if float((colors.max(2) - colors.min(2)).mean()) < thresholds.gray:
        finding.issues["gray"] = "no color"
    finding.pixels_sha256 = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    return finding


def mark_duplicates(findings: Sequence[Finding]) -> None:
    """Add a duplicate issue to each photo whose pixels equal those of a photo earlier in the sequence."""
    originals: dict[str, str] = {}
    for finding in findings:
        if finding.pixels_sha256:
            original = originals.setdefault(finding.pixels_sha256, finding.name)
            if original != finding.name:
                finding.issues["duplicate"] = f"of {original}"


def exclusions(findings: Sequence[Finding], kinds: Collection[str]) -> dict[str, str]:
    """Return the reason for each photo that has an issue of one of `kinds`."""
    reasons = {}
    for finding in findings:
        matching = [kind for kind in finding.issues if kind in kinds]
        if matching:
            reasons[finding.name] = f"{matching[0]}: {finding.issues[matching[0]]}"
    return reasons


def report(findings: Sequence[Finding], exclude: Sequence[str]) -> AuditReport:
    """Return the audit of all photos.

    Args:
        findings: One for each photo.
        exclude: The kinds of issues whose photos training leaves out.
    """
    sized = [finding for finding in findings if finding.width]
    issues: dict[str, dict[str, str]] = defaultdict(dict)
    for finding in findings:
        for kind, description in finding.issues.items():
            issues[kind][finding.name] = description
    return AuditReport(
        format=FORMAT,
        photos=len(findings),
        bytes=sum(finding.bytes for finding in findings),
        formats=dict(Counter(finding.format for finding in findings if finding.format).most_common()),
        short_side=_quantiles([min(finding.width, finding.height) for finding in sized]),
        long_side=_quantiles([max(finding.width, finding.height) for finding in sized]),
        megapixels=_quantiles([finding.width * finding.height / 1e6 for finding in sized]),
        counts={kind: len(issues[kind]) for kind in KINDS},
        exclude={"kinds": [*exclude], "photos": len(exclusions(findings, exclude))},
        issues={kind: issues[kind] for kind in KINDS if issues[kind]},
    )


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        f"{q}%": round(float(value), 2) for q, value in zip(QUANTILES, np.percentile(values, QUANTILES), strict=True)
    }


_photos: PhotoSet
_config: CheckConfig


def _init_worker(photos: PhotoSet, config: CheckConfig) -> None:
    global _photos, _config
    _photos, _config = photos, config
    decode.quiet_pillow()  # a process that is not forked does not inherit it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process, which shows the progress, handles Ctrl-C
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    # Workers hold each other's queue open, so those of a killed parent would wait forever.
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _examine_chunk(names: Sequence[str]) -> list[Finding]:
    return [examine(_photos, name, _config) for name in names]
