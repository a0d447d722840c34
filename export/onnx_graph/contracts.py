"""The contracts of the ONNX files, and the numbers and names they consist of. No onnx here."""

from impasto.export.contract import INPUT, OUTPUT, Contract, TensorSpec

STATISTICS = "statistics"  # float32 [2, channels]: the means, then the variances, of each instance norm in turn
OPSET = 18  # ONNX 1.13: what torch's exporter writes natively
IR = 8  # also of ONNX 1.13, so that ONNX Runtime 1.14 and later load the file
VARIANT = "variant"  # the metadata key for how weights are stored: fp32, fp16 or int8

# ModelArtifact.format
ONNX, ORT, TILED_ONNX = "onnx", "ort", "onnx-tiles"


def onnx_contract(io: str, size: tuple[int, int] | None = None) -> Contract:
    """Return the contract of an ONNX file.

    Args:
        io: `uint8_rgba` or `float32_rgb`.
        size: (height, width) of the only images that it takes; None for any size.
    """
    from impasto.models.onnx_model import MIN_SIDE  # loads Pillow, which the preview server does without

    height, width = size or ("height", "width")
    sides = f"any height and width from {MIN_SIDE} on; the output is as large as the input"
    shape: tuple[int | str, ...]
    if io == "uint8_rgba":
        kind, values, result = "uint8", "RGBA bytes, straight alpha", "RGBA bytes, the alpha of the input"
        shape = (1, height, width, 4)
    else:
        kind, values, result = "float32", "RGB 0..255", "RGB 0..255, not rounded"
        shape = (1, 3, height, width)
    return Contract(
        inputs=(TensorSpec(INPUT, kind, shape, values),),
        output=TensorSpec(OUTPUT, kind, shape, result),
        sides="this size only" if size else sides,
        requires={"opset": OPSET, "ir_version": IR},
    )


def tiled_contracts(side: int, channels: int) -> tuple[Contract, Contract]:
    """Return the contracts of the two files for large photos: the one that measures, and the one for a tile.

    `channels` is the number of channels of all instance norms together.
    """
    whole = onnx_contract("uint8_rgba")
    values = "mean and variance of what each instance norm normalizes, over the picture"
    statistics = TensorSpec(STATISTICS, "float32", (2, channels), values)
    (image,), shape = whole.inputs, (1, side, side, 4)
    stats = Contract((image,), statistics, whole.sides.partition(";")[0], whole.requires)
    tile, output = (TensorSpec(spec.name, spec.type, shape, spec.values) for spec in (image, whole.output))
    return stats, Contract((tile, statistics), output, "one tile", whole.requires)
