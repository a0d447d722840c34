import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from impasto.configs.errors import UsageError
from impasto.configs.schema.model import ModelConfig
from impasto.models import checkpoint, safetensors_file, transform_net
from impasto.models.card import Card, ModelCard, StyleCard

MODEL = ModelConfig("mobile", 0.25, 1)
STYLE = StyleCard("swirls", "Ünal", "CC0-1.0", "5e", 256, None, 6)
CARD = Card(ModelCard("mobile", 0.25, 1), STYLE)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "network.safetensors"
    checkpoint.save(path, transform_net.build(MODEL), CARD)
    return path


def test_load_saved_checkpoint_returns_network_and_card(saved: Path) -> None:
    torch.manual_seed(0)
    network = transform_net.build(MODEL).eval()
    loaded, card = checkpoint.load(saved)
    pixels = torch.rand(1, 3, 32, 32) * 255
    with torch.no_grad():
        assert torch.equal(loaded(pixels), network(pixels))
    assert not loaded.training
    assert card == CARD
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_save_on_full_disk_leaves_previous_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full_disk(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors_file, "save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(saved, transform_net.build(MODEL), CARD)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_load_other_file_raises_one_sentence(saved: Path) -> None:
    folder, data = saved.parent, saved.read_bytes()
    (folder / "pickle.pth").write_bytes(b"\x80\x04K\x01.")
    (folder / "cut.safetensors").write_bytes(data[: len(data) // 2])
    (folder / "text.safetensors").write_text("hello")
    (folder / "empty.safetensors").write_bytes(b"")
    save_file({"a": torch.zeros(1)}, folder / "foreign.safetensors")
    cases = {
        "pickle.pth": "reads .safetensors files only",
        "missing.safetensors": "does not exist",
        "cut.safetensors": "is damaged",
        "text.safetensors": "is damaged",
        "empty.safetensors": "is damaged",
        "foreign.safetensors": "that impasto-train did not write",
    }
    for name, sentence in cases.items():
        with pytest.raises(UsageError, match=sentence) as error:
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
def test_load_unsupported_network_raises_one_sentence(saved: Path, model: dict[str, object] | None) -> None:
    metadata = {"format": "impasto-1", "card": json.dumps({} if model is None else {"model": model})}
    save_file(load_file(saved), saved, metadata)
    with pytest.raises(UsageError, match="does not support") as error:
        checkpoint.load(saved)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"style": {"name": "swirls"}}, "style.artist"),
        ({"style": 3}, "style"),
        ({"validation": [{"step": "zero"}]}, "validation.0.step"),
        ({"training": "long"}, "training"),
    ],
)
def test_load_invalid_card_raises_sentence_that_names_the_key(
    saved: Path, section: dict[str, object], key: str
) -> None:
    card = CARD.to_json() | section
    save_file(load_file(saved), saved, {"format": "impasto-1", "card": json.dumps(card)})
    with pytest.raises(UsageError, match=rf"invalid {key} \(") as error:
        checkpoint.load(saved)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b]0;b\x07\u202ec", r"a\x1b]0;b\x07\u202ec"),
        ("a\ud800", r"a\ud800"),
        ("CC0\n  or\tMIT", "CC0 or MIT"),
        ("星月夜 <b> ünal", "星月夜 <b> ünal"),
    ],
)
def test_load_escapes_control_characters_of_a_card(saved: Path, text: str, shown: str) -> None:
    card = CARD.to_json()
    card["style"] |= {"name": text, "artist": text, "license": text}
    card["versions"] = {text: text}
    save_file(load_file(saved), saved, {"format": "impasto-1", "card": json.dumps(card)})
    loaded = checkpoint.load(saved)[1]
    assert loaded.style is not None
    assert {loaded.style.name, loaded.style.artist, loaded.style.license, *loaded.versions} == {shown}
    json.dumps(loaded.to_json(), ensure_ascii=False).encode()


@pytest.mark.parametrize("card", ['{"model": ' + "[" * 10**5, "[" * 10**5 + "]" * 10**5, "null", "1", '""', "\x00"])
def test_load_of_a_card_of_another_kind_raises_one_sentence(saved: Path, card: str) -> None:
    save_file(load_file(saved), saved, {"format": "impasto-1", "card": card})
    with pytest.raises(UsageError, match="does not support") as error:
        checkpoint.load(saved)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000


def test_load_of_a_card_with_a_long_text_raises_one_sentence(saved: Path) -> None:
    card = CARD.to_json()
    card["style"]["name"] = "\x1b" + "a" * 5_000_000
    save_file(load_file(saved), saved, {"format": "impasto-1", "card": json.dumps(card)})
    with pytest.raises(UsageError, match=r"its text .* has 5,000,001 characters, more than 4,096") as error:
        checkpoint.load(saved)
    assert "\x1b" not in str(error.value) and len(str(error.value)) < 1000
