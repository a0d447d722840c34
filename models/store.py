"""A store of styles: networks that share every weight but those of their norms (Dumoulin et al. 2017)."""

import copy
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from impasto.models.network_blocks import InstanceNorm
from impasto.models.transform_net import TransformNet


class Store(nn.Module):
    """Networks of several styles with conditional instance norms: each style is a scale and a shift per norm.

    Each of `networks` is a whole network, and shares its convolutions with the others. In `state_dict`, a weight of a
    norm is a table [styles, channels], and every other weight is stored once, under the names of a single network.

    Args:
        networks: Networks of one architecture. The convolutions of the first are used; of the others, the norms.

    Attributes:
        networks: The network of each style.

    Examples:
        >>> from impasto.models import checkpoint, zoo
        >>> network, _ = checkpoint.load(zoo.resolve("zoo/starry_night/tiny", ".safetensors"))
        >>> store = Store([network, network])
        >>> torch.equal(store.blend([0.5, 0.5])(torch.zeros(1, 3, 32, 32)), network(torch.zeros(1, 3, 32, 32)))
        True
    """

    def __init__(self, networks: Sequence[TransformNet]) -> None:
        super().__init__()
        first = networks[0]
        self.networks = nn.ModuleList(_with_norms(first, network) for network in networks)

    @property
    def stride(self) -> int:
        """What height and width must be multiples of, as of a single network."""
        return self.network(0).stride

    @property
    def passes(self) -> int:
        """How often the network of each style stylizes a photo."""
        return self.network(0).passes

    def network(self, index: int) -> TransformNet:
        """Return the network of a style, which shares its convolutions with the store."""
        network = self.networks[index]
        assert isinstance(network, TransformNet)
        return network

    @torch.no_grad()
    def blend(self, weights: Sequence[float]) -> TransformNet:
        """Return a single network whose norms are a weighted sum of those of the styles.

        Args:
            weights: A weight for each style, which sum to 1.

        Returns:
            The network, in evaluation mode.
        """
        result = copy.deepcopy(self.network(0)).eval()
        tables = self.state_dict()
        names = _norm_names(result)
        for name, parameter in result.named_parameters():
            if name in names:
                table = tables[name]
                parameter.copy_(torch.tensor(weights, dtype=table.dtype) @ table.cpu())
        return result

    @property
    def norm_names(self) -> list[str]:
        """The names of the weights of the norms, as a single network has them."""
        return _norm_names(self.network(0))

    def trunk_parameters(self) -> list[nn.Parameter]:
        """Return the weights that the styles share."""
        return [parameter for name, parameter in _named(self.network(0)) if name not in _norm_names(self.network(0))]

    @property
    def trunk_sha256(self) -> str:
        """The hash of what the styles share, weights and passes: what a style file must fit."""
        digest, names = hashlib.sha256(), {*self.norm_names}
        if self.passes > 1:
            digest.update(f"passes {self.passes}".encode())
        for name, value in sorted(self.network(0).state_dict().items()):
            if name not in names:
                digest.update(f"{name} {tuple(value.shape)}".encode())
                digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def norms(self, index: int) -> NDArray[np.float32]:
        """Return the scale and the shift of each norm in turn of a style, float32 [values]."""
        state = self.network(index).state_dict()
        values: NDArray[np.float32] = torch.cat([state[name].float().cpu() for name in self.norm_names]).numpy()
        return values

    def with_norms(self, norms: NDArray[np.float32]) -> "Store":
        """Return a store with one more style; `norms` are as `norms` returns them."""
        added = copy.deepcopy(self.network(0))
        parameters = dict(added.named_parameters())
        parts = torch.from_numpy(norms).split([parameters[name].numel() for name in self.norm_names])
        with torch.no_grad():
            for name, part in zip(self.norm_names, parts, strict=True):
                parameters[name].copy_(part)
        return Store([*networks_of(self), added]).train(self.training)

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Return the weights by the names of a single network; those of norms as tables [styles, channels]."""
        states = [network.state_dict(keep_vars=keep_vars) for network in self.networks]
        names = _norm_names(self.network(0))
        result = OrderedDict() if destination is None else destination
        for name, value in states[0].items():
            result[prefix + name] = torch.stack([state[name] for state in states]) if name in names else value
        return result

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Distribute what `state_dict` returned; PyTorch passes it on to the networks."""
        names = _norm_names(self.network(0))
        for key in [key for key in state_dict if key.startswith(prefix)]:
            value, name = state_dict.pop(key), key.removeprefix(prefix)
            rows = value.unbind() if name in names else [value] * len(self.networks)
            for index, row in zip(range(len(self.networks)), rows, strict=True):
                state_dict[f"{prefix}networks.{index}.{name}"] = row
        super()._load_from_state_dict(state_dict, prefix, *args)


def networks_of(network: nn.Module) -> list[TransformNet]:
    """Return the network of each style of a store, or a network that is none itself."""
    networks = [*network.networks] if isinstance(network, Store) else [network]
    return [network for network in networks if isinstance(network, TransformNet)]


def _with_norms(trunk: TransformNet, network: TransformNet) -> TransformNet:
    """A network with the norms of `network`, which shares its other weights with `trunk`."""
    names = _norm_names(trunk)
    shared: dict[int, Any] = {id(parameter): parameter for name, parameter in _named(trunk) if name not in names}
    result: TransformNet = copy.deepcopy(trunk, shared)
    own = dict(_named(network))
    with torch.no_grad():
        for name, parameter in _named(result):
            if name in names:
                parameter.copy_(own[name])
    return result


def _named(network: TransformNet) -> list[tuple[str, nn.Parameter]]:
    return [*network.named_parameters()]


def _norm_names(network: TransformNet) -> list[str]:
    """The names of the weights of norms."""
    modules = ((name, module) for name, module in network.named_modules() if isinstance(module, InstanceNorm))
    return [f"{name}.{part}" for name, module in modules for part, _ in module.named_parameters()]
