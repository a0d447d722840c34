"""The page of a bundle: the one of impasto-app with one style, in preview/."""

from pathlib import Path

from impasto.configs.schema.style import slug
from impasto.export.webapp import runtime, site
from impasto.models.card import UNKNOWN, Card
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
        label: The style.
        card: The card of the checkpoint, for the painting's title.
        tools: The folder of tools that the user names, or None.
    """
    title = card.style.title if card.style and card.style.title != UNKNOWN else label.style
    url, resolution = f"../{IN_BUNDLE.as_posix()}", label.stroke_resolution
    name, model = slug(label.style), bundle / IN_BUNDLE
    style = site.Style(name, title, label.artist, label.style_license, resolution, model, url)
    site.write(bundle / FOLDER, site.contents([style], runtime.runtime_files(tools, installed=False)))
