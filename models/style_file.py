"""A style of a store as a separate file, NAME.style.safetensors: an app's network learns it without a new network.

It has the scales and shifts of the norms, the style's card, and the hash of the network that they belong to. No torch.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impasto.configs import atomic_file
from impasto.configs.errors import CheckFailed, UsageError
from impasto.models.card import StyleCard

SUFFIX = ".style.safetensors"
NETWORK = "network"  # the metadata key of the hash of the weights that the styles of a store share
_FORMAT, _NORMS = "impasto-style-1", "norms"


@dataclass(frozen=True)
class StyleFile:
    """A style, and the network that it belongs to.

    Attributes:
        norms: The scale and the shift of each norm in turn, float32 [values].
        network: The SHA-256 of the weights that the styles of its store share.
        style: The card of the style.
    """

    norms: NDArray[np.float32]
    network: str
    style: StyleCard

    def check_network(self, path: Path, network: str, values: int, of: str) -> None:
        """Raise UsageError unless the style belongs to the network of this hash, whose norms have so many values.

        Args:
            path: The file of the style, for the message.
            network: The hash of the network.
            values: The number of values of its norms.
            of: What has the network, for the message.
        """
        if self.network != network or self.norms.shape != (values,):
            raise UsageError(
                f"{path} is a style of another network than {of} (SHA-256 {self.network[:12]}, not {network[:12]}); "
                "use the store that it was trained with"
            )


def save(path: Path, file: StyleFile) -> None:
    """Write a style atomically."""
    from safetensors.numpy import save_file

    metadata = {"format": _FORMAT, NETWORK: file.network, "style": json.dumps(file.style.to_json(), sort_keys=True)}
    with atomic_file.atomic_write(path) as part:
        save_file({_NORMS: np.ascontiguousarray(file.norms, np.float32)}, part, metadata)


def load(path: Path) -> StyleFile:
    """Read a style; raises UsageError for a file that is missing, damaged or of another kind."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UsageError(f"{path} does not exist; name a style file, NAME{SUFFIX}")
    try:
        with safe_open(path, framework="np") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise UsageError(f"{path} is not a style of a store; name a file NAME{SUFFIX}")
            norms = file.get_tensor(_NORMS)
        style = StyleCard.from_json(json.loads(metadata["style"]))
        if norms.dtype != np.float32 or norms.ndim != 1 or not np.isfinite(norms).all():
            raise ValueError("its norms are not finite float32 values")
        return StyleFile(norms, metadata[NETWORK], style)
    except (SafetensorError, OSError, ValueError, KeyError, CheckFailed, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path} is damaged ({reason}); get the style again from its source") from error
