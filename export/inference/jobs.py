"""Plan which photo is written to which file, without overwriting any input."""

import glob
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from impasto.configs.errors import UsageError
from impasto.models.image.discover import SUFFIXES, scan_folder
from impasto.models.image.encode import WRITABLE, check_writable, format_of

_MAGIC = re.compile(r"[*?[]")  # what makes a name a pattern


@dataclass(frozen=True)
class Job:
    """A photo, its path relative to the input folder, and the file of its result."""

    photo: Path
    name: Path
    target: Path


@dataclass(frozen=True)
class Plan:
    """The jobs, how many results exist already, and a message for each photo that cannot be read."""

    jobs: list[Job]
    finished: int
    problems: list[str]


def plan(
    source: Path, output: Path, mask: Path | None = None, format: str | None = None, overwrite: bool = False
) -> Plan:
    """Plan the jobs of a photo or a folder; no pixels are read and nothing is written.

    Results are written atomically, so an existing one is complete and is skipped unless `overwrite` is set.

    Raises:
        UsageError: There is nothing to do, or a result would overwrite an input.
    """
    if not (source.exists() or is_several(source)):
        raise UsageError(f"input={source} does not exist; name a photo, a folder of photos, or a pattern as in '*.jpg'")
    problems: list[str] = []
    if is_several(source):
        jobs, problems = _folder(source, output, mask, format)
    else:
        jobs = [_photo(source, output, format)]
    _check_inputs_survive(jobs, output, mask)
    if overwrite:
        return Plan(jobs, 0, problems)
    missing = [job for job in jobs if not job.target.exists()]
    if not missing and not is_several(source):
        raise UsageError(f"output={jobs[0].target} already exists; name another file or set overwrite=true")
    return Plan(missing, len(jobs) - len(missing), problems)


def is_several(source: Path) -> bool:
    """Whether an input stands for several photos: a folder, or a pattern as in `photos/*.jpg`."""
    return source.is_dir() or (not source.exists() and _MAGIC.search(str(source)) is not None)


def _photo(source: Path, output: Path, format: str | None) -> Job:
    name = Path(source.name)
    if output.is_dir():
        return Job(source, name, output / _result_name(name, format))
    check_writable(output)
    if format and format_of(output) != format_of(Path(f"a.{format}")):
        raise UsageError(f"output={output} contradicts format={format}; omit format or name a folder")
    return Job(source, name, output)


def _folder(source: Path, output: Path, mask: Path | None, format: str | None) -> tuple[list[Job], list[str]]:
    if output.exists() and not output.is_dir():
        raise UsageError(f"output={output} is a file, but input={source} has several photos; name a folder")
    # The part of a pattern that names no files.
    folder = source if source.is_dir() else next(path for path in source.parents if not _MAGIC.search(str(path)))
    if output.is_dir() and _same_file(output, folder):
        raise UsageError(f"output={output} is the input folder; name another folder")
    photos, problems = scan_folder(source) if source.is_dir() else (_matches(str(source)), [])
    for other in (output, mask):  # masks, and results of an earlier run, may lie inside the input folder
        if other is not None and other.resolve().is_relative_to(folder.resolve()) and not _same_file(other, folder):
            photos = [photo for photo in photos if not photo.resolve().is_relative_to(other.resolve())]
    if not photos:
        unreadable = f", but {len(problems)} that cannot be read: {problems[0]}" if problems else ""
        raise UsageError(f"input={source} contains no pictures ({', '.join(SUFFIXES)}){unreadable}")
    names = [photo.relative_to(folder) for photo in photos]
    results = [_result_name(name, format) for name in names]
    counts = Counter(_casefolded(name) for name in results)
    jobs = []
    for photo, name, result in zip(photos, names, results, strict=True):
        shared = counts[_casefolded(result)] > 1 and result != name
        if shared:  # IMG_1.JPG and IMG_1.PNG: the second result has both suffixes
            result = name.with_name(f"{name.name}{result.suffix}")
        jobs.append(Job(photo, name, output / result))
    targets = Counter(_casefolded(job.target) for job in jobs)
    duplicate = next((job.target for job in jobs if targets[_casefolded(job.target)] > 1), None)
    if duplicate is not None:
        raise UsageError(f"input={source} contains two photos that would both be written to {duplicate}; rename one")
    return jobs, problems


def _matches(pattern: str) -> list[Path]:
    """The files that match a pattern."""
    paths = map(Path, sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207 - it may be absolute
    return [path for path in paths if path.is_file()]


def _casefolded(name: Path) -> str:
    """Normalize a name for file systems that ignore case."""
    return str(name).casefold()


def _check_inputs_survive(jobs: list[Job], output: Path, mask: Path | None) -> None:
    """Raise UsageError where a result would overwrite a photo or a mask."""
    inputs = {job.photo.resolve() for job in jobs}
    for job in jobs:
        if job.target.resolve() in inputs or (job.target.exists() and job.target.samefile(job.photo)):
            raise UsageError(f"output={output} would overwrite the photo {job.target}; name another output")
        if mask is not None and job.target.exists() and job.target.resolve().is_relative_to(mask.resolve()):
            raise UsageError(f"output={output} would overwrite the mask {job.target}; name another output")


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _result_name(name: Path, format: str | None) -> Path:
    """Name a result: the suffix changes if `format` requires it.

    Without a format, .png is appended to names whose suffix can be read but not written (.gif).
    """
    if format is None:
        return name if name.suffix.lower() in WRITABLE else name.with_name(f"{name.name}.png")
    return name if format_of(name) == format_of(Path(f"a.{format}")) else name.with_suffix(f".{format}")
