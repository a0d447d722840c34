"""The two ONNX files for large photos: one measures a photo's statistics, one stylizes a tile with them.

An app measures a copy and pieces of the photo (inference/thumbnail_statistics.py), or the whole photo where it has the
memory, and then runs the tiles, as StyleTransferLarge.kt does. No torch here.
"""

from pathlib import Path

import onnx

from impasto.configs.errors import UsageError
from impasto.export.contract import ModelArtifact, Tiling, Tolerance
from impasto.export.onnx_graph import instance_norm, receptive_field, weight_compression
from impasto.export.onnx_graph.contracts import TILED_ONNX, tiled_contracts
from impasto.models.contract import OUTPUT, VARIANT
from impasto.models.onnx_model import CARD

STATS, TILE = "android/stats.onnx", "android/tile.onnx"
_SIDE = 512  # px
_MARGIN, _MULTIPLE = "margin", "multiple"  # metadata keys of both files


def write(model: onnx.ModelProto, folder: Path, side: int | str, tolerance: Tolerance) -> ModelArtifact:
    """Write the pair of an fp32 model into a bundle.

    Args:
        model: The model, from uint8 RGBA to uint8 RGBA.
        folder: The bundle.
        side: The side of a tile, in px; `auto` is _SIDE, or as much beside two margins.
        tolerance: How much the images of the pair may differ from those of the network.

    Returns:
        The file for a tile; its `tiling` names the other one.

    Raises:
        UsageError: The tile is too small for the receptive field of the network.
    """
    multiple = receptive_field.multiple(model)
    margin = multiple * -(-receptive_field.margin(receptive_field.of(model), [OUTPUT]) // multiple)
    least = 3 * margin
    if isinstance(side, str):
        side = _SIDE if least <= _SIDE else multiple * -(-(2 * margin + _SIDE) // multiple)
    if side % multiple or side < least:
        raise UsageError(
            f"onnx.tile={side} is impossible: the receptive field of this network extends {margin} px; "
            f"use {least} px or more, divisible by {multiple}"
        )
    properties = {item.key: item.value for item in model.metadata_props if item.key not in (CARD, "contract")}
    stats_model, tile_model = instance_norm.statistics_model(model), instance_norm.tile_model(model, side)
    for name, part in ((STATS, stats_model), (TILE, tile_model)):
        stored = weight_compression.fp16_stored(part)
        variant = {item.key: item.value for item in stored.metadata_props if item.key == VARIANT}
        onnx.helper.set_model_props(stored, properties | variant | {_MARGIN: str(margin), _MULTIPLE: str(multiple)})
        (folder / name).write_bytes(stored.SerializeToString(deterministic=True))
    stats_contract, tile_contract = tiled_contracts(side, sum(instance_norm.channels(model)))
    tiling = Tiling(STATS, stats_contract, side, margin, multiple)
    return ModelArtifact(TILE, TILED_ONNX, "fp16", tile_contract, tolerance, {}, tiling)
