"""The zoo's references and its files."""

import subprocess
import sys
from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.models import checkpoint, onnx_model, zoo
from impasto.models.card import UNKNOWN, Card
from impasto.models.image.decode import read
from tests.helpers.onnx_models import warnings_of


def assert_complete(card: Card) -> None:
    """No artist, source or license of the network, the painting, the photos and the initial network is unknown."""
    assert card.style is not None and card.data is not None
    named = card.style.title, card.style.artist, card.style.source, card.data.source, card.data.license
    assert UNKNOWN not in named
    assert "public domain" in card.style.license.lower()
    assert card.license == "MIT" and (card.init is None or card.init.license == "MIT")


def test_zoo_has_checkpoint_and_exported_file_of_each_network() -> None:
    assert len(zoo.names()) >= 8
    for name in zoo.names():
        in_passes = name != "woman_with_hat"
        assert zoo.models(name) == ["mobile", "tiny"] + [zoo.STUDIO] * in_passes
        for model in zoo.models(name):
            _, card = checkpoint.load(zoo.resolve(f"zoo/{name}/{model}", ".safetensors"))
            architecture = ("mobile", 3) if model == zoo.STUDIO else (model, 1)
            assert card.style is not None and card.style.name == name
            assert (card.model.name, card.model.passes) == architecture
            assert_complete(card)
            session = onnx_model.load(zoo.resolve(f"zoo/{name}/{model}", ".onnx"), threads=1)
            assert (stored := onnx_model.card(session)) is not None and stored.style.sha256 == card.style.sha256
            assert onnx_model.stroke_resolution(session) == card.style.stroke_resolution


def test_zoo_files_load_without_a_warning_of_onnx_runtime(capfd: pytest.CaptureFixture[str]) -> None:
    for path in sorted(zoo.FOLDER.glob("*/*.onnx")):
        assert warnings_of(path, capfd) == ""


def test_zoo_has_a_thumbnail_of_each_painting() -> None:
    for name in zoo.names():
        path = zoo.FOLDER / name / zoo.PAINTING
        assert 200 <= max(read(path).rgb.shape) <= 320 and path.stat().st_size < 60_000


def test_resolve_without_model_gives_mobile() -> None:
    tiny = zoo.FOLDER / "udnie" / "tiny.onnx"
    assert zoo.resolve("zoo/udnie", ".onnx") == zoo.FOLDER / "udnie" / "mobile.onnx"
    assert zoo.resolve("zoo/udnie/tiny", ".onnx") == zoo.resolve("zoo/udnie", ".onnx", "tiny") == tiny
    assert zoo.resolve("zoo/udnie/tiny", ".onnx", "tiny") == tiny
    assert zoo.resolve("run/zoo/udnies", ".onnx") == Path("run/zoo/udnies")


@pytest.mark.parametrize(
    ("reference", "model", "words"),
    [
        ("zoo/mona_lisa", None, "zoo/starry_night.*zoo/store, zoo/video$"),
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
