"""The contracts of the ONNX files for large photos, and names that rooms share. No onnx here."""

from impasto.models.contract import Contract, TensorSpec, onnx_contract

STATISTICS = "statistics"  # float32 [2, channels]: the means, then the variances, of each instance norm in turn

NPU_FILE = "android/model.npu.onnx"  # in a bundle
QNN = "qnn"  # a key of parity.runtimes, and of the tolerance there

# ModelArtifact.format
ONNX, ORT, TILED_ONNX = "onnx", "ort", "onnx-tiles"


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
