"""What an exported file promises to its caller, and what it says of itself."""

import importlib.metadata
import json
from dataclasses import dataclass
from typing import Any

from impasto.models.exported import MIN_SIDE, STRENGTH

INPUT = "image"
OUTPUT = "stylized"
STATISTICS = "statistics"  # float32 [2, channels]: means, then variances, of each instance norm in turn
OPSET = 18  # ONNX 1.13: what torch's exporter writes natively
IR = 8  # of ONNX 1.13 too, so that ONNX Runtime 1.14 and later load the file
SPECIFICATION = 7  # Core ML's number for iOS 16
MULTIFUNCTION = 9  # and for iOS 18, the first with packages of several functions
VARIANT = "variant"  # the key of the metadata that says how weights are stored: fp32, fp16 or int8
JUDGED = ("name", "sha256", "size", "painter", "seed")  # what tells one painting from another

Contract = dict[str, Any]
"""A file's input and output as plain JSON."""


@dataclass(frozen=True)
class Label:
    """The style that a file paints in, and the impasto that wrote it.

    `card` is JSON: of the checkpoint's card, what a judge of the network needs; empty where a part of it is missing.
    """

    style: str
    artist: str
    licence: str
    version: str
    card: str

    @classmethod
    def of(cls, card: dict[str, Any]) -> "Label":
        """The label of a checkpoint's card; what the card does not say is `unknown`."""
        style = card.get("style") or {}
        name, artist, licence = (
            " ".join(str(style.get(key) or "unknown").split()) for key in ("name", "artist", "licence")
        )
        kept = {key: style[key] for key in JUDGED if key in style}
        judged = {"loss": card["loss"], "style": kept} if card.get("loss") and len(kept) == len(JUDGED) else {}
        text = json.dumps(judged, separators=(",", ":"), sort_keys=True)
        return cls(name, artist, licence, importlib.metadata.version("impasto"), text)


def onnx_contract(io: str) -> Contract:
    """The contract of an ONNX file, `io` as in onnx.io."""
    if io == "pixels":
        kind, shape, values = "uint8", [1, "height", "width", 4], "RGBA bytes, straight alpha"
        result = "RGBA bytes, the alpha of the input"
    else:
        kind, shape, values = "float32", [1, 3, "height", "width"], "RGB 0..255"
        result = "RGB 0..255, not rounded"
    return {
        "input": {"name": INPUT, "type": kind, "shape": shape, "values": values},
        "optional_input": {
            "name": STRENGTH,
            "type": "float32",
            "shape": [],
            "values": "0..1, 1 if not given: how much of the stylized picture is mixed into the photo",
        },
        "output": {"name": OUTPUT, "type": kind, "shape": shape, "values": result},
        "sides": f"any height and width from {MIN_SIDE} on; the output is as large as the input",
        "opset": OPSET,
        "ir_version": IR,
    }


def pair_contract(side: int, channels: int) -> dict[str, Contract]:
    """The contracts of the two files for large pictures, whose instance norms have so many channels in all."""
    whole = onnx_contract("pixels")
    tile = {"shape": [1, side, side, 4]}
    statistics = {
        "name": STATISTICS,
        "type": "float32",
        "shape": [2, channels],
        "values": "mean and variance of what each instance norm normalises, over the picture",
    }
    return {
        "stats": {"inputs": [whole["input"]], "output": statistics},
        "tile": {"inputs": [whole["input"] | tile, statistics], "output": whole["output"] | tile},
    }


def coreml_contract() -> Contract:
    """What all Core ML packages of a bundle have in common."""
    image = {"type": "image", "shape": ["height", "width"], "values": "RGB"}
    return {
        "input": {"name": INPUT} | image,
        "output": {"name": OUTPUT} | image,
        "sides": "those of the function that is called, no other size",
        "specification_version": {"one size": SPECIFICATION, "several sizes": MULTIFUNCTION},
        "deployment_target": {"one size": "iOS 16", "several sizes": "iOS 18"},
        "compute_precision": "float16",
    }


def sentence(contract: Contract) -> str:
    """A contract on one line."""
    ends = []
    for end in (contract["input"], contract["output"]):
        shape = ", ".join(str(side) for side in end["shape"])
        ends.append(f"{end['name']}: {end['type']} [{shape}], {end['values']}")
    line = f"{' -> '.join(ends)}; {contract['sides']}"
    optional = contract.get("optional_input")
    return f"{line}; optional {optional['name']}: {optional['type']}, {optional['values']}" if optional else line
