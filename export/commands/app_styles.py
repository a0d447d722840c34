"""The styles of a page: of exported files, bundles, runs and the zoo."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from impasto.configs.errors import UsageError
from impasto.configs.schema.style import slug
from impasto.export.bundle.licenses import License
from impasto.export.bundle.manifest import Manifest, Store
from impasto.export.contract import ImageSize, ModelArtifact, Tolerance
from impasto.export.litert.contracts import FILE as LITERT_FILE
from impasto.export.webapp import site
from impasto.export.webapp.site import StoreStyle, Style, Tiles
from impasto.models import zoo
from impasto.models.card import UNKNOWN, StyleLabel
from impasto.models.onnx_model import IN_BUNDLE

_LITERT_SIZE = (256, 256)  # px; export/web/engine/tflite.mjs changes the sizes of such a file
_LEAST_LITERT_SIDE = 704  # px, of a file of a network of several passes, whose smallest features are at 1/32


def find(references: Sequence[str]) -> list[Style]:
    """Return the style of each reference, in this order; of each painting of the zoo where there is none.

    Raises:
        UsageError: A model does not exist, cannot be used by the page, or is named twice.
        CheckFailed: A file of a bundle is missing, changed or not listed in its manifest.
    """
    references = references or [f"{zoo.PREFIX}{name}" for name in zoo.names()]
    styles: list[Style] = []
    for reference in references:
        if references.count(reference) > 1:
            raise UsageError(f"models names {reference} twice; name models that differ")
        styles.append(_unique(_style(reference), reference, styles))
    return styles


def of_bundle(folder: Path, manifest: Manifest) -> Style:
    """Return the style of a bundle, or its store, whose files are not checked.

    Raises:
        UsageError: Its model takes no RGBA bytes, which the page has.
    """
    model = next((model for model in manifest.models if model.file == IN_BUNDLE.as_posix()), None)
    if model is not None and model.contract.inputs[0].type != "uint8":
        raise UsageError(
            f"{folder} has models with float input, which the page cannot run; export it with onnx.io=uint8_rgba"
        )
    paintings = [entry for entry in manifest.licenses if entry.part == "painting"]
    if manifest.store is not None:
        return _store_of_bundle(folder, manifest.store, manifest.style.name, paintings)
    painting = next(iter(paintings), None)
    artist, license = (painting.author, painting.license) if painting else (UNKNOWN, UNKNOWN)
    style, title = manifest.style, painting.title if painting else UNKNOWN
    passes = manifest.checkpoint.card.model.passes
    return Style(
        name=slug(style.name),
        title=style.name if title == UNKNOWN else title,
        artist=artist,
        license=license,
        stroke_resolution=style.stroke_resolution,
        grain=style.grain,
        model=folder / IN_BUNDLE,
        tflite=next((folder / one.file for one in manifest.models if _is_for_the_page(one, passes)), None),
        tiles=next((_tiles(folder, one) for one in manifest.models if one.tiling), None),
    )


def _store_of_bundle(folder: Path, store: Store, name: str, paintings: Sequence[License]) -> Style:
    """The store of a bundle, whose manifest has a license for each style, in their order."""
    if len(paintings) != len(store.styles):
        raise UsageError(f"{folder} has {len(store.styles)} styles, but {len(paintings)} licenses; export it again")
    styles = [
        StoreStyle(style.name, painting.title, painting.author, painting.license, style.stroke_resolution)
        for style, painting in zip(store.styles, paintings, strict=True)
    ]
    return Style(slug(name), name, UNKNOWN, UNKNOWN, None, folder / IN_BUNDLE, store=tuple(styles))


def _is_for_the_page(model: ModelArtifact, passes: int) -> bool:
    """Whether the page can run this model on the GPU: it rewrites the size of the first signature."""
    first = next(iter(model.functions.values()), None)
    if model.file != LITERT_FILE or first is None:
        return False
    if passes == 1:
        return first == ImageSize(*_LITERT_SIZE)
    return passes <= 3 and min(first.width, first.height) >= _LEAST_LITERT_SIDE


def _tiles(folder: Path, model: ModelArtifact) -> Tiles:
    tiling = model.tiling
    assert tiling is not None
    return Tiles(folder / tiling.stats, folder / model.file, tiling.side, tiling.margin, tiling.multiple)


def _tiles_of(model: Path) -> Tiles | None:
    """The pair of files for tiles, made from an exported file; None where its receptive field is too large for it."""
    import onnx

    from impasto.export.onnx_graph import tiled_pair

    with tempfile.TemporaryDirectory() as name:
        (Path(name) / tiled_pair.TILE).parent.mkdir()
        try:
            artifact = tiled_pair.write(onnx.load(model), Path(name), "auto", Tolerance(max_difference=2))
        except UsageError:
            return None
        tiles = _tiles(Path(name), artifact)
        return replace(tiles, stats=site.read(tiles.stats), tile=site.read(tiles.tile))


def _style(reference: str) -> Style:
    model = zoo.resolve(reference, ".onnx")
    if model.is_dir():
        manifest = Manifest.load(model)
        manifest.check_files(model)
        return of_bundle(model, manifest)
    from impasto.models import onnx_model  # loads Pillow and ONNX Runtime, which a bundle's page does without

    if model.suffix == ".ort":
        raise UsageError(f"{reference} is an .ort file, which the page cannot run; name the .onnx file beside it")
    session = onnx_model.load(model, threads=1)
    properties = session.get_modelmeta().custom_metadata_map
    name, artist, license = (properties.get(key, UNKNOWN) for key in ("style", "artist", "style_license"))
    in_zoo = reference.startswith(zoo.PREFIX)
    if labels := onnx_model.styles(session):
        styles = tuple(_of_store(label, in_zoo) for label in labels)
        return Style(slug(name), name, UNKNOWN, UNKNOWN, None, model, store=styles)
    return Style(
        name=slug(name),
        title=zoo.title(name) if in_zoo else name,
        artist=artist,
        license=license,
        stroke_resolution=onnx_model.stroke_resolution(session),
        grain=onnx_model.grain(session),
        model=model,
        painting=zoo.FOLDER / name / zoo.PAINTING if in_zoo else None,
        tflite=model.with_suffix(zoo.LITERT) if in_zoo and model.with_suffix(zoo.LITERT).is_file() else None,
        tiles=_tiles_of(model),
    )


def _of_store(label: StyleLabel, in_zoo: bool) -> StoreStyle:
    return StoreStyle(
        label.name,
        zoo.title(label.name) if in_zoo else label.name,
        *(label.artist, label.license, label.stroke_resolution),
        painting=zoo.FOLDER / label.name / zoo.PAINTING if in_zoo else None,
    )


def _unique(style: Style, reference: str, others: Sequence[Style]) -> Style:
    """The style with a name and a title that no other one has."""
    names, titles = {other.name for other in others}, {other.title for other in others}
    if style.title in titles:
        style = replace(style, title=f"{style.title} ({Path(reference).stem})")
    number, name = 1, style.name
    while name in names:
        number += 1
        name = f"{style.name}-{number}"
    return replace(style, name=name)
