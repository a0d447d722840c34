"""Networks against the optimizer: how many of its iterations one pass is worth (Johnson et al. 2016, fig. 5)."""

import hashlib
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from impasto.configs.errors import CheckError
from impasto.configs.schema import EvaluateConfig, EvaluationConfig, OptimizerConfig
from impasto.models import artefacts, files, stability
from impasto.models.losses import Losses, PerceptualLoss
from impasto.train.optimizer import Iterate, noise, optimize
from impasto.train.sheets import to_bytes

# The yardstick, so that figures compare: torch's L-BFGS without line search, one evaluation of the loss an iteration
YARDSTICK = OptimizerConfig(
    name="lbfgs", lr=1.0, first_step=None, history=50, restart=None, tolerance=0.0, window=1_000_000
)
_FORMAT = "impasto-trajectory-1"
_ARTEFACTS = {
    "lattice": "a lattice of 4 or 2 px that is stronger by {}",
    "blobs": "{} more saturated blobs in a megapixel",
    "border": "a border that differs from the interior by {} more",
}


@dataclass(frozen=True)
class Trajectory:
    """The optimizer's total loss after each iteration from 1, and pictures [N, H, W, 3] of the iterations `kept`."""

    totals: list[float]
    kept: list[int]
    pictures: NDArray[np.uint8]

    @property
    def best(self) -> float:
        return min(self.totals)

    def worth(self, total: float) -> int:
        """The first iteration whose loss is at most `total`; the number of iterations where none is."""
        return next((i for i, reached in enumerate(self.totals, 1) if reached <= total), len(self.totals))

    def picture(self, iteration: int) -> NDArray[np.uint8]:
        """The kept picture that is nearest to an iteration."""
        nearest = min(range(len(self.kept)), key=lambda index: abs(self.kept[index] - iteration))
        return self.pictures[nearest]

    @property
    def best_picture(self) -> NDArray[np.uint8]:
        return self.picture(self.totals.index(self.best) + 1)


@dataclass(frozen=True)
class Result:
    """One photo at one size: the network's losses, and against each start the worth and the ratio to the best.

    `artefacts` holds the figures of the `network`'s picture and of the `photo`; `flicker` is stability.flicker's.
    """

    photo: str
    size: int
    losses: dict[str, float]
    worth: dict[str, int]
    ratio: dict[str, float]
    best: dict[str, float]
    artefacts: dict[str, dict[str, float]]
    flicker: dict[str, float]
    pixels: NDArray[np.uint8]
    network: NDArray[np.uint8]
    trajectories: dict[str, Trajectory]

    def as_json(self) -> dict[str, Any]:
        """The figures without the pictures."""
        names = ("photo", "size", "losses", "worth", "ratio", "best", "artefacts", "flicker")
        return {name: getattr(self, name) for name in names}


def judge(
    network: Callable[[Tensor], Tensor],
    loss: PerceptualLoss,
    photo: NDArray[np.uint8],
    name: str,
    config: EvaluateConfig,
    key: str,
    show: Callable[[str, Iterate], None],
) -> Result:
    """Compare a network, pixels to pixels, with the optimizer on one photo [H, W, 3], by the same loss, in float32.

    `key` names the loss for the cache of trajectories; `show` is called at each iteration that is really computed.
    """
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float()
    target = loss.content_target(pixels)
    with torch.no_grad():
        stylized = network(pixels)
        values = torch.stack(loss(stylized, target)).tolist()
    losses = dict(zip(Losses._fields, values, strict=True))
    if not np.isfinite(losses["total"]):
        raise CheckError(f"the network gives values that are no numbers on {name}; train it again")
    trajectories = {
        start: _trajectory(loss, pixels, target, start, config, key, partial(show, start))
        for start in config.evaluate.starts
    }
    return Result(
        photo=name,
        size=photo.shape[0],
        losses=losses,
        worth={start: trajectory.worth(losses["total"]) for start, trajectory in trajectories.items()},
        ratio={start: losses["total"] / trajectory.best for start, trajectory in trajectories.items()},
        best={start: trajectory.best for start, trajectory in trajectories.items()},
        artefacts={"network": artefacts.figures(stylized), "photo": artefacts.figures(pixels)},
        flicker=stability.flicker(network, pixels, config.seed),
        pixels=photo,
        network=to_bytes(stylized)[0],
        trajectories=trajectories,
    )


def summary(results: list[Result]) -> list[dict[str, Any]]:
    """Medians over the photos, a row for each size and start."""
    rows = []
    for size in sorted({result.size for result in results}):
        of_size = [result for result in results if result.size == size]
        for start in of_size[0].worth:
            rows.append(
                {
                    "size": size,
                    "start": start,
                    "photos": len(of_size),
                    "worth": statistics.median(result.worth[start] for result in of_size),
                    "ratio": statistics.median(result.ratio[start] for result in of_size),
                }
                | {name: statistics.median(r.losses[name] for r in of_size) for name in ("total", "content", "style")}
                | {"artefacts": _artefacts([result.artefacts for result in of_size])}
                | {
                    "flicker": {
                        name: statistics.median(r.flicker[name] for r in of_size) for name in of_size[0].flicker
                    }
                }
            )
    return rows


def _artefacts(photos: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Medians over the photos: of the network's pictures, of the photos, and of `excess`, what the former have more."""
    names = photos[0]["photo"]
    medians = {
        of: {name: statistics.median(photo[of][name] for photo in photos) for name in names}
        for of in ("network", "photo")
    }
    return medians | {
        "excess": {
            name: statistics.median(photo["network"][name] - photo["photo"][name] for photo in photos) for name in names
        }
    }


def ways(results: list[Result]) -> list[tuple[str, list[float], float]]:
    """For each size and start: a title, the optimizer's median loss by iteration, and the network's median loss."""
    panels = []
    for row in summary(results):
        size, start = row["size"], row["start"]
        totals = [result.trajectories[start].totals for result in results if result.size == size]
        medians = [statistics.median(losses) for losses in zip(*totals, strict=False)]
        panels.append((f"{size} px, optimizer from {start}", medians, row["total"]))
    return panels


def gate(rows: list[dict[str, Any]], limits: EvaluationConfig) -> None:
    """Raise CheckError where a network is worth too little, too far from the optimizer's best, or leaves artefacts.

    The limits hold for the optimizer from noise (else from the only start), at each size.
    """
    starts = [row["start"] for row in rows]
    for row in rows:
        if row["start"] != ("noise" if "noise" in starts else starts[0]):
            continue
        place = f"from {row['start']} at {row['size']} px, in the median of {row['photos']} photos"
        if limits.min_worth is not None and row["worth"] < limits.min_worth:
            raise CheckError(
                f"the network is worth {row['worth']:g} iterations {place}, less than "
                f"evaluate.min_worth={limits.min_worth:g}"
            )
        if limits.max_ratio is not None and row["ratio"] > limits.max_ratio:
            raise CheckError(
                f"the network's loss is {row['ratio']:.2f} times the optimizer's best {place}, more than "
                f"evaluate.max_ratio={limits.max_ratio:g}"
            )
        if limits.max_flicker is not None and row["flicker"]["both"] > limits.max_flicker:
            raise CheckError(
                f"the network flickers by {row['flicker']['both']:.2f} levels on synthetic clips at {row['size']} px, "
                f"in the median of {row['photos']} photos, more than evaluate.max_flicker={limits.max_flicker:g}; "
                "train it with trainer.stability_weight"
            )
        for name, words in _ARTEFACTS.items():
            limit, excess = getattr(limits, f"max_{name}"), row["artefacts"]["excess"][name]
            if limit is not None and excess > limit:
                raise CheckError(
                    f"the network's pictures have {words.format(f'{excess:.2f}')} than their photos "
                    f"at {row['size']} px, in the median of {row['photos']} photos, more than "
                    f"evaluate.max_{name}={limit:g}"
                )


def loss_key(card_loss: dict[str, Any], style_sha256: str, style_size: int) -> str:
    """What tells one loss from another, for the cache: the raw weights, not the strength that they came from."""
    settings = {name: value for name, value in card_loss.items() if name != "strength"}
    return json.dumps([settings, style_sha256, style_size], sort_keys=True)


def _trajectory(
    loss: PerceptualLoss,
    photo: Tensor,
    target: Tensor,
    start: str,
    config: EvaluateConfig,
    key: str,
    show: Callable[[Iterate], None],
) -> Trajectory:
    """The optimizer's way on a photo, from the cache where it has been walked before."""
    iterations = config.evaluate.iterations
    facts = [_FORMAT, key, start, config.seed, iterations, asdict(YARDSTICK), torch.__version__]
    content = hashlib.sha256(photo.numpy().tobytes() + json.dumps(facts).encode()).hexdigest()
    path = Path(config.cache) / f"{content}.safetensors"
    if (cached := _read(path)) is not None:
        return cached
    kept: list[int] = []
    pictures: list[Tensor] = []

    def follow(iterate: Iterate) -> bool:
        # The pictures of early iterations change most: each of the first 20, then some 5 % apart.
        if iterate.iteration <= 20 or iterate.iteration >= 1.05 * kept[-1] or iterate.iteration == iterations:
            kept.append(iterate.iteration)
            pictures.append(torch.from_numpy(to_bytes(iterate.pixels)[0]))
        show(iterate)
        return False

    first = photo if start == "photo" else noise(photo.shape[2], photo.shape[3], config.seed)
    walked = optimize(loss, target, first, YARDSTICK, iterations, follow)
    tensors = {"totals": torch.tensor(walked.totals, dtype=torch.float64), "kept": torch.tensor(kept)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.aside(path) as part:
        save_file(tensors | {"pictures": torch.stack(pictures)}, part, {"format": _FORMAT})
    return Trajectory(walked.totals, kept, torch.stack(pictures).numpy())


def _read(path: Path) -> Trajectory | None:
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            totals, kept, pictures = (file.get_tensor(name) for name in ("totals", "kept", "pictures"))
    except (SafetensorError, OSError):  # damaged: walk again
        return None
    return Trajectory(totals.tolist(), kept.tolist(), pictures.numpy())
