from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode

from impasto.configs.cli import app
from impasto.models import transform_net
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.train.data.dataset import to_pixels
from impasto.train.engine.divergence import STATISTICS
from impasto.train.engine.ema import ModelEma
from impasto.train.engine.optimizer import build_optimizer
from impasto.train.engine.training_loss import MEASURES, TrainingLoss
from impasto.train.runtime.device import choose
from tests.helpers.commands import TINY


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
    loss = PerceptualLoss(config.loss, weights.load("random"), 255 * torch.rand(1, 3, 32, 32))
    training_loss = TrainingLoss(config, choose("cpu", "fp32"), network, loss)
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
