"""The zoo's references and its files."""

import subprocess
import sys
from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.models import checkpoint, onnx_model, zoo
from impasto.models.image.decode import read

PAINTINGS = {"great_wave", "starry_night", "the_scream", "udnie"}


def test_zoo_has_checkpoint_and_exported_file_of_both_networks() -> None:
    assert {*zoo.names()} >= PAINTINGS
    for name in zoo.names():
        for model in zoo.MODELS:
            _, card = checkpoint.load(zoo.resolve(f"zoo/{name}/{model}", ".safetensors"))
            assert card.style is not None and (card.model.name, card.style.name) == (model, name)
            assert card.style.artist != "unknown"
            assert "public domain" in card.style.license.lower()
            session = onnx_model.load(zoo.resolve(f"zoo/{name}/{model}", ".onnx"), threads=1)
            assert (stored := onnx_model.card(session)) is not None and stored.style.sha256 == card.style.sha256


def test_zoo_has_a_thumbnail_of_each_painting() -> None:
    for name in zoo.names():
        path = zoo.FOLDER / name / zoo.PAINTING
        assert 200 <= max(read(path).rgb.shape) <= 320 and path.stat().st_size < 60_000


def test_zoo_has_a_deep_checkpoint_to_start_from_for_each_painting() -> None:
    for name in zoo.names():
        _, card = checkpoint.load(zoo.resolve(f"zoo/{name}/deep", ".safetensors"))
        assert card.style is not None and (card.model.eighth_blocks, card.style.name) == (2, name)
        assert card.style.stroke_resolution == card.style.size == 768
        assert card.style.artist != "unknown" and "public domain" in card.style.license.lower()
        with pytest.raises(UsageError, match="no exported file of deep"):
            zoo.resolve(f"zoo/{name}/deep", ".onnx")


def test_resolve_without_model_gives_mobile() -> None:
    tiny = zoo.FOLDER / "udnie" / "tiny.onnx"
    assert zoo.resolve("zoo/udnie", ".onnx") == zoo.FOLDER / "udnie" / "mobile.onnx"
    assert zoo.resolve("zoo/udnie/tiny", ".onnx") == zoo.resolve("zoo/udnie", ".onnx", "tiny") == tiny
    assert zoo.resolve("zoo/udnie/tiny", ".onnx", "tiny") == tiny
    assert zoo.resolve("run/zoo/udnies", ".onnx") == Path("run/zoo/udnies")


@pytest.mark.parametrize(
    ("reference", "model", "words"),
    [
        ("zoo/mona_lisa", None, "zoo/starry_night"),
        ("/here/udnie", None, r"/here/udnie does not exist; did you mean zoo/udnie\?"),
        ("zoo/", None, "zoo/starry_night"),
        ("zoo/../zoo/udnie", None, "zoo/starry_night"),
        ("zoo/udnie/johnson", None, "mobile and tiny"),
        ("zoo/udnie/../tiny", None, "mobile and tiny"),
        ("zoo/udnie/tiny", "mobile", "name only one of them"),
    ],
)
def test_resolve_unknown_reference_raises_one_sentence(reference: str, model: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.resolve(reference, ".onnx", model)


def test_resolve_imports_no_torch() -> None:
    find = "from impasto.models import zoo; zoo.resolve('zoo/udnie', '.onnx')"
    code = f"import sys; {find}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
