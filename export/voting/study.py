"""Write the folder of a page for votes: photos stylized with each network, and what the page shows."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from impasto.configs.atomic_file import atomic_write
from impasto.configs.errors import UsageError
from impasto.configs.schema.stylize import StylizeConfig
from impasto.configs.schema.vote import VoteConfig
from impasto.export.inference import batch
from impasto.export.inference.jobs import Job
from impasto.export.inference.stylizer import Stylizer
from impasto.export.voting import ballot
from impasto.models import onnx_model, zoo
from impasto.models.console import Console
from impasto.models.image.decode import read
from impasto.models.image.discover import SUFFIXES, scan_folder
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture, resize
from impasto.models.provenance import sha256

INDEX, DATA, PICTURES = "index.html", "study.js", "pictures"
PAGE = tuple(Path(__file__).with_name("page") / name for name in ("style.css", "vote.js", INDEX))
_OWN = {path.name for path in PAGE} | {DATA, PICTURES, ballot.SCHEMA}
_THUMBNAIL = 360  # px of the short side of the photo and the painting, which the page shows at up to half of it


@dataclass(frozen=True)
class StudyPhoto:
    """A photo, its thumbnail, and the stylized picture of each network by name; pictures are paths in the folder."""

    name: str
    thumbnail: str
    stylized: dict[str, str]


@dataclass(frozen=True)
class Study:
    """What the page shows. `models` has the SHA-256 of each network's file by name."""

    format: str
    study: str
    models: dict[str, str]
    photos: list[StudyPhoto]
    painting: str | None


def find_models(references: Sequence[str]) -> dict[str, Path]:
    """Return the exported file of each network by a short name, which does not contain paths of this machine.

    Raises:
        UsageError: A network does not exist, or is named twice.
    """
    files: dict[str, str] = {}
    for reference in references:
        digest = sha256(onnx_model.find(zoo.resolve(reference, ".onnx")))
        if digest in files:
            raise UsageError(f"models: {files[digest]} and {reference} are the same network; name networks that differ")
        files[digest] = reference
    return {
        name: onnx_model.find(zoo.resolve(reference, ".onnx"))
        for name, reference in zip(_short_names(references), references, strict=True)
    }


def find_photos(photos: Path, output: Path) -> tuple[list[Job], list[str]]:
    """Return the photos of a folder, without those in `output`, and a message for each one that cannot be read.

    Raises:
        UsageError: The folder does not exist or contains no photos, or a page cannot be written to `output`.
    """
    if not photos.is_dir():
        raise UsageError(f"photos={photos} is not a folder; name a folder of photos")
    if output.exists() and not output.is_dir():
        raise UsageError(f"output={output} is a file; name a new folder")
    if (output / INDEX).exists():
        raise UsageError(f"output={output} already contains a page; name a new folder")
    names = {path.name for path in output.iterdir() if path.name[0] != "."} if output.is_dir() else set()
    if others := sorted(names - _OWN):
        raise UsageError(f"output={output} contains {others[0]}; name a new folder")
    paths, problems = scan_folder(photos)
    paths = [path for path in paths if not path.resolve().is_relative_to(output.resolve())]
    if not paths:
        unreadable = f", but {len(problems)} that cannot be read: {problems[0]}" if problems else ""
        raise UsageError(f"photos={photos} contains no pictures ({', '.join(SUFFIXES)}){unreadable}")
    return [Job(path, path.relative_to(photos), output) for path in paths], problems


def write_study(
    config: VoteConfig, models: Mapping[str, Path], jobs: Sequence[Job], output: Path, console: Console
) -> tuple[Study, list[str]]:
    """Stylize the photos and write the folder of the page; finished pictures of an interrupted call are reused.

    Args:
        config: The settings.
        models: The exported files by name.
        jobs: The photos.
        output: The folder.
        console: Where the progress bar is shown.

    Returns:
        What the page shows, and a message for each photo that failed.

    Raises:
        UsageError: A model or the painting cannot be used, no photo could be stylized, or the disk is full.
    """
    workers, threads = batch.choose_parallelism(0, 0)
    painting = read(Path(config.painting).expanduser()) if config.painting else None
    stylizers = {name: Stylizer(StylizeConfig(str(path), "", ""), threads) for name, path in models.items()}
    digests = {name: sha256(path) for name, path in models.items()}
    photos: dict[Path, StudyPhoto] = {}

    def save(picture: Picture, size: int, *identity: str) -> str:
        name = _picture_name(size, config.quality, *identity)
        write(_reduce(picture, size), output / name, config.quality)
        return name

    def work(job: Job) -> None:
        photo, digest, stylized = read(job.photo), sha256(job.photo), {}
        for model, stylizer in stylizers.items():
            name = _picture_name(config.size, config.quality, digest, digests[model])
            finished = (output / name).exists()
            stylized[model] = name if finished else save(stylizer(photo), config.size, digest, digests[model])
        photos[job.name] = StudyPhoto(job.name.as_posix(), save(photo, _THUMBNAIL, digest), stylized)

    failures = batch.run(jobs, work, workers, console)
    if not photos:
        raise UsageError(f"none of the {len(jobs)} photos in {config.photos} could be stylized; {failures[0]}")
    shown = None if painting is None else save(painting, _THUMBNAIL, "painting")
    study = _study(digests, [photos[job.name] for job in jobs if job.name in photos], shown)
    _write_page(study, output)
    return study, failures


def count_pairs(study: Study) -> int:
    """Return the number of votes of one voter: each pair of networks on each photo."""
    return len(study.photos) * len(study.models) * (len(study.models) - 1) // 2


def _short_names(references: Sequence[str]) -> list[str]:
    """Name networks of the zoo as they are, and others by the shortest end of the path that distinguishes them."""
    parts = [PurePosixPath(Path(reference).as_posix()).parts for reference in references]
    for length in range(1, max(map(len, parts)) + 1):
        names = [
            reference if reference.startswith(zoo.PREFIX) else "/".join(part[-length:])
            for reference, part in zip(references, parts, strict=True)
        ]
        if len({*names}) == len(names):
            return names
    raise UsageError(f"models={references[0]} is named twice; name networks that differ")


def _picture_name(size: int, quality: int, *identity: str) -> str:
    """An opaque name, the same for the same content: neither the network nor the photo can be read from it."""
    digest = hashlib.sha256(" ".join((str(size), str(quality), *identity)).encode()).hexdigest()
    return f"{PICTURES}/{digest[:20]}.jpg"


def _reduce(picture: Picture, size: int) -> Picture:
    """A copy with that short side, or of its own size where that is smaller, without EXIF, which may hold a place."""
    size = min(size, *picture.rgb.shape[:2])
    alpha = None if picture.alpha is None else resize(picture.alpha, size)
    return Picture(resize(picture.rgb, size), alpha)


def _study(digests: dict[str, str], photos: list[StudyPhoto], painting: str | None) -> Study:
    content = json.dumps([digests, [asdict(photo) for photo in photos], painting])
    identity = hashlib.sha256(content.encode()).hexdigest()[:16]
    return Study(ballot.FORMAT, identity, digests, photos, painting)


def _write_page(study: Study, output: Path) -> None:
    """Write the page, its files first: browsers read no JSON from a page opened as a file, so it is a script."""
    with atomic_write(output / DATA) as part:
        part.write_text(f"const STUDY = {json.dumps(asdict(study))}\n", encoding="utf-8")
    for path in (ballot.SCHEMA_FILE, *PAGE):
        with atomic_write(output / path.name) as part:
            shutil.copyfile(path, part)
