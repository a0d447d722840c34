"""Which files the zoo's names stand for, and what stands in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from impasto.configs.errors import RequestError
from impasto.models import checkpoint, exported, zoo

PAINTINGS = {"great_wave", "starry_night", "the_scream", "udnie"}


def test_each_painting_has_both_networks_as_checkpoint_and_as_exported_file() -> None:
    assert {*zoo.names()} >= PAINTINGS
    for name in zoo.names():
        for model in zoo.MODELS:
            _, card = checkpoint.load(zoo.resolve(f"zoo/{name}/{model}", ".safetensors"))
            assert (card["model"]["name"], card["style"]["name"]) == (model, name)
            assert card["style"]["artist"] != "unknown"
            assert "public domain" in card["style"]["licence"].lower()
            session = exported.load(zoo.resolve(f"zoo/{name}/{model}", ".onnx"), threads=1)
            assert exported.card(session)["style"]["sha256"] == card["style"]["sha256"]


def test_a_name_stands_for_mobile_unless_it_or_the_model_says_another() -> None:
    tiny = zoo.FOLDER / "udnie" / "tiny.onnx"
    assert zoo.resolve("zoo/udnie", ".onnx") == zoo.FOLDER / "udnie" / "mobile.onnx"
    assert zoo.resolve("zoo/udnie/tiny", ".onnx") == zoo.resolve("zoo/udnie", ".onnx", "tiny") == tiny
    assert zoo.resolve("zoo/udnie/tiny", ".onnx", "tiny") == tiny
    assert zoo.resolve("run/zoo/udnie", ".onnx") == Path("run/zoo/udnie")


@pytest.mark.parametrize(
    ("reference", "model", "words"),
    [
        ("zoo/mona_lisa", None, "zoo/starry_night"),
        ("zoo/", None, "zoo/starry_night"),
        ("zoo/../zoo/udnie", None, "zoo/starry_night"),
        ("zoo/udnie/johnson", None, "mobile and tiny"),
        ("zoo/udnie/../tiny", None, "mobile and tiny"),
        ("zoo/udnie/tiny", "mobile", "the one or the other"),
    ],
)
def test_what_the_zoo_does_not_have_is_one_sentence(reference: str, model: str | None, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        zoo.resolve(reference, ".onnx", model)


def test_no_torch_is_needed_to_find_a_file() -> None:
    find = "from impasto.models import zoo; zoo.resolve('zoo/udnie', '.onnx')"
    code = f"import sys; {find}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
