"""VGG-19 as trained by torchvision, rescaled to pixels of 0..255."""

from pathlib import Path

import torch

from impasto.configs.errors import UsageError
from impasto.configs.schema.vgg_layers import VGG19_LAYERS
from impasto.models.vgg import torchvision_files
from impasto.models.vgg.constants import MEAN_RGB, Weights

CONVS = tuple(name for name in VGG19_LAYERS if name.startswith("conv"))
# Mean and standard deviation that torchvision normalizes by, 0..1 (torchvision, ImageClassification)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load(source: str) -> Weights:
    """Load torchvision's VGG-19, rescaled to pixels of 0..255 minus `MEAN_RGB`.

    Torchvision trained this network itself, so loss weights are not comparable with those of the original VGG-16.

    Args:
        source: `auto` or the path of torchvision's .pth file.

    Raises:
        UsageError: The weights are not available.
    """
    if source == "auto":
        path = torchvision_files.cached(_url()) or torchvision_files.download(_url())
    else:
        path = Path(source) if Path(source).is_file() else None
    if path is None:
        raise UsageError(
            f"loss.network=vgg19 needs torchvision's {Path(_url()).name}, which is not available; connect to the "
            "internet once so that torchvision can download it, or set loss.weights=FILE, or use loss.network=vgg16"
        )
    weights = dict(torchvision_files.read(path, _url(), CONVS))
    # (x / 255 - mean) / std is folded into the first convolution. This is exact except for the padding at the border,
    # where the two means differ by less than 0.5 of 255.
    first = weights["conv1_1.weight"] / (255 * torch.tensor(_STD)).view(1, 3, 1, 1)
    shift = torch.tensor(MEAN_RGB) - 255 * torch.tensor(_MEAN)
    bias = weights["conv1_1.bias"] + (first.sum((2, 3)) * shift).sum(1)
    return weights | {"conv1_1.weight": first, "conv1_1.bias": bias}


def _url() -> str:
    from torchvision.models import VGG19_Weights

    return str(VGG19_Weights.IMAGENET1K_V1.url)
