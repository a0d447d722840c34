"""What a bundle of a store has besides its models: style files, and the styles and blends that are compared."""

from collections.abc import Sequence
from pathlib import Path

from impasto.configs.errors import UsageError
from impasto.export import test_images
from impasto.export.bundle.artifacts import Variant
from impasto.export.bundle.manifest import BLEND, StoreStyle
from impasto.export.bundle.manifest import Store as StoreEntry
from impasto.models import checkpoint, style_file
from impasto.models.card import Card
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet

STYLES = "styles"  # the folder of the style files
DESCRIPTIONS = {f"{STYLES}/": f"a separate file for each style, `NAME{style_file.SUFFIX}`"}
_BLEND_WEIGHTS = 0.7, 0.3  # of the first two styles: unequal, so that an exchange is found


def load(path: Path, style: str | None, files: Sequence[str]) -> tuple[TransformNet | Store, Card]:
    """Read what to export: a network, one style of a store, or a store with the styles of more files.

    Raises:
        UsageError: The checkpoint or a file cannot be used, or the style is not in the store.
    """
    network, card = checkpoint.load_any(path)
    if files:
        if not isinstance(network, Store):
            raise UsageError(f"style_files={files[0]} cannot be added: {path} is a network of one painting")
        network, card = checkpoint.with_styles(path, network, card, [Path(file).expanduser() for file in files])
    if style is None:
        return network, card
    return checkpoint.one_style(path, network, card, style)


def variants(card: Card) -> list[Variant]:
    """Return each style of a store, and a blend of the first two."""
    if card.store is None:
        return []
    names = card.store.names
    each = [
        Variant(name, f"{test_images.FOLDER}/{index}", tuple(float(name == other) for other in names))
        for index, name in enumerate(names)
    ]
    if len(names) == 1:
        return each
    blend = (*_BLEND_WEIGHTS, *[0.0] * (len(names) - 2))
    return [*each, Variant(BLEND, f"{test_images.FOLDER}/{BLEND}", blend)]


def write_styles(folder: Path, store: Store, card: Card) -> StoreEntry:
    """Write the style files of a store into a bundle, and return what its manifest says of the store."""
    assert card.store is not None
    paths = checkpoint.save_styles(folder / STYLES, store, card)
    styles = [
        StoreStyle(style.name, style.stroke_resolution, paths[style.name].relative_to(folder).as_posix())
        for style in card.store.styles
    ]
    golden = {
        variant.folder: {name: weight for name, weight in zip(card.store.names, variant.weights, strict=True) if weight}
        for variant in variants(card)
    }
    return StoreEntry(styles, golden)
