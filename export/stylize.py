"""impasto-stylize: an exported file on one photo, on a folder of them, or on a video."""

import sys
from pathlib import Path

from rich.console import Console

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.shipping import StylizeConfig
from impasto.export import containers, folder
from impasto.export.folder import count
from impasto.export.large import Tell
from impasto.export.masks import Masks
from impasto.export.painter import Painter
from impasto.export.plan import Job, plan
from impasto.export.progress import bar
from impasto.models.pictures import Picture, read, write


def main() -> None:
    """The command."""
    run("stylize", task)


def task(config: StylizeConfig) -> None:
    """Stylize what `config.input` names. A photo that fails in a folder is skipped and listed on stderr at the end."""
    source, output = Path(config.input).expanduser(), Path(config.output).expanduser()
    mask = Path(config.mask).expanduser() if config.mask else None
    for key, path in (("input", source), ("output", output), ("mask", mask)):
        try:
            _ = path and path.exists()
        except OSError as error:  # a name that is too long, a folder that may not be entered
            raise RequestError(f"{key}={path} cannot be looked at: {(error.strerror or str(error)).lower()}") from error
    if not source.is_dir() and containers.is_video(source, output):
        _video(config, source, containers.target(source, output, config.overwrite), mask)
        return
    jobs, done, unread = plan(source, output, mask, config.format, config.overwrite)
    masks = Masks(mask, config.invert_mask) if mask else None
    if source.is_dir():
        _folder(config, jobs, done, unread, masks)
        return
    painter = Painter(config, config.threads)
    try:
        with bar("photos", Console(stderr=True)) as progress:
            task = progress.add_task("stylizing", total=1)
            _paint(painter, jobs[0], masks, lambda done: progress.update(task, completed=done))
    except (RequestError, MemoryError) as error:
        raise RequestError(folder.sentence(jobs[0], error)) from error
    print(f"{count(1)} written to {jobs[0].target}")


def _folder(config: StylizeConfig, jobs: list[Job], done: int, unread: list[str], masks: Masks | None) -> None:
    workers, threads = folder.division(config.workers, config.threads)
    painter = Painter(config, threads)
    failed = folder.run(jobs, lambda job: _paint(painter, job, masks), workers, Console(stderr=True))
    failures, total = failed + unread, len(jobs) + done + len(unread)
    if failures:
        print(f"{count(len(failures))} of {total} skipped:", *failures, sep="\n  ", file=sys.stderr)
    if len(failures) == total:
        raise RequestError(f"none of the {total} photos in {config.input} could be stylized")
    kept = f"; {done} were there already (overwrite=true makes them again)" if done else ""
    print(f"{count(len(jobs) - len(failed))} written to {config.output}{kept}")


def _video(config: StylizeConfig, source: Path, target: Path, mask: Path | None) -> None:
    try:
        from impasto.export import video
    except ModuleNotFoundError as error:  # av or cv2
        fault = f"input={source} is a video, and {error.name} is not installed"
        raise RequestError(f"{fault}; run: pip install 'impasto[video]'") from error
    masks = Masks(mask, config.invert_mask) if mask else None
    print(video.stylize(config, None if str(source) == containers.CAMERA else source, target, masks))


def _paint(painter: Painter, job: Job, masks: Masks | None, tell: Tell = lambda done: None) -> None:
    # Nothing but the result is held while it is written: Pillow's copy of it takes 4 bytes a pixel.
    write(_painted(painter, job, masks, tell), job.target, painter.config.quality)


def _painted(painter: Painter, job: Job, masks: Masks | None, tell: Tell) -> Picture:
    photo = read(job.photo)
    return painter(photo, masks.of(job.name, photo.rgb.shape[:2]) if masks else None, tell)
