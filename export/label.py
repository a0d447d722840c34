"""What an exported file promises to its caller, and what it says of itself."""

import importlib.metadata
import json
from dataclasses import dataclass
from typing import Any

from impasto.models.exported import MIN_SIDE

INPUT = "image"
OUTPUT = "stylized"
OPSET = 18  # ONNX 1.13: what torch's exporter writes natively
IR = 8  # of ONNX 1.13 too, so that ONNX Runtime 1.14 and later load the file
SPECIFICATION = 7  # Core ML's number for iOS 16
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
        "output": {"name": OUTPUT, "type": kind, "shape": shape, "values": result},
        "sides": f"any height and width from {MIN_SIDE} on; the output is as large as the input",
        "opset": OPSET,
        "ir_version": IR,
    }


def coreml_contract(height: int, width: int) -> Contract:
    """The contract of a Core ML package of a fixed size."""
    image = {"type": "image", "shape": [height, width], "values": "RGB"}
    return {
        "input": {"name": INPUT} | image,
        "output": {"name": OUTPUT} | image,
        "sides": f"{width} wide and {height} high, no other size",
        "specification_version": SPECIFICATION,
        "deployment_target": "iOS 16",
        "compute_precision": "float16",
    }


def sentence(contract: Contract) -> str:
    """A contract on one line."""
    ends = []
    for end in (contract["input"], contract["output"]):
        shape = ", ".join(str(side) for side in end["shape"])
        ends.append(f"{end['name']}: {end['type']} [{shape}], {end['values']}")
    return f"{' -> '.join(ends)}; {contract['sides']}"
