import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from impasto.configs.errors import RequestError
from impasto.configs.schema import ModelConfig
from impasto.models import checkpoint, networks

MODEL = ModelConfig("mobile", 0.25, 1)
CARD = {"style": {"name": "swirls", "artist": "Ünal"}}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "network.safetensors"
    checkpoint.save(path, networks.build(MODEL), MODEL, CARD)
    return path


def test_round_trip(saved: Path) -> None:
    torch.manual_seed(0)
    network = networks.build(MODEL).eval()
    loaded, card = checkpoint.load(saved)
    pixels = torch.rand(1, 3, 32, 32) * 255
    with torch.no_grad():
        assert torch.equal(loaded(pixels), network(pixels))
    assert not loaded.training
    assert card == CARD | {"model": {"name": "mobile", "width": 0.25, "blocks": 1}}
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_failed_write_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full_disk(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(saved, networks.build(MODEL), MODEL, CARD)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_other_files_get_one_sentence(saved: Path) -> None:
    folder, data = saved.parent, saved.read_bytes()
    (folder / "pickle.pth").write_bytes(b"\x80\x04K\x01.")
    (folder / "cut.safetensors").write_bytes(data[: len(data) // 2])
    (folder / "text.safetensors").write_text("hello")
    (folder / "empty.safetensors").write_bytes(b"")
    save_file({"a": torch.zeros(1)}, folder / "foreign.safetensors")
    cases = {
        "pickle.pth": "reads .safetensors files only",
        "missing.safetensors": "there is no such checkpoint",
        "cut.safetensors": "is damaged",
        "text.safetensors": "is damaged",
        "empty.safetensors": "is damaged",
        "foreign.safetensors": "not one that impasto-train wrote",
    }
    for name, sentence in cases.items():
        with pytest.raises(RequestError, match=sentence) as error:
            checkpoint.load(folder / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "model",
    [
        {"name": "resnet", "width": 1.0, "blocks": 1},
        {"name": "mobile", "width": 1e9, "blocks": 1},
        {"name": "mobile", "width": 0.5, "blocks": 1},
        {"name": "mobile", "depth": 3},
        None,
    ],
)
def test_an_unknown_network_gets_one_sentence(saved: Path, model: dict[str, object] | None) -> None:
    metadata = {"format": "impasto-1", "card": json.dumps({} if model is None else {"model": model})}
    save_file(load_file(saved), saved, metadata)
    with pytest.raises(RequestError, match="does not know") as error:
        checkpoint.load(saved)
    assert "\n" not in str(error.value)
