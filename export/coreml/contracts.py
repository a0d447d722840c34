"""The contract of the Core ML packages, and the numbers and names it consists of. No coremltools here."""

from impasto.models.contract import INPUT, OUTPUT, Contract, TensorSpec, styles_input

SPECIFICATION = 7  # Core ML's number for iOS 16
MULTIFUNCTION = 9  # and for iOS 18, the first with packages of several functions
COREML = "coreml"  # ModelArtifact.format
MIL_INTERPRETER = "reference interpreter, not Apple's runtime"  # its name in the parity table


def coreml_contract(multifunction: bool, styles: int = 0) -> Contract:
    """Return the contract of a Core ML package.

    Args:
        multifunction: Whether it has several functions, of several sizes or styles.
        styles: The number of styles that it blends; 0 for one that blends none.
    """
    shape = ("height", "width")
    weights = styles_input(styles)
    blend = [TensorSpec(weights.name, weights.type, (1, styles), weights.values)] if styles else []
    return Contract(
        inputs=(TensorSpec(INPUT, "image", shape, "RGB"), *blend),
        output=TensorSpec(OUTPUT, "image", shape, "RGB"),
        sides="only the size of the function that is called",
        requires={
            "specification_version": MULTIFUNCTION if multifunction else SPECIFICATION,
            "deployment_target": "iOS 18" if multifunction else "iOS 16",
            "compute_precision": "float16",
        },
    )
