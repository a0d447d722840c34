import json
from dataclasses import asdict, replace
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from safetensors import safe_open

from impasto.configs.errors import CheckFailed
from impasto.models import card, zoo
from impasto.models.card import Card, ExportedCard, ModelCard, OriginCard

ZOO = [(name, model) for name in zoo.names() for model in zoo.models(name)]


def test_schema_file_equals_generated_schema() -> None:
    """The command in the module's docstring writes the file."""
    assert json.loads(card.SCHEMA.read_text(encoding="utf-8")) == card.json_schema()


def test_schema_file_ships_in_the_package() -> None:
    schema = json.loads(files("impasto.models").joinpath("schemas/card.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["model"]


@pytest.mark.parametrize(("name", "model"), ZOO)
def test_zoo_card_validates_and_survives_a_round_trip(name: str, model: str) -> None:
    with safe_open(zoo.resolve(f"zoo/{name}/{model}", ".safetensors"), framework="np") as file:
        saved = json.loads(file.metadata()["card"])
    jsonschema.validate(saved, card.json_schema())
    read = Card.from_json(saved)
    jsonschema.validate(read.to_json(), card.json_schema())
    assert Card.from_json(read.to_json()) == read
    written = read.to_json()
    assert _with_defaults(saved, written) == written  # older cards lack settings that have a default since


def _with_defaults(saved: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    """`saved` with the sections' keys of `written` that it lacks."""
    sections = {key for key, value in saved.items() if isinstance(value, dict)}
    merged = {key: _with_defaults(saved[key], written[key]) for key in sections}
    return written | saved | merged


def test_to_json_sorts_keys() -> None:
    values = Card(ModelCard("tiny", 1.0, 2), init=OriginCard("zoo/udnie", "5e")).to_json()
    assert [*values] == sorted(values)
    assert [*values["model"]] == ["blocks", "eighth_blocks", "name", "passes", "width"]
    assert values["init"] == {"license": "unknown", "name": "zoo/udnie", "sha256": "5e"}


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({}, "model"),
        (3, "value"),
        ({"model": {"name": "tiny", "width": "1", "blocks": 2}}, "model.width"),
        ({"model": {"name": "tiny", "width": 1, "blocks": 2}, "style": {"name": "udnie"}}, "style.artist"),
        ({"model": {"name": "tiny", "width": 1, "blocks": 2}, "validation": {}}, "validation"),
    ],
)
def test_from_json_invalid_values_raise_sentence_that_names_the_key(values: object, key: str) -> None:
    with pytest.raises(CheckFailed, match=rf"invalid {key} \(") as error:
        Card.from_json(values)
    assert "\n" not in str(error.value)


def test_from_json_ignores_keys_of_a_later_version() -> None:
    values = {"model": {"name": "tiny", "width": 1, "blocks": 2, "depth": 3}, "hub": "here"}
    assert Card.from_json(values) == Card(ModelCard("tiny", 1.0, 2))


def test_exported_card_lacks_what_identifies_nothing() -> None:
    with safe_open(zoo.resolve("zoo/udnie/tiny", ".safetensors"), framework="np") as file:
        read = Card.from_json(json.loads(file.metadata()["card"]))
    exported = ExportedCard.of(read)
    assert exported is not None and read.style is not None and read.loss is not None
    assert exported.loss == read.loss
    others = ("artist", "grain", "license", "source", "stroke_resolution", "title")
    identity = {name: value for name, value in asdict(read.style).items() if name not in others}
    assert asdict(exported.style) == identity
    assert ExportedCard.of(replace(read, loss=None)) is ExportedCard.of(replace(read, style=None)) is None


def test_with_style_weight_replaces_only_that() -> None:
    with safe_open(zoo.resolve("zoo/udnie/tiny", ".safetensors"), framework="np") as file:
        read = Card.from_json(json.loads(file.metadata()["card"]))
    changed = read.with_style_weight(7.0)
    assert read.loss is not None and changed.loss is not None and changed.loss.style_weight == 7.0
    assert changed.with_style_weight(read.loss.style_weight) == read
