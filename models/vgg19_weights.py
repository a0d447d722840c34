"""VGG-19 as torchvision trained it: where it comes from, and how it is brought to pixels of 0..255."""

from pathlib import Path

import torch

from impasto.configs.errors import RequestError
from impasto.configs.schema import VGG19_LAYERS
from impasto.models import vgg_weights
from impasto.models.vgg import MEAN_RGB

CONVS = tuple(name for name in VGG19_LAYERS if name.startswith("conv"))
# What torchvision normalises by: mean and standard deviation of ImageNet, 0..1 (torchvision, ImageClassification)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load(source: str) -> vgg_weights.Weights:
    """The weights from `source`, auto or torchvision's .pth file, for pixels of 0..255 minus `MEAN_RGB`.

    Torchvision trained them anew, so a loss weight means something else than with the original VGG-16. Raises
    RequestError where they are not at hand.
    """
    if source == "auto":
        path = vgg_weights.in_cache(_url()) or vgg_weights.download(_url())
    else:
        path = Path(source) if Path(source).is_file() else None
    if path is None:
        raise RequestError(
            f"loss.network=vgg19 needs torchvision's {Path(_url()).name}, which is not at hand: go online once so that "
            "torchvision can download it, or give it as loss.weights=FILE, or take loss.network=vgg16"
        )
    weights = dict(vgg_weights.read_torchvision(path, _url(), CONVS))
    # (x / 255 - mean) / std becomes a part of the first convolution; exact but for the padding at the border, where
    # the two means differ by less than 0.5 of 255.
    first = weights["conv1_1.weight"] / (255 * torch.tensor(_STD)).view(1, 3, 1, 1)
    shift = torch.tensor(MEAN_RGB) - 255 * torch.tensor(_MEAN)
    bias = weights["conv1_1.bias"] + (first.sum((2, 3)) * shift).sum(1)
    return weights | {"conv1_1.weight": first, "conv1_1.bias": bias}


def _url() -> str:
    from torchvision.models import VGG19_Weights

    return str(VGG19_Weights.IMAGENET1K_V1.url)
