"""impasto-stylize: run an exported file on a photo, a folder of photos or a video."""

import logging
from dataclasses import replace
from pathlib import Path

from impasto.configs import extras
from impasto.configs.cli.app import run
from impasto.configs.errors import UsageError
from impasto.configs.schema.stylize import StylizeConfig
from impasto.configs.terminal import show
from impasto.export.inference import batch, refine
from impasto.export.inference.batch import count_photos
from impasto.export.inference.jobs import Job, Plan, is_several, plan
from impasto.export.inference.masks import Masks
from impasto.export.inference.stylizer import Stylizer
from impasto.export.video import formats
from impasto.models.image.decode import quiet_pillow, read
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture
from impasto.models.progress import OnProgress, ProgressBar, ignore_progress, stderr_console

logger = logging.getLogger(__name__)


def main() -> None:
    """The command."""
    run("stylize", task)


def task(config: StylizeConfig) -> None:
    """Stylize `config.input`. In a folder, photos that fail are skipped and listed in the log at the end."""
    quiet_pillow()
    source, output = Path(config.input).expanduser(), Path(config.output).expanduser()
    mask = Path(config.mask).expanduser() if config.mask else None
    for key, path in (("input", source), ("output", output), ("mask", mask)):
        try:
            _ = path and path.exists()
        except OSError as error:  # a name that is too long, a folder without permission
            raise UsageError(f"{key}={path} cannot be accessed: {(error.strerror or str(error)).lower()}") from error
    is_video = not is_several(source) and formats.is_video(source, output)
    checkpoint = refine.check(config, is_video or is_several(source)) if config.refine is not None else None
    if is_video:
        _stylize_video(config, source, formats.target(source, output, config.overwrite), mask)
        return
    work = plan(source, output, mask, config.format, config.overwrite)
    masks = Masks(mask, config.invert_mask) if mask else None
    if is_several(source):
        _stylize_folder(config, work, masks)
    elif checkpoint is not None:
        _refine(config, checkpoint, work.jobs[0], masks)
    else:
        _stylize_photo(config, work.jobs[0], masks)


def _refine(config: StylizeConfig, checkpoint: Path, job: Job, masks: Masks | None) -> None:
    model = Stylizer(config, config.threads).model
    stroke_resolution = config.resolve_stroke_resolution(model.stroke_resolution)
    like_model = replace(  # whose card the refined network does not have
        config, stroke_resolution=stroke_resolution or "native", grain=config.resolve_grain(model.grain)
    )
    with refine.refined(config, checkpoint, read(job.photo), stroke_resolution) as refined:
        _stylize_photo(replace(like_model, model=refined), job, masks)


def _stylize_photo(config: StylizeConfig, job: Job, masks: Masks | None) -> None:
    stylizer = Stylizer(config, config.threads)
    try:
        with ProgressBar("stylizing", stderr_console()) as progress:
            _process(stylizer, job, masks, progress.update)
            progress.update(1)
    except (UsageError, MemoryError) as error:
        raise UsageError(batch.failure_message(job, error)) from error
    show(f"{count_photos(1)} written to {job.target}")


def _stylize_folder(config: StylizeConfig, work: Plan, masks: Masks | None) -> None:
    workers, threads = batch.choose_parallelism(config.workers, config.threads)
    stylizer = Stylizer(config, threads)
    failed = batch.run(work.jobs, lambda job: _process(stylizer, job, masks), workers, stderr_console())
    failures, total = failed + work.problems, len(work.jobs) + work.finished + len(work.problems)
    if failures:
        logger.warning("%s of %d skipped:", count_photos(len(failures)), total)
        for failure in failures:
            logger.warning("  %s", failure)
    if len(failures) == total:
        raise UsageError(f"none of the {total} photos in {config.input} could be stylized")
    existing = f"; {work.finished} already existed (overwrite=true replaces them)" if work.finished else ""
    show(f"{count_photos(len(work.jobs) - len(failed))} written to {config.output}{existing}")


def _stylize_video(config: StylizeConfig, source: Path, target: Path, mask: Path | None) -> None:
    extras.require("video", f"input={source} is a video, which")
    from impasto.export.video import pipeline

    masks = Masks(mask, config.invert_mask) if mask else None
    show(pipeline.stylize(config, None if str(source) == formats.CAMERA else source, target, masks))


def _process(stylizer: Stylizer, job: Job, masks: Masks | None, on_progress: OnProgress = ignore_progress) -> None:
    # Nothing but the result is referenced while it is written: Pillow's copy of it takes 4 bytes a pixel.
    write(_stylize(stylizer, job, masks, on_progress), job.target, stylizer.config.quality)


def _stylize(stylizer: Stylizer, job: Job, masks: Masks | None, on_progress: OnProgress) -> Picture:
    photo = read(job.photo)
    return stylizer(photo, masks.load(job.name, photo.rgb.shape[:2]) if masks else None, on_progress)
