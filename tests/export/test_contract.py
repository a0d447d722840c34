import importlib.metadata

from impasto.export.contract import ImageSize, Label, Tolerance
from impasto.models.card import Card, ModelCard
from tests.helpers.networks import CARD, LABEL


def test_tolerance_and_size_as_text() -> None:
    assert str(Tolerance(max_difference=2)) == "at most 2"
    assert str(Tolerance(max_difference=0)) == "at most 0"
    assert str(Tolerance(min_psnr=40.0)) == "40 dB or more"
    assert str(ImageSize(96, 64)) == "96x64"


def test_label_of_an_incomplete_card_has_no_card() -> None:
    model = {"model": {"name": "mobile", "width": 0.25, "blocks": 1}}
    for part in ("loss", "style"):
        rest = {name: values for name, values in CARD.items() if name != part}
        assert Label.of(Card.from_json(model | rest)).card == "{}"
    nameless = Label.of(Card.from_json(model))
    assert (nameless.style, nameless.artist, nameless.style_license) == ("unknown", "unknown", "unknown")
    private = Card.from_json(model | CARD | {"style": CARD["style"] | {"image": "/home/me/painting.jpg"}})
    assert Label.of(private).card == LABEL.card != "{}"


def test_label_of_a_card_names_style_and_version_on_one_line() -> None:
    style = CARD["style"] | {"artist": " Vincent\n van  Gogh "}
    label = Label.of(
        Card.from_json({"model": {"name": "mobile", "width": 0.25, "blocks": 1}} | CARD | {"style": style})
    )
    assert (label.style, label.artist, label.style_license) == ("swirls", "Vincent van Gogh", "CC0-1.0")
    assert label.license == "unknown" and Label.of(Card(ModelCard("tiny", 1.0, 2), license=" MIT\n")).license == "MIT"
    assert label.version == importlib.metadata.version("impasto")
