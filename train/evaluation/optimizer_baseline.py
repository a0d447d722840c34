"""The per-image optimizer as the baseline of an evaluation: its settings, and a cache of its trajectories."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from impasto.configs.schema.evaluate import EvaluateConfig
from impasto.configs.schema.optimize import OptimizerConfig
from impasto.models import safetensors_file
from impasto.models.card import LossCard
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.train.engine.training_loss import AUXILIARY
from impasto.train.image_optimization.optimizer import Iterate, noise, optimize
from impasto.train.runtime.contact_sheet import to_bytes

# Fixed, so that results compare: projected L-BFGS without line search, one evaluation of the loss per iteration
BASELINE = OptimizerConfig(
    name="lbfgs", lr=1.0, first_step=None, history=50, restart=None, tolerance=0.0, patience=1_000_000
)
_FORMAT = "impasto-trajectory-3"  # part of the name of a cached file; its tensors are named in _read; since 3 in 0..255


@dataclass(frozen=True)
class BaselineTrajectory:
    """The optimizer's course on one photo.

    Attributes:
        totals: The total loss at each iteration, from iteration 1.
        snapshot_iterations: The iterations whose pictures were stored.
        snapshots: Their pictures, uint8 [N, H, W, 3].
    """

    totals: list[float]
    snapshot_iterations: list[int]
    snapshots: NDArray[np.uint8]

    @property
    def best(self) -> float:
        """The lowest total loss."""
        return min(self.totals)

    def snapshot(self, iteration: int) -> NDArray[np.uint8]:
        """Return the stored picture nearest to an iteration, uint8 [H, W, 3]."""
        iterations = self.snapshot_iterations
        nearest = min(range(len(iterations)), key=lambda index: abs(iterations[index] - iteration))
        return self.snapshots[nearest]

    @property
    def best_snapshot(self) -> NDArray[np.uint8]:
        """The stored picture nearest to the iteration with the lowest total loss."""
        return self.snapshot(self.totals.index(self.best) + 1)


_TRAINING_ONLY = (*(f"{name}_weight" for name in AUXILIARY), "temporal_weight", "ema_decay", "window")
_NOT_OPTIMIZED = ("style_strength", *_TRAINING_ONLY)


def loss_key(card_loss: LossCard, style_sha256: str, style_size: int) -> str:
    """Return what identifies a loss in the cache of trajectories.

    The key contains the raw style_weight, not the style_strength that it was calibrated from, and nothing that is
    for training alone.

    Args:
        card_loss: The loss in the card of the checkpoint or the exported file.
        style_sha256: The hash of the style image.
        style_size: Its short side in pixels.
    """
    settings = {name: value for name, value in asdict(card_loss).items() if name not in _NOT_OPTIMIZED}
    return json.dumps([settings, style_sha256, style_size], sort_keys=True)


def baseline_trajectory(
    loss: PerceptualLoss,
    key: str,
    photo: Tensor,
    init: str,
    config: EvaluateConfig,
    on_progress: Callable[[Iterate], None],
) -> BaselineTrajectory:
    """Run BASELINE on a photo, or load its trajectory from the cache.

    Args:
        loss: The loss to minimize.
        key: The loss_key of `loss`.
        photo: Float pixels [1, 3, H, W], whole numbers 0..255.
        init: The initial image: "noise" or "photo".
        config: The number of iterations, the seed of the noise and the folder of the cache.
        on_progress: Called at each iteration, unless the trajectory was cached.
    """
    iterations = config.evaluate.iterations
    identity = [_FORMAT, key, init, config.seed, iterations, asdict(BASELINE), torch.__version__]
    sha256 = hashlib.sha256(photo.numpy().tobytes() + json.dumps(identity).encode()).hexdigest()
    path = Path(config.cache) / f"{sha256}.safetensors"
    if (cached := _read(path)) is not None:
        return cached
    snapshot_iterations: list[int] = []
    snapshots: list[Tensor] = []

    def callback(iterate: Iterate) -> bool:
        # Early iterations change the picture most: store each of the first 20, then iterations 5 % apart.
        number = iterate.iteration
        if number <= 20 or number >= 1.05 * snapshot_iterations[-1] or number == iterations:
            snapshot_iterations.append(number)
            snapshots.append(torch.from_numpy(to_bytes(iterate.pixels)[0]))
        on_progress(iterate)
        return False

    initial = photo if init == "photo" else noise(photo.shape[2], photo.shape[3], config.seed)
    trajectory = optimize(loss, loss.content_target(photo), initial, BASELINE, iterations, callback)
    tensors = {
        "totals": torch.tensor(trajectory.totals, dtype=torch.float64),
        "iterations": torch.tensor(snapshot_iterations),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors_file.write(path, tensors | {"pictures": torch.stack(snapshots)}, {"format": _FORMAT})
    return BaselineTrajectory(trajectory.totals, snapshot_iterations, torch.stack(snapshots).numpy())


def _read(path: Path) -> BaselineTrajectory | None:
    if not path.is_file():
        return None
    try:
        tensors, _ = safetensors_file.read(path)
        totals, iterations, snapshots = (tensors[name] for name in ("totals", "iterations", "pictures"))
    except (safetensors_file.DamagedFileError, KeyError):  # damaged: the optimizer runs again
        return None
    return BaselineTrajectory(totals.tolist(), iterations.tolist(), snapshots.numpy())
