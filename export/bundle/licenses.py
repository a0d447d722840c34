"""The licenses of a bundle: of its files, and of what its network was trained with."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from impasto.configs.schema.export import LicensesConfig
from impasto.configs.terminal import printable
from impasto.export.bundle import page
from impasto.export.webapp import runtime
from impasto.models.card import UNKNOWN, Card, StyleCard
from impasto.models.typed_json import TypedJson

LICENSE = "LICENSE"
_SOURCE = Path(__file__).with_name(LICENSE)

Part = Literal[
    "code",
    "ONNX Runtime Web",
    "LiteRT.js",
    "Mediabunny",
    "network",
    "initial network",
    "painting",
    "photos",
    "loss network",
]


@dataclass(frozen=True)
class License(TypedJson):
    """What a bundle consists of, or what its network was trained with. A value that nobody named is `unknown`."""

    part: Part
    title: str
    author: str
    source: str
    license: str


_CODE = License("code", "clients and page", "the impasto authors", "impasto", "MIT")
_PARTS: dict[str, Part] = {"ONNX Runtime Web": "ONNX Runtime Web", "LiteRT.js": "LiteRT.js", "Mediabunny": "Mediabunny"}
# By network and origin of its weights, as in the loss of a card; random weights, for tests, have no license.
_LOSS_NETWORKS = {
    ("vgg16", "original"): License(
        *("loss network", "VGG-16", "Karen Simonyan and Andrew Zisserman, Visual Geometry Group, University of Oxford"),
        *("https://www.robots.ox.ac.uk/~vgg/research/very_deep/", "CC-BY-4.0"),
    ),
    # torchvision's code is BSD-3-Clause, but it says that its weights may have terms of their own.
    ("vgg19", "torchvision's"): License("loss network", "VGG-19", "the torchvision authors", "torchvision", UNKNOWN),
}


def chain(card: Card, config: LicensesConfig, folder: Path) -> list[License]:
    """Return the licenses of the bundle in `folder`: of its code, its network, and what that was trained with.

    Args:
        card: The card of the checkpoint.
        config: Licenses that replace those of the card.
        folder: The bundle, with all its models and the page.
    """
    data, loss, init = card.data, card.loss, card.init
    licenses = [_CODE, *_runtimes(folder)]
    named = card.store or card.style
    name = named.name if named else UNKNOWN
    origin = f"trained with impasto {card.versions.get('impasto', UNKNOWN)}"
    licenses.append(License("network", name, UNKNOWN, origin, config.network or card.license))
    if init is not None:
        licenses.append(License("initial network", init.name, UNKNOWN, f"SHA-256 {init.sha256}", init.license))
    licenses += [_painting(style, config) for style in (card.store.styles if card.store else [card.style])]
    count = f"{data.photos:,} photos" if data else "training photos"
    source, license = (data.source, data.license) if data else (UNKNOWN, UNKNOWN)
    licenses.append(License("photos", count, UNKNOWN, source, config.photos or license))
    if loss is None:
        licenses.append(License("loss network", *(UNKNOWN,) * 4))
    elif loss.weights != "random":
        unknown = License("loss network", loss.network, UNKNOWN, UNKNOWN, UNKNOWN)
        licenses.append(_LOSS_NETWORKS.get((loss.network, loss.weights), unknown))
    return [_on_one_line(entry) for entry in licenses]


def _painting(style: StyleCard | None, config: LicensesConfig) -> License:
    if style is None:
        return License("painting", *(UNKNOWN,) * 3, config.painting or UNKNOWN)
    title = style.title if style.title != UNKNOWN else style.name
    return License("painting", title, style.artist, style.source, config.painting or style.license)


def absent(licenses: Sequence[License], card: Card) -> dict[str, str]:
    """Return a sentence for each part that `chain` names for such a card, and that is not among the licenses."""
    expected: list[Part] = ["code", "network", "painting", "photos"]
    if card.init is not None:
        expected.append("initial network")
    if card.loss is None or card.loss.weights != "random":
        expected.append("loss network")
    named = {license.part for license in licenses}
    return {part: f"the license of the {part} is missing; export again" for part in expected if part not in named}


def missing(licenses: Sequence[License]) -> list[str]:
    """Return a sentence for each part whose license nobody named."""
    return [
        f"the license of the {license.part} ({license.title}) is unknown; {_remedy(license.part)}"
        for license in licenses
        if license.license.strip().lower() in ("", UNKNOWN)
    ]


def write(folder: Path) -> None:
    """Write the license text of a bundle's code."""
    shutil.copyfile(_SOURCE, folder / LICENSE)


def _on_one_line(entry: License) -> License:
    """Without line breaks and control characters: what users named goes into a table, and to a terminal."""
    texts = entry.title, entry.author, entry.source, entry.license
    return License(entry.part, *(printable(" ".join(text.split())) for text in texts))


def _runtimes(folder: Path) -> list[License]:
    """The licenses of the runtimes that the page of a bundle has; their texts are beside them."""
    packages = runtime.packages().values()
    present = [one for one in packages if (folder / page.FOLDER / runtime.FOLDER / one.license_name).is_file()]
    return [License(_PARTS[one.title], one.package, one.author, one.source, one.license) for one in present]


def _remedy(part: str) -> str:
    if part in ("network", "painting", "photos"):
        return f"export again with licenses.{part}=LICENSE"
    return "find it out before you publish the bundle"
