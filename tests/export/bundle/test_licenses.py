"""The licenses that a bundle names, and what impasto-verify says of those that are missing."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from impasto.configs.schema.export import LicensesConfig
from impasto.export.bundle import licenses, page
from impasto.export.client_files import CLIENTS
from impasto.export.webapp import site
from impasto.models import checkpoint, zoo
from impasto.models.card import Card, ModelCard
from tests.helpers.networks import CARD

HEADER = "SPDX-License-Identifier: MIT", "Copyright (c) 2026 The impasto authors"
MODEL = {"model": {"name": "mobile", "width": 0.25, "blocks": 1}}


def chain(folder: Path, *changes: dict[str, Any], **config: str) -> dict[str, licenses.License]:
    """The licenses of a bundle by part."""
    values: dict[str, Any] = MODEL | CARD
    for change in changes:
        values |= change
    return {entry.part: entry for entry in licenses.chain(Card.from_json(values), LicensesConfig(**config), folder)}


def test_chain_names_code_network_painting_photos_and_loss_network(tmp_path: Path) -> None:
    parts = chain(tmp_path)
    assert [*parts] == ["code", "network", "painting", "photos", "loss network"]
    assert parts["code"].license == "MIT"
    assert (parts["loss network"].title, parts["loss network"].license) == ("VGG-16", "CC-BY-4.0")
    sentences = licenses.missing([*parts.values()])
    assert [sentence.partition(";")[0] for sentence in sentences] == [
        "the license of the network (swirls) is unknown",
        "the license of the photos (training photos) is unknown",
    ]
    named = chain(tmp_path, network="MIT", photos="CC0-1.0", painting="CC-BY-4.0")
    assert licenses.missing([*named.values()]) == [] and named["painting"].license == "CC-BY-4.0"


def test_chain_of_a_card_without_sections_is_unknown_but_for_the_code(tmp_path: Path) -> None:
    entries = licenses.chain(Card(ModelCard("tiny", 1.0, 2)), LicensesConfig(), tmp_path)
    assert [entry.part for entry in entries if entry.license == "unknown"] == [
        "network",
        "painting",
        "photos",
        "loss network",
    ]
    assert len(licenses.missing(entries)) == 4


def test_chain_by_loss_network_and_initial_network(tmp_path: Path) -> None:
    def loss(**values: str) -> dict[str, Any]:
        return {"loss": CARD["loss"] | values}

    assert "loss network" not in chain(tmp_path, loss(weights="random"))
    assert chain(tmp_path, loss(weights="mine.pth"))["loss network"].license == "unknown"
    assert chain(tmp_path, loss(network="vgg19", weights="torchvision's"))["loss network"].title == "VGG-19"
    origin = chain(tmp_path, {"init": {"name": "zoo/udnie", "sha256": "5e", "license": "MIT"}})["initial network"]
    assert (origin.title, origin.license) == ("zoo/udnie", "MIT")


@pytest.mark.parametrize("name", zoo.names())
def test_chain_of_a_zoo_network_lacks_nothing(name: str, tmp_path: Path) -> None:
    for model in zoo.models(name):
        _, card = checkpoint.load(zoo.resolve(f"zoo/{name}/{model}", checkpoint.SUFFIX))
        entries = licenses.chain(card, LicensesConfig(), tmp_path)
        assert licenses.missing(entries) == []
        assert all(entry.source != "unknown" for entry in entries if entry.part in ("painting", "photos"))


def test_chain_has_the_runtime_that_the_page_has(tmp_path: Path) -> None:
    licenses.write(tmp_path)
    ours = (tmp_path / "LICENSE").read_text()
    assert ours.startswith("MIT License") and HEADER[1] in ours
    assert [path.name for path in tmp_path.iterdir()] == ["LICENSE"]
    (tmp_path / page.LICENSE).parent.mkdir(parents=True)
    (tmp_path / page.LICENSE).touch()
    assert [*chain(tmp_path)][:2] == ["code", "ONNX Runtime Web"]


def test_chain_has_no_line_breaks_and_control_characters_of_what_users_named(tmp_path: Path) -> None:
    painting = chain(tmp_path, {"style": CARD["style"] | {"source": "a\n\x1b[31mmuseum ", "title": "\x07Waves"}})[
        "painting"
    ]
    assert (painting.source, painting.title) == (r"a \x1b[31mmuseum", r"\x07Waves")


def test_absent_names_each_part_that_such_a_card_requires(tmp_path: Path) -> None:
    values = MODEL | CARD | {"init": {"name": "zoo/udnie", "sha256": "5e", "license": "MIT"}}
    card = Card.from_json(values)
    entries = licenses.chain(card, LicensesConfig(), tmp_path)
    assert licenses.absent(entries, card) == {}
    assert {*licenses.absent([], card)} == {entry.part for entry in entries}
    random = Card.from_json(MODEL | CARD | {"loss": CARD["loss"] | {"weights": "random"}})
    assert [*licenses.absent([], random)] == ["code", "network", "painting", "photos"]


def test_missing_takes_an_empty_license_as_unknown(tmp_path: Path) -> None:
    code = chain(tmp_path)["code"]
    assert len(licenses.missing([replace(code, license=text) for text in ("", " ", "Unknown", "MIT")])) == 3


NO_COMMENTS = (".json", ".webmanifest", ".png", ".jpg", ".svg")


def test_every_source_file_of_a_bundle_begins_with_license_and_copyright() -> None:
    root = files("impasto.export")
    languages = {"android": "kotlin", "ios": "swift"}
    clients = [Path(str(root), "clients", languages[Path(name).parts[0]], Path(name).name) for name in CLIENTS]
    sources = {name: path for name, path in site.page_files().items() if not name.endswith(NO_COMMENTS)}
    assert len(sources) > 20
    for path in (*clients, *sources.values()):
        assert isinstance(path, Path)
        assert all(line in path.read_text(encoding="utf-8")[:160] for line in HEADER), path.name
