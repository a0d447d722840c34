"""A moving average of a network's weights that waits for no device."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Average(AveragedModel):
    """torch's, whose own update looks at a number on the device in every step."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network)
        self._mix = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def follow(self, network: nn.Module, first: bool) -> None:
        """Take in the weights of a step; those of the first as they are."""
        ours: list[Tensor] = [*self.module.parameters()]
        theirs: list[Tensor] = [*network.parameters()]
        if first:
            torch._foreach_copy_(ours, theirs)
        else:
            self._mix(ours, theirs, self.n_averaged)
        self.n_averaged += 1
