"""The page of a bundle: the one of impasto-app with its style, or the styles of a store, in preview/."""

from dataclasses import replace
from pathlib import Path

from impasto.configs.schema.style import slug
from impasto.export.webapp import runtime, site
from impasto.models.card import UNKNOWN, Card, StyleCard, StyleLabel
from impasto.models.contract import Label
from impasto.models.onnx_model import IN_BUNDLE

FOLDER = "preview"
LICENSE = f"{FOLDER}/{runtime.FOLDER}/{runtime.required().license_name}"


def write(bundle: Path, label: Label, card: Card, tools: Path | None) -> None:
    """Write the page into a bundle that has its model.

    The runtimes are those of the folder of tools alone, so that a bundle is the same wherever it is exported, and
    has no megabytes that nobody asked for: impasto-preview brings its own.

    Args:
        bundle: The bundle's folder.
        label: The style, or the styles of a store.
        card: The card of the checkpoint, for the titles of paintings.
        tools: The folder of tools that the user names, or None.
    """
    title = _title(card.style, label.style)
    url, resolution = f"../{IN_BUNDLE.as_posix()}", label.stroke_resolution
    name, model = slug(label.style), bundle / IN_BUNDLE
    style = site.Style(name, title, label.artist, label.style_license, resolution, model, url, grain=label.grain)
    if card.store is not None:
        named = zip(label.styles, card.store.styles, strict=True)
        style = replace(style, store=tuple(_of_store(one, painting) for one, painting in named))
    site.write(bundle / FOLDER, site.contents([style], runtime.runtime_files(tools, installed=False)))


def _of_store(label: StyleLabel, painting: StyleCard) -> site.StoreStyle:
    title = _title(painting, label.name)
    return site.StoreStyle(label.name, title, label.artist, label.license, label.stroke_resolution)


def _title(painting: StyleCard | None, name: str) -> str:
    """The title of a painting, or else its name."""
    return painting.title if painting and painting.title != UNKNOWN else name
