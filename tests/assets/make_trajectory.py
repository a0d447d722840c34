"""Write trajectory.json: the golden losses of the per-image optimizer on a small picture.

The loss is Johnson's in float64 and functional PyTorch. L-BFGS is Nocedal & Wright's algorithm 7.4 with torch's first
step, Adam is Kingma & Ba's algorithm 1, both with the projected gradient and projected to 0..255. The code shares only
the random weights and the noise with impasto. L-BFGS in float32 follows the golden losses for two steps: torch's first
step is so short that rounding dominates the curvature that the optimizer estimates from it.

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
    pixels, totals = noise(SIDE, SIDE, SEED).double(), []
    step = LBFGS() if name == "lbfgs" else Adam()
    for _ in range(ITERATIONS):
        x = pixels.clone().requires_grad_()
        layers = features(x, weights)
        style = sum((gram(layers[layer]) - target).square().mean() for layer, target in targets.items())
        total = (layers[CONTENT] - content).square().mean() + 5 * style
        total.backward()
        totals.append(total.item())
        assert x.grad is not None
        free = ~(((pixels == 0) & (x.grad > 0)) | ((pixels == 255) & (x.grad < 0)))
        pixels = (pixels + step(pixels, x.grad, free)).clamp(0, 255)
    return totals


class LBFGS:
    """Steps of L-BFGS without line search, restricted to the free pixels."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Tensor, Tensor]] = []
        self.last: tuple[Tensor, Tensor] | None = None

    def __call__(self, pixels: Tensor, gradient: Tensor, free: Tensor) -> Tensor:
        """Return the step from pixels with this gradient."""
        last, self.last = self.last, (pixels, gradient)
        if last is None:
            return -gradient * free * min(1.0, 1 / float((gradient * free).abs().sum()))
        s, y = free * (pixels - last[0]), free * (gradient - last[1])
        if float((s * y).sum()) > 1e-10:
            self.pairs.append((s, y))
        q, alphas = gradient * free, []
        for s, y in reversed(self.pairs):
            alphas.append((s * q).sum() / (s * y).sum())
            q = q - alphas[-1] * y
        s, y = self.pairs[-1]
        r = q * (s * y).sum() / (y * y).sum()
        for (s, y), alpha in zip(self.pairs, reversed(alphas), strict=True):
            r = r + s * (alpha - (y * r).sum() / (s * y).sum())
        return -r * free


class Adam:
    """Steps of Adam with a learning rate of 10."""

    def __init__(self) -> None:
        self.count, self.mean, self.square = 0, torch.zeros(()), torch.zeros(())

    def __call__(self, pixels: Tensor, gradient: Tensor, free: Tensor) -> Tensor:
        """Return the step from pixels with this gradient."""
        gradient = gradient * free
        self.count += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient.square()
        mean, square = self.mean / (1 - 0.9**self.count), self.square / (1 - 0.999**self.count)
        return -10 * mean / (square.sqrt() + 1e-8)


def main() -> None:
    """Compute and write the golden losses."""
    golden = {name: [float(f"{total:.8g}") for total in trajectory(name)] for name in ("lbfgs", "adam")}
    Path(__file__).with_name("trajectory.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
