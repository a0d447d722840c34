import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from impasto.configs.schema.vgg_layers import VGG16_LAYERS
from impasto.models.vgg import features as vgg
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import Weights
from impasto.models.vgg.features import VGGFeatures

ASSETS = Path(__file__).parents[2] / "assets"
GOLDEN = json.loads((ASSETS / "vgg_features.json").read_text())


@pytest.fixture(scope="module")
def original() -> Weights:
    return vgg_weights.load("auto")


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_vgg_features", ASSETS / "make_vgg_features.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_features_equal_onnx_runtimes(original: Weights) -> None:
    pixels = torch.from_numpy(_generator().picture()).permute(2, 0, 1)[None]
    features = VGGFeatures(GOLDEN, original)(pixels)
    for layer, golden in GOLDEN.items():
        values = features[layer][0]
        assert list(values.shape) == golden["shape"]
        torch.testing.assert_close(values.mean().item(), golden["mean"], rtol=1e-4, atol=0)
        expected = torch.tensor(golden["values"])
        torch.testing.assert_close(values.flatten()[golden["indices"]], expected, rtol=1e-4, atol=1e-3)


def test_features_build_and_run_only_the_needed_layers(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_features_of_conv_layer_precede_its_relu() -> None:
    weights = vgg_weights.load("random")
    both = VGGFeatures(["conv1_1", "relu1_1"], weights)(torch.rand(1, 3, 8, 8) * 255)
    assert both["conv1_1"].min() < 0
    torch.testing.assert_close(both["conv1_1"].relu(), both["relu1_1"])


@pytest.mark.skipif(not vgg.FUSED, reason="this build of torch has no oneDNN")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layers", [["relu1_2", "relu3_3"], ["conv1_2", "pool2"]])
def test_features_with_fused_relu_are_bit_identical(
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


def test_features_of_unknown_layer_raise_with_its_name() -> None:
    with pytest.raises(ValueError, match="no layer relu6_1; it has conv1_1, relu1_1"):
        VGGFeatures(["relu6_1"], vgg_weights.load("random"))
