"""Running an exported ONNX file on a picture: ONNX Runtime, NumPy and Pillow, no torch here."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from impasto.configs.errors import RequestError
from impasto.models.pictures import Picture

# From 1.29 on, ONNX Runtime reports every session to Microsoft unless this is set before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

MIN_SIDE = 16  # the contract of an exported file: any height and width from 16 on
IN_BUNDLE = Path("android", "model.onnx")
CARD = "card"  # the key of the metadata that `card` reads


def load(path: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """Load an exported file, or the one in a bundle's folder, or raise RequestError; on the CPU.

    `threads` 0 lets ONNX Runtime choose.
    """
    if path.is_dir():
        if not (path / IN_BUNDLE).is_file():
            raise RequestError(
                f"{path} is a folder but no bundle: it holds no {IN_BUNDLE}; name an exported .onnx file"
            )
        path = path / IN_BUNDLE
    if not path.is_file():
        raise RequestError(f"{path}: there is no such model; name an exported .onnx file, or a bundle's folder")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is said once, in the sentence below
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise RequestError(f"{path} is no ONNX file that ONNX Runtime can load: {_reason(error)}") from error
    _check(session, path)
    return session


def stylize(session: onnxruntime.InferenceSession, picture: Picture) -> Picture:
    """Run a picture of any size through a loaded file; the size, alpha and profile stay. Raises RequestError."""
    height, width = picture.rgb.shape[:2]
    alpha = np.full((height, width), 255, np.uint8) if picture.alpha is None else picture.alpha
    rgba = np.dstack([picture.rgb, alpha])
    below, right = max(0, MIN_SIDE - height), max(0, MIN_SIDE - width)
    if below or right:
        rgba = np.pad(rgba, ((0, below), (0, right), (0, 0)), mode="edge")
    try:
        (stylized,) = session.run(["stylized"], {"image": rgba[None]})
    except Exception as error:  # as above; the likeliest is memory
        raise RequestError(f"a picture of {width}x{height} could not be stylized: {_reason(error)}") from error
    if stylized.shape != (1, *rgba.shape):
        raise RequestError(
            f"the model turns {rgba[None].shape} into {stylized.shape}; export it again with impasto-export"
        )
    stylized = np.ascontiguousarray(stylized[0, :height, :width])
    kept = None if picture.alpha is None else np.ascontiguousarray(stylized[..., 3])
    return Picture(np.ascontiguousarray(stylized[..., :3]), kept, picture.had_profile)


def card(session: onnxruntime.InferenceSession) -> dict[str, Any]:
    """The card that impasto-export copied into a file, with style and loss; empty for a file that has none."""
    text = session.get_modelmeta().custom_metadata_map.get(CARD, "{}")
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _check(session: onnxruntime.InferenceSession, path: Path) -> None:
    """Hold a file against the contract: `image` in, `stylized` out, both uint8 [1, H, W, 4] with H and W free."""
    for what, name, found in (
        ("takes", "image", session.get_inputs()),
        ("gives", "stylized", session.get_outputs()),
    ):
        if len(found) != 1 or not _is_rgba(found[0], name):
            shown = ", ".join(f"{value.name} {value.type} {value.shape}" for value in found)
            raise RequestError(
                f"{path} {what} {shown} where impasto-export's files have {name} tensor(uint8) [1, H, W, 4]; "
                "export it with onnx.io=pixels"
            )


def _is_rgba(value: Any, name: str) -> bool:
    # A dimension of any size is a name or None.
    shape = value.shape
    free = len(shape) == 4 and not any(isinstance(side, int) for side in shape[1:3])
    return bool(value.name == name and value.type == "tensor(uint8)" and free and shape[0] == 1 and shape[3] == 4)


def _reason(error: Exception) -> str:
    """The last part of `[ONNXRuntimeError] : code : NAME : what`, on one line."""
    return " ".join(str(error).split(" : ")[-1].split())[:200]
