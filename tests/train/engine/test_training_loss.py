import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode

from impasto.configs.cli import app
from impasto.configs.schema.train import TrainConfig
from impasto.models import transform_net
from impasto.models.losses.blotch import BlotchLoss
from impasto.models.losses.flatness import FlatnessLoss
from impasto.models.losses.mesh import MeshLoss
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.losses.weave import WeaveLoss
from impasto.models.vgg import weights
from impasto.train.data.dataset import to_pixels
from impasto.train.engine.divergence import STATISTICS
from impasto.train.engine.ema import ModelEma
from impasto.train.engine.optimizer import build_optimizer
from impasto.train.engine.training_loss import MEASURES, TrainingLoss
from impasto.train.runtime.device import choose
from impasto.train.runtime.distributed import Group
from tests.helpers.commands import TINY, Run

Impasto = Callable[..., Run]


class Reads(TorchDispatchMode):
    """Records operations for which the host would wait on a GPU: numbers and shapes that depend on values."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero, torch.ops.aten.equal):
            self.operations.append(str(func))
        return func(*args, **(kwargs or {}))


def test_training_loss_step_reads_nothing_from_device(photo_folder: Path) -> None:
    config = app.compose("train", [*TINY, f"data.root={photo_folder}"])
    network = transform_net.build(config.model).train()
    painting = 255 * torch.rand(1, 3, 32, 32)
    loss = PerceptualLoss(config.loss, weights.load("random"), painting)
    training_loss = TrainingLoss(config, choose("cpu", "fp32"), network, loss, painting, Group())
    average = ModelEma(network, 0.9)
    optimizer = build_optimizer(config, network.parameters())
    batch = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    with Reads() as reads:
        total, measures = training_loss(to_pixels(batch, torch.device("cpu")), 0)
        total.backward()
        optimizer.step()
        average.update(network, first=True)
        average.update(network, first=False)
    assert measures.shape == (len(MEASURES) + len(STATISTICS),)
    assert reads.operations == []
    with reads:  # torch's own update reads
        average.update_parameters(network)
    assert "aten._local_scalar_dense.default" in reads.operations


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("blotch", lambda painting, pictures, photos: BlotchLoss()(pictures, photos)),
        ("flatness", lambda painting, pictures, photos: FlatnessLoss(painting)(pictures, photos)),
        ("mesh", lambda painting, pictures, photos: MeshLoss()(pictures)),
        ("weave", lambda painting, pictures, photos: WeaveLoss()(pictures)),
    ],
)
def test_training_loss_adds_a_loss_of_its_painting_with_its_weight(
    name: str, value: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor], photo_folder: Path
) -> None:
    config = app.compose("train", [*TINY, f"data.root={photo_folder}"])
    weighted = replace(config, loss=replace(config.loss, **{f"{name}_weight": 3.0}))
    torch.manual_seed(5)  # one in five random networks has no weave at all
    network = transform_net.build(config.model).train()
    photos, painting = 127 + torch.rand(2, 3, 32, 32), 127 + 20 * torch.rand(1, 3, 32, 32)
    loss = PerceptualLoss(config.loss, weights.load("random"), painting)

    def step(config: TrainConfig) -> tuple[float, dict[str, float]]:
        training_loss = TrainingLoss(config, choose("cpu", "fp32"), network, loss, painting, Group())
        total, measures = training_loss(photos, 0)
        return total.item(), dict(zip(MEASURES, measures.tolist(), strict=False))

    (without, zero), (total, measures) = step(config), step(weighted)
    expected = value(painting, network(photos), photos).item()
    assert zero[name] == 0 and measures[name] == pytest.approx(expected)
    assert expected > 0 and total == pytest.approx(without + 3 * expected)
    del zero[name], measures[name]
    assert measures == pytest.approx(zero)


def test_model_ema_update_equals_torchs_averaged_model() -> None:
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    ours, theirs = ModelEma(network, 0.9), AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for step in range(3):
        torch.nn.init.normal_(network.weight)
        ours.update(network, first=step == 0)
        theirs.update_parameters(network)
        states = zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True)
        assert all(a == b and torch.equal(x, y) for (a, x), (b, y) in states)


def rows(run: Path, column: str) -> list[float]:
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row[column]) for row in csv.DictReader(file) if row[column]]


@pytest.mark.parametrize("key", ["temporal_weight=1000", "palette_weight=10"])
def test_train_with_a_state_of_the_loss_resumes_bit_for_bit(
    key: str, photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    line = [*TINY, f"data.root={photo_folder}", f"loss.{key}"]
    done = impasto("train", *line, f"hydra.run.dir={tmp_path / 'whole'}")
    assert done.returncode == 0, done.stderr
    if key.startswith("temporal"):
        assert min(rows(tmp_path / "whole", "temporal")) > 0 and min(rows(tmp_path / "whole", "val_temporal")) > 0
    # The learning rate decays over the budget, so both runs have the same budget, and one loses its last state.
    again = impasto("train", *line, f"hydra.run.dir={tmp_path / 'part'}")
    assert again.returncode == 0, again.stderr
    for name in ("step_00000006.safetensors", "step_00000006.state"):
        (tmp_path / "part" / name).unlink()
    resumed = impasto("train", f"resume={tmp_path / 'part'}")
    assert resumed.returncode == 0, resumed.stderr
    first, second = (load_file(tmp_path / run / "step_00000006.safetensors") for run in ("whole", "part"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_train_with_larger_temporal_weight_ends_with_lower_temporal_loss(
    photo_folder: Path, tmp_path: Path, impasto: Impasto
) -> None:
    final = {}
    for weight in (1, 1_000_000):
        run = tmp_path / str(weight)
        line = [*TINY, f"data.root={photo_folder}", "trainer.steps=40", f"loss.temporal_weight={weight}"]
        done = impasto("train", *line, "trainer.validate_every=40", "optimizer.lr=0.01", f"hydra.run.dir={run}")
        assert done.returncode == 0, done.stderr
        final[weight] = rows(run, "val_temporal")[-1]
    assert final[1_000_000] < 0.7 * final[1]


def test_train_without_temporal_weight_logs_zero(tiny_run: Path) -> None:
    assert rows(tiny_run, "temporal") == pytest.approx([0.0] * len(rows(tiny_run, "temporal")))
