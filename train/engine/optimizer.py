"""Training's optimizer and its learning rate schedule."""

from collections.abc import Iterable
from dataclasses import asdict

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from impasto.configs.schema.train import TrainConfig
from impasto.models.network_blocks import InstanceNorm
from impasto.models.store import networks_of
from impasto.train.engine.soap import Soap
from impasto.train.engine.train_state import TrainState

LR_KEY = "optimizer.lr"


def build_optimizer(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Adam, as in Johnson et al. 2016, or SOAP."""
    settings = asdict(config.optimizer)
    name, frequency = settings.pop("name"), settings.pop("frequency")
    if name == "soap":
        return Soap(parameters, config.optimizer.lr, settings["betas"], config.optimizer.eps, frequency)
    return torch.optim.Adam(parameters, **settings, fused=True)


def trained_parameters(network: nn.Module, freeze: str, paintings: int) -> list[nn.Parameter]:
    """Return the weights that a run updates, and freeze the others.

    Args:
        network: The network, or the store whose last styles are the paintings of the run.
        freeze: As in the settings: `none`, or `all_but_norms`.
        paintings: The number of paintings.
    """
    if freeze == "none":
        return [*network.parameters()]
    network.requires_grad_(False)
    modules = (module for each in networks_of(network)[-paintings:] for module in each.modules())
    parameters = [
        parameter for module in modules if isinstance(module, InstanceNorm) for parameter in module.parameters()
    ]
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters


def build_schedule(config: TrainConfig, optimizer: Optimizer, state: TrainState) -> LambdaLR:
    """Linear warm-up over the first steps, and linear decay to zero at the end of the budget.

    The budget may be one of minutes, so the schedule reads the training state instead of counting calls.
    """

    def factor(_: int) -> float:
        warmup = min(1.0, (state.step + 1) / max(1, config.trainer.warmup_steps))
        return rollback_factor(config, state) * (warmup * (1 - state.fraction(config.trainer)))

    return LambdaLR(optimizer, factor)


def rollback_factor(config: TrainConfig, state: TrainState) -> float:
    """The factor on the learning rate after the rollbacks so far."""
    return config.trainer.divergence.lr_factor ** len(state.rollbacks)
