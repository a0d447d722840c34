"""The pair of ONNX files for large pictures: one measures a picture's statistics, one stylizes a tile by them.

An app measures a copy and pieces (export/sampled.py), or the whole picture where it has the memory, and goes over the
tiles, as StyleTransferLarge.kt does. No torch here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from impasto.configs.errors import CheckError, RequestError
from impasto.export import fields, norms, variants
from impasto.export.golden import Pixels
from impasto.export.label import INPUT, OUTPUT, STATISTICS, VARIANT, pair_contract
from impasto.models.exported import CARD

STATS, TILE = "android/stats.onnx", "android/tile.onnx"
MARGIN, MULTIPLE = "margin", "multiple"  # keys of the metadata of both files


@dataclass(frozen=True)
class Cut:
    """How a picture is cut: tiles of `side` px, of which `margin` px at each inner edge go unused.

    Tiles start at multiples of `multiple`, which divides `side` and `margin`.
    """

    side: int
    margin: int
    multiple: int


def write(model: onnx.ModelProto, folder: Path, side: int) -> dict[str, Any]:
    """Write the pair of an fp32 file into a bundle's folder; gives what the manifest says of it.

    `side` is that of a tile in px. RequestError for one that the network looks beyond.
    """
    multiple = fields.multiple(model)
    margin = multiple * -(-fields.margin(fields.of(model), [OUTPUT]) // multiple)
    if side % multiple or side < 3 * margin:
        least = multiple * -(-3 * margin // multiple)
        raise RequestError(
            f"onnx.tile={side} is impossible: this network looks {margin} px far; give {least} px or more, "
            f"divisible by {multiple}"
        )
    properties = {item.key: item.value for item in model.metadata_props if item.key not in (CARD, "contract")}
    for name, part in ((STATS, norms.measuring(model)), (TILE, norms.given(model, side))):
        stored = variants.fp16_stored(part)
        kept = {item.key: item.value for item in stored.metadata_props if item.key == VARIANT}
        onnx.helper.set_model_props(stored, properties | kept | {MARGIN: str(margin), MULTIPLE: str(multiple)})
        (folder / name).write_bytes(stored.SerializeToString(deterministic=True))
    contract = pair_contract(side, sum(norms.channels(model)))
    return {"stats": STATS, "tile": TILE, "side": side, MARGIN: margin, MULTIPLE: multiple, "contract": contract}


def size(cut: Cut) -> tuple[int, int]:
    """(height, width) of a picture that takes several tiles each way, the last ones cut short, and no multiple."""
    return 2 * cut.side - 2 * cut.margin - 3, cut.side + 3 * cut.multiple + 1


def measure(stats: Any, photo: Pixels) -> NDArray[np.float32]:
    """STATISTICS of RGBA bytes [H, W, 4]; `stats` is a session of ONNX Runtime."""
    (statistics,) = stats.run([STATISTICS], {INPUT: photo[None]})
    return statistics


def stylize(tile: Any, photo: Pixels, statistics: NDArray[np.float32], cut: Cut) -> Pixels:
    """What a session of ONNX Runtime makes, tile by tile, of RGBA bytes [H, W, 4] with these STATISTICS."""
    result = photo.copy()
    height, width = photo.shape[:2]
    rows, columns = [*spans(height, cut)], [*spans(width, cut)]
    for y, (top, bottom) in rows:
        for x, (left, right) in columns:
            taken = photo[np.ix_(_places(y, height, cut), _places(x, width, cut))]
            (stylized,) = tile.run([OUTPUT], {INPUT: taken[None], STATISTICS: statistics})
            result[top:bottom, left:right] = stylized[0, top - y : bottom - y, left - x : right - x]
    return result


def spans(length: int, cut: Cut) -> Iterator[tuple[int, tuple[int, int]]]:
    """Along one side of a picture: where each tile starts, and from where to where it is used."""
    padded = cut.multiple * -(-length // cut.multiple)
    last = max(0, padded - cut.side)
    used = start = 0
    while used < length:
        end = length if start == last else start + cut.side - cut.margin
        yield start, (used, end)
        used, start = end, min(start + cut.side - 2 * cut.margin, last)


def _places(start: int, length: int, cut: Cut) -> NDArray[np.int64]:
    """The rows or columns that a tile takes: beyond the picture's edge the edge up to the multiple, then a mirror."""
    padded = cut.multiple * -(-length // cut.multiple)
    place = np.arange(start, start + cut.side) % max(1, 2 * padded - 2)
    return np.minimum(np.where(place < padded, place, 2 * padded - 2 - place), length - 1)


def cut_of(facts: dict[str, Any]) -> Cut:
    """From what the manifest says of the pair."""
    try:
        return Cut(facts["side"], facts[MARGIN], facts[MULTIPLE])
    except KeyError as error:
        raise CheckError(f"the manifest does not say the {error} of {TILE}; export the bundle again") from error
