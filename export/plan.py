"""Which photo goes to which file: the names in a folder of results, and what is not to be overwritten."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from impasto.configs.errors import RequestError
from impasto.models.pictures import SUFFIXES, WRITABLE, check_writable, format_of, look_for_pictures


@dataclass(frozen=True)
class Job:
    """A photo, its name in the input folder, and the file that its result goes to."""

    photo: Path
    name: Path
    target: Path


def plan(
    source: Path, output: Path, mask: Path | None = None, format: str | None = None, overwrite: bool = False
) -> tuple[list[Job], int, list[str]]:
    """What is to be done, how many photos of a folder are done already, and a sentence on each that cannot be read.

    RequestError where nothing can be done.

    Nothing is read or written. Results are renamed into place when they are whole, so that one that exists is whole,
    and is left as it is unless `overwrite`.
    """
    if not source.exists():
        raise RequestError(f"input={source} does not exist; name a photo or a folder of photos")
    unread: list[str] = []
    if source.is_dir():
        jobs, unread = _folder(source, output, mask, format)
    else:
        jobs = [_photo(source, output, format)]
    _spare(jobs, output, mask)
    if overwrite:
        return jobs, 0, unread
    missing = [job for job in jobs if not job.target.exists()]
    if not missing and not source.is_dir():
        raise RequestError(f"output={jobs[0].target} exists already; name another file, or give overwrite=true")
    return missing, len(jobs) - len(missing), unread


def _photo(source: Path, output: Path, format: str | None) -> Job:
    name = Path(source.name)
    if output.is_dir():
        return Job(source, name, output / _named(name, format))
    check_writable(output)
    if format and format_of(output) != format_of(Path(f"a.{format}")):
        raise RequestError(f"output={output} does not end as format={format} does; leave format out, or name a folder")
    return Job(source, name, output)


def _folder(source: Path, output: Path, mask: Path | None, format: str | None) -> tuple[list[Job], list[str]]:
    if output.exists() and not output.is_dir():
        raise RequestError(f"output={output} is a file, but input={source} is a folder; name a folder")
    if output.is_dir() and output.samefile(source):
        raise RequestError(f"output={output} is the input; name another folder")
    photos, unread = look_for_pictures(source)
    for other in (output, mask):  # a mask is no photo, nor is what an earlier run left inside the input
        if other is not None and other.resolve().is_relative_to(source.resolve()) and not _same(other, source):
            photos = [photo for photo in photos if not photo.resolve().is_relative_to(other.resolve())]
    if not photos:
        others = f", but {len(unread)} that cannot be read: {unread[0]}" if unread else ""
        raise RequestError(f"input={source} holds no pictures ({', '.join(SUFFIXES)}){others}")
    names = [photo.relative_to(source) for photo in photos]
    made = [_named(name, format) for name in names]
    wanted = Counter(_key(name) for name in made)
    jobs = []
    for photo, name, new in zip(photos, names, made, strict=True):
        shared = wanted[_key(new)] > 1 and new != name  # IMG_1.JPG beside IMG_1.PNG: the second keeps both suffixes
        jobs.append(Job(photo, name, output / (name.with_name(f"{name.name}{new.suffix}") if shared else new)))
    twice = next((job.target for job, count in zip(jobs, _counts(jobs), strict=True) if count > 1), None)
    if twice is not None:
        raise RequestError(f"input={source} holds two photos that would both become {twice}; rename one")
    return jobs, unread


def _counts(jobs: list[Job]) -> list[int]:
    targets = Counter(_key(job.target) for job in jobs)
    return [targets[_key(job.target)] for job in jobs]


def _key(name: Path) -> str:
    """What two names share that some disks take for one."""
    return str(name).casefold()


def _spare(jobs: list[Job], output: Path, mask: Path | None) -> None:
    """RequestError where a result would take the place of a photo or a mask."""
    inputs = {job.photo.resolve() for job in jobs}
    for job in jobs:
        if job.target.resolve() in inputs or (job.target.exists() and job.target.samefile(job.photo)):
            raise RequestError(f"output={output} would overwrite the photo {job.target}; name another place")
        if mask is not None and job.target.exists() and job.target.resolve().is_relative_to(mask.resolve()):
            raise RequestError(f"output={output} would overwrite the mask {job.target}; name another place")


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _named(name: Path, format: str | None) -> Path:
    """The name of a result: with another suffix if `format` asks for one.

    Where nothing is asked, one whose suffix is read but not written (.gif) gets .png at its end.
    """
    if format is None:
        return name if name.suffix.lower() in WRITABLE else name.with_name(f"{name.name}.png")
    return name if format_of(name) == format_of(Path(f"a.{format}")) else name.with_suffix(f".{format}")
