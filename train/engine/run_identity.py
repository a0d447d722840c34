"""What must stay the same within one run, so that its losses form one curve."""

import logging
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import shown
from impasto.configs.schema.train import TrainConfig
from impasto.models import checkpoint
from impasto.models.card import Card, LossCard

_CROPS = ("size", "scale_range", "flip")  # of data: which crops a step sees, with its number and the batch size
# Weights that runs of earlier versions may lack, and the value that this amounts to: the card's
_ADDED = {
    f"loss.{field.name}": field.default
    for field in fields(LossCard)
    if field.name.endswith("_weight") and field.default is not MISSING
}

logger = logging.getLogger(__name__)


def identity(config: TrainConfig, card: Card) -> dict[str, Any]:
    """Return, by key, what a run minimizes and which photos it minimizes it on."""
    assert card.data is not None
    loss, data = asdict(config.loss), asdict(config.data)
    del loss["weights"]  # where the file is; its content is verified
    return {
        **{f"loss.{name}": value for name, value in loss.items()},
        "style": [style.sha256 for style in card.store.styles] if card.store else card.style and card.style.sha256,
        "freeze": config.freeze,
        "style.size": config.style.size,
        **{f"data.{name}": data[name] for name in _CROPS},
        "trainer.batch_size": config.trainer.batch_size,
        "photos": [card.data.photos, card.data.sha256],
    }


def check(directory: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Compare the identities of a run before and after resume=, and log where its photos are others.

    Raises:
        UsageError: A key would change what is minimized.
    """
    before = {key: _ADDED[key] for key in now.keys() & _ADDED.keys()} | before
    changed = {key: now[key] for key, value in before.items() if now.get(key, value) != value}
    if photos := changed.pop("photos", None):
        logger.warning(
            "the training photos are not those that the run began with (%d then, %d now); later steps train on the "
            "present ones",
            before["photos"][0],
            photos[0],
        )
    for key, value in changed.items():
        what = f"{key} from {shown(before[key])} to {shown(value)}" if key != "style" else "style to another picture"
        newest = max(directory.glob(f"step_*{checkpoint.SUFFIX}"), default="CHECKPOINT")
        raise UsageError(
            f"resume={directory} cannot change {what}, since a run minimizes one loss on one stream of photos; leave "
            f"it out, or start a new run with init={newest}"
        )
