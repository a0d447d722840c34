"""The contract of the LiteRT file, and the names it consists of. No torch here."""

from impasto.export.litert import schema
from impasto.models.contract import INPUT, OUTPUT, Contract, TensorSpec, styles_input

LITERT = "litert"  # ModelArtifact.format
SUFFIX = ".tflite"
FILE = f"android/model{SUFFIX}"  # in a bundle
GPU, FP16 = "litert_gpu", "litert_fp16"  # keys of parity.runtimes, and of the tolerances there
METADATA = "impasto"  # the name of its metadata, an object in JSON


def litert_contract(styles: int = 0) -> Contract:
    """Return the contract of a file with a signature for each size.

    Args:
        styles: The number of styles of a store; 0 for a network of one painting.
    """
    shape = 1, "height", "width", 4
    weights = styles_input(styles)
    blend = [TensorSpec(weights.name, weights.type, (1, 1, 1, styles), weights.values)] if styles else []
    return Contract(
        inputs=(TensorSpec(INPUT, "uint8", shape, "RGBA bytes, straight alpha"), *blend),
        output=TensorSpec(OUTPUT, "uint8", shape, "RGBA bytes, the alpha of the input"),
        sides="only the size of the signature that is called",
        requires={"schema_version": schema.VERSION},
    )


def signature(height: int, width: int) -> str:
    """Return the key of the signature for a size."""
    return f"size_{width}x{height}"
