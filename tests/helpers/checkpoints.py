"""Comparing checkpoints."""

from pathlib import Path

import torch
from safetensors.torch import load_file


def same_weights(one: Path, other: Path) -> bool:
    """Whether the newest checkpoints of two runs hold the same numbers."""
    weights = [load_file(max(run.glob("*.safetensors"))) for run in (one, other)]
    return all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
