"""Write trajectory.json: the golden losses of the per-image optimizer on a small picture.

The loss is Johnson's in float64 and functional PyTorch. It shares only the random weights and the noise with impasto.
L-BFGS in float32 follows the golden losses for two steps: torch's first step is so short that rounding dominates the
curvature that the optimizer estimates from it.

Run: python -m tests.assets.make_trajectory
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import Weights
from impasto.train.image_optimization.optimizer import noise

SIDE, ITERATIONS, SEED = 48, 12, 7
CONVS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3")
CONTENT, STYLES = "2_2", ("1_2", "2_2", "3_3", "4_3")


def pictures() -> tuple[Tensor, Tensor]:
    """Return a smooth photo and a striped style image, [1, 3, 48, 48], 0..255."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    photo = np.stack([x, y, 1 - x * y])
    painting = np.stack([np.sin(30 * x), np.sin(25 * (x + y)), np.cos(40 * y)]) / 2 + 0.5
    first, second = (torch.from_numpy(np.rint(255 * array)).float()[None] for array in (photo, painting))
    return first, second


def features(pixels: Tensor, weights: Weights) -> dict[str, Tensor]:
    """Return the features after each ReLU, by the name of the convolution."""
    x = pixels - torch.tensor([123.68, 116.779, 103.939], dtype=pixels.dtype).view(1, 3, 1, 1)
    result = {}
    for conv in CONVS:
        if conv.endswith("_1") and conv != "1_1":
            x = F.max_pool2d(x, 2)
        weight, bias = (weights[f"conv{conv}.{part}"].to(pixels.dtype) for part in ("weight", "bias"))
        result[conv] = x = F.relu(F.conv2d(x, weight, bias, padding=1))
    return result


def gram(values: Tensor) -> Tensor:
    rows = values.flatten(2)[0]
    return rows @ rows.T / values.numel()


def trajectory(name: str) -> list[float]:
    """Return the total loss of each evaluation from noise, by lbfgs or adam."""
    weights = vgg_weights.load("random")
    photo, painting = (picture.double() for picture in pictures())
    content = features(photo, weights)[CONTENT]
    targets = {layer: gram(features(painting, weights)[layer]) for layer in STYLES}
    pixels = noise(SIDE, SIDE, SEED).double().requires_grad_()
    optimizer: torch.optim.Optimizer = torch.optim.Adam([pixels], 10.0)
    if name == "lbfgs":
        optimizer = torch.optim.LBFGS([pixels], 1.0, max_iter=1, tolerance_grad=0, tolerance_change=0, history_size=50)
    totals: list[float] = []

    def evaluate() -> float:
        optimizer.zero_grad()
        layers = features(pixels, weights)
        style = sum((gram(layers[layer]) - target).square().mean() for layer, target in targets.items())
        total = (layers[CONTENT] - content).square().mean() + 5 * style
        total.backward()
        totals.append(total.item())
        return total.item()

    for _ in range(ITERATIONS):
        optimizer.step(evaluate)
    return totals


def main() -> None:
    """Compute and write the golden losses."""
    golden = {name: [float(f"{total:.8g}") for total in trajectory(name)] for name in ("lbfgs", "adam")}
    Path(__file__).with_name("trajectory.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
