"""impasto-stylize: an exported file on one photo, or on a folder of them."""

import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.shipping import StylizeConfig
from impasto.export import large
from impasto.models import zoo
from impasto.models.pictures import SUFFIXES, WRITABLE, check_writable, find_pictures, read, write


def main() -> None:
    """The command."""
    run("stylize", task)


def task(config: StylizeConfig) -> None:
    """Stylize what `config.input` names. A photo that fails in a folder is skipped and listed on stderr at the end."""
    source, output = Path(config.input).expanduser(), Path(config.output).expanduser()
    jobs = plan(source, output)
    model = large.Model(zoo.resolve(config.model, ".onnx"), config.threads, config.tiles)
    folder, failures, console = source.is_dir(), [], Console(stderr=True)
    columns = TextColumn("stylizing"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(jobs))
        for number, (photo, target) in enumerate(jobs):
            progress.update(bar, completed=number)
            try:
                tell = partial(_tell, progress, bar, number)
                write(model.stylize(read(photo), config.strength, tell), target, config.quality)
            except RequestError as error:
                message = str(error) if str(photo) in str(error) else f"{photo}: {error}"
                if not folder:
                    raise RequestError(message) from error
                failures.append(message)
        progress.update(bar, completed=len(jobs))
    if failures:
        print(f"{_count(len(failures))} of {len(jobs)} skipped:", *failures, sep="\n  ", file=sys.stderr)
    if len(failures) == len(jobs):
        raise RequestError(f"none of the {len(jobs)} photos in {source} could be stylized")
    print(f"{_count(len(jobs) - len(failures))} written to {output if folder else jobs[0][1]}")


def _tell(progress: Progress, bar: TaskID, before: int, done: float) -> None:
    """A large photo counts bit by bit."""
    progress.update(bar, completed=before + done)


def plan(source: Path, output: Path) -> list[tuple[Path, Path]]:
    """Each photo with the file that it goes to, or RequestError; nothing is read or written.

    A name whose suffix is read but not written (.gif) gets .png at its end.
    """
    if not source.exists():
        raise RequestError(f"input={source} does not exist; name a photo or a folder of photos")
    if source.is_dir():
        if output.exists() and not output.is_dir():
            raise RequestError(f"output={output} is a file, but input={source} is a folder; name a folder")
        if output.is_dir() and output.samefile(source):
            raise RequestError(f"output={output} is the input; name another folder")
        photos = find_pictures(source)
        if output.resolve().is_relative_to(source.resolve()):  # what an earlier run left inside the input is no photo
            photos = [photo for photo in photos if not photo.resolve().is_relative_to(output.resolve())]
        if not photos:
            raise RequestError(f"input={source} holds no pictures ({', '.join(SUFFIXES)})")
        jobs = [(photo, output / _writable_name(photo.relative_to(source))) for photo in photos]
    else:
        target = output / _writable_name(Path(source.name)) if output.is_dir() else output
        check_writable(target)
        jobs = [(source, target)]
    inputs = {photo.resolve() for photo, _ in jobs}
    for photo, target in jobs:
        if target.resolve() in inputs or (target.exists() and target.samefile(photo)):
            raise RequestError(f"output={output} would overwrite the photo {target}; name another place")
    return jobs


def _writable_name(name: Path) -> Path:
    return name if name.suffix.lower() in WRITABLE else name.with_name(f"{name.name}.png")


def _count(photos: int) -> str:
    return f"{photos} photo{'' if photos == 1 else 's'}"


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed if task.elapsed else 0:.1f} photos/s")
