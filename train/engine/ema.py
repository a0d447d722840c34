"""An exponential moving average of a network's weights."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class ModelEma(AveragedModel):
    """torch's AveragedModel, with an update that does not read a number back from the device."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network)
        self._average = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update(self, network: nn.Module, first: bool) -> None:
        """Add the weights of a step to the average, or copy those of the first step."""
        averages: list[Tensor] = [*self.module.parameters()]
        weights: list[Tensor] = [*network.parameters()]
        if first:
            torch._foreach_copy_(averages, weights)
        else:
            self._average(averages, weights, self.n_averaged)
        self.n_averaged += 1
