"""The weight files that torchvision publishes: cached path, download, verified reading."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from impasto.configs.errors import UsageError
from impasto.models.provenance import sha256


def cached(url: str) -> Path | None:
    """Return the file in torchvision's cache that was downloaded from `url`, or None."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    return path if path.is_file() else None


def download(url: str) -> Path | None:
    """Download a file into torchvision's cache and return its path, or None where that fails."""
    try:
        torch.hub.load_state_dict_from_url(url, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError):  # no network; RuntimeError: a damaged download
        return None
    return cached(url)


def read(path: Path, url: str, convs: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """Yield the convolutions of a file that torchvision publishes at `url`.

    Args:
        path: The file.
        url: Where torchvision publishes it; the end of the name is the start of its SHA-256.
        convs: The names of its convolutions, in order.

    Yields:
        `<conv>.weight` and `<conv>.bias` with their tensors.

    Raises:
        UsageError: It is another file.
    """
    # A .pth file is a pickle. Only torchvision's own file is opened, verified by its hash, and only its tensors.
    expected = url.rsplit("-", 1)[1].removesuffix(".pth")
    if not sha256(path).startswith(expected):
        raise UsageError(
            f"loss.weights={path}: a .pth file is a pickle, and this one is not torchvision's "
            f"{Path(url).name}; convert it to .safetensors with names such as conv1_1.weight"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    positions = [int(name.split(".")[1]) for name in state if re.fullmatch(r"features\.\d+\.weight", name)]
    for conv, position in zip(convs, sorted(positions), strict=True):
        for part in ("weight", "bias"):
            yield f"{conv}.{part}", state[f"features.{position}.{part}"]
