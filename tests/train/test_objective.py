"""A step of training hands its work to the device and waits for nothing."""

from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode

from impasto.configs import app
from impasto.models import networks, vgg_weights
from impasto.models.losses import PerceptualLoss
from impasto.train.average import Average
from impasto.train.guards import FIGURES
from impasto.train.hardware import choose
from impasto.train.objective import Objective
from impasto.train.photos import to_pixels
from impasto.train.records import MEASURES
from tests.conftest import TINY


class Reads(TorchDispatchMode):
    """Notes what a host would have to wait for on a GPU: numbers and shapes that depend on values."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero, torch.ops.aten.equal):
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_step_reads_nothing_from_the_device(photo_folder: Path) -> None:
    config = app.compose("train", [*TINY, f"data.root={photo_folder}"])
    network = networks.build(config.model).train()
    loss = PerceptualLoss(config.loss, vgg_weights.load("random"), 255 * torch.rand(1, 3, 32, 32))
    objective = Objective(config, choose("cpu", "fp32"), network, loss)
    average = Average(network, 0.9)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    batch = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    with Reads() as reads:
        total, measures = objective(to_pixels(batch, torch.device("cpu")), 0)
        total.backward()
        optimizer.step()
        average.follow(network, first=True)
        average.follow(network, first=False)
    assert measures.shape == (len(MEASURES) + len(FIGURES),)
    assert reads.seen == []
    with reads:  # as torch's own average does
        average.update_parameters(network)
    assert "aten._local_scalar_dense.default" in reads.seen


def test_the_average_is_torchs() -> None:
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    ours, theirs = Average(network, 0.9), AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for step in range(3):
        torch.nn.init.normal_(network.weight)
        ours.follow(network, first=step == 0)
        theirs.update_parameters(network)
        states = zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True)
        assert all(a == b and torch.equal(x, y) for (a, x), (b, y) in states)
