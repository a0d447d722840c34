"""impasto-train."""

import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.cli import app, runs
from impasto.configs.errors import UsageError
from impasto.configs.schema.train import TrainConfig
from impasto.configs.terminal import show
from impasto.models.progress import stderr_console
from impasto.models.provenance import run_versions
from impasto.train.runtime import openmp

if TYPE_CHECKING:
    from impasto.models.card import Card, CropStage, StyleCard
    from impasto.models.console import Console
    from impasto.train.data.dataset import PhotoSet
    from impasto.train.engine.init_weights import InitialWeights
    from impasto.train.engine.paintings import Painting
    from impasto.train.runtime.device import Hardware
    from impasto.train.runtime.distributed import Group

logger = logging.getLogger(__name__)

WEIGHTS = {"vgg16": "original", "vgg19": "torchvision's"}  # the origin of each loss network's weights


def main() -> None:
    """Train a network on one painting, or a store of styles on several."""
    openmp.limit_spinning()
    app.run("train", task, extra="train")


def task(config: TrainConfig) -> None:
    """Train, and print the path of the last checkpoint."""
    from impasto.models.image.decode import quiet_pillow

    quiet_pillow()
    checkpoint = train(config, runs.current())
    if os.environ.get("RANK", "0") == "0":
        show(checkpoint)


def train(config: TrainConfig, run: runs.Run) -> Path:
    """Train, and return the path of the last checkpoint.

    Raises:
        UsageError: A setting or an input is invalid.
        CheckFailed: Training diverged too often.
        KeyboardInterrupt: A signal stopped the run, which is saved.
    """
    from impasto.train.runtime import device, distributed, progress

    hardware = device.choose(config.device, config.precision)
    with distributed.process_group(hardware.device) as group:
        console = stderr_console(quiet=not group.is_main_process)
        with progress.log_to(console):
            return _fit(config, run, hardware, group, console)


def _fit(config: TrainConfig, run: runs.Run, hardware: "Hardware", group: "Group", console: "Console") -> Path:
    """Check all settings that can be checked before the first step; then resume, calibrate and train."""
    import torch

    from impasto.models.vgg import weights as vgg_weights
    from impasto.train.data import crop_stages, dataset, style_image
    from impasto.train.engine import calibration, init_weights, paintings, recipe, run_logger, train_state
    from impasto.train.engine.trainer import Trainer
    from impasto.train.runtime import device
    from impasto.train.runtime.contact_sheet import to_bytes

    directory = run.directory
    if group.is_main_process and config.resume is None:
        _check_directory(directory)
    group.local_batch_size(config.trainer.batch_size)
    photos, val_photos = dataset.split(config.data)
    short_side = crop_stages.photo_short_side(photos)
    stages = crop_stages.plan(config.data, config.loss, config.style.size, short_side, config.model.stride)
    styles = style_image.paintings(config.style)
    weights = vgg_weights.load(config.loss.weights, config.loss.network)
    torch.manual_seed(config.seed)
    device.keep_memory()
    learned = paintings.load(styles, config.loss, weights)
    initial = init_weights.load(config, learned, val_photos, stages[0].size)
    for painting in learned:
        painting.loss.to(hardware.device).to(memory_format=torch.channels_last)
    card = _card(config, learned, photos, stages, initial)
    if group.is_main_process:
        directory = run.claim()
        dataset.warn_of_few_val_photos(config.data, photos, val_photos)
    sets = (photos, val_photos)
    trainer = Trainer(config, directory, hardware, initial.network, learned, sets, stages, card, group)
    if config.resume is not None:
        trainer.resume()
    elif group.is_main_process:
        logger.info("%s", recipe.sentence(config, stages, initial.origin))
        recipe.warn_of_small_pictures(config, learned, stages[-1], short_side)
    if config.loss.style_strength is not None:
        (painting,), state = learned, trainer.state
        trainer.card = calibration.calibrate(config, painting.loss, state, trainer.card, val_photos, hardware.device)
    for painting in learned:
        painting.loss.to_precision(hardware.dtype)
    with train_state.report_full_disk(directory):
        if group.is_main_process:
            run.save(directory, config)
            shown = {painting.name: to_bytes(painting.pixels)[0] for painting in learned}
            run_logger.save_paintings(directory, shown)
        return trainer.fit(console)


def _check_directory(directory: Path) -> None:
    """Raise UsageError if the directory contains an earlier run."""
    from impasto.models import checkpoint

    if earlier := sorted(directory.glob(f"*{checkpoint.SUFFIX}")):
        raise UsageError(
            f"hydra.run.dir={directory} contains {earlier[-1].name} of an earlier run; name another folder, or resume "
            f"that run with resume={directory}"
        )


def _card(
    config: TrainConfig,
    paintings: "list[Painting]",
    photos: "PhotoSet",
    stages: "list[CropStage]",
    initial: "InitialWeights",
) -> "Card":
    """The model card before training: names and hashes, but never a path of this machine."""
    from impasto.models.card import Card, DataCard, LossCard, ModelCard, StoreCard
    from impasto.models.store import Store

    loss, data = asdict(config.loss), asdict(config.data)
    for key in ("root", "val_root", "exclude", "cache", "cache_gb"):
        del data[key]
    data |= {"size": stages[-1].size, "scale_range": stages[-1].scale_range, "stages": stages}
    loss["weights"] = "random" if config.loss.weights == "random" else WEIGHTS[config.loss.network]
    styles = [_style_card(painting) for painting in paintings]
    is_store, base = isinstance(initial.network, Store), initial.base_store or StoreCard(config.style.name, [])
    return Card(
        model=ModelCard(**asdict(config.model)),
        style=None if is_store else styles[0],
        store=StoreCard(base.name, [*base.styles, *styles]) if is_store else None,
        loss=LossCard(**loss),
        data=DataCard(**data, photos=len(photos.names), sha256=photos.sha256),
        versions=run_versions(),
        init=initial.origin,
        license=config.license,
    )


def _style_card(painting: "Painting") -> "StyleCard":
    from impasto.models.card import StyleCard

    style = asdict(painting.config)
    del style["image"]
    style["stroke_resolution"] = painting.config.card_stroke_resolution()
    return StyleCard(**style, sha256=painting.sha256)
