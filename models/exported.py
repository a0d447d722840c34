"""Running an exported ONNX file on a picture: ONNX Runtime, NumPy and Pillow, no torch here."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import RequestError
from impasto.models.pictures import Picture

# From 1.29 on, ONNX Runtime reports every session to Microsoft unless this is set before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

MIN_SIDE = 16  # the contract of an exported file: any height and width from 16 on
IN_BUNDLE = Path("android", "model.onnx")
SUFFIXES = (".onnx", ".ort")
STRENGTH = "strength"
CARD = "card"  # the key of the metadata that `card` reads


def find(path: Path) -> Path:
    """The exported file that a user names, by itself or by its bundle's folder, or RequestError where there is none."""
    if path.is_dir():
        if not (path / IN_BUNDLE).is_file():
            raise RequestError(
                f"{path} is a folder but no bundle: it holds no {IN_BUNDLE}; name an exported .onnx or .ort file"
            )
        return path / IN_BUNDLE
    if not path.is_file():
        raise RequestError(f"{path}: there is no such model; name an exported .onnx or .ort file, or a bundle's folder")
    return path


def load(path: Path, threads: int = 0, arena: bool = True) -> onnxruntime.InferenceSession:
    """Load an exported file, or the one in a bundle's folder, or raise RequestError; on the CPU.

    `threads` 0 lets ONNX Runtime choose; of `arena` see open_session.
    """
    path = find(path)
    try:
        session = open_session(path, threads, arena)
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise RequestError(f"{path} is no model that ONNX Runtime can load: {_reason(error)}") from error
    _check(session, path)
    return session


def open_session(model: Path | bytes, threads: int = 0, arena: bool = True) -> onnxruntime.InferenceSession:
    """Any file, or its bytes, that ONNX Runtime loads; on the CPU. Its own exceptions pass.

    Without an `arena` it takes memory as it goes, and less of it: it neither rounds up nor keeps any.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = arena
    # Weights stored in 8 bits are widened once, not on every run (at 384x384 73 ms instead of 83, on x86).
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.log_severity_level = 4  # what goes wrong is said once, in the caller's sentence
    # Its fallback prints the error, and tries the same once more.
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def stylize(session: onnxruntime.InferenceSession, picture: Picture, strength: float = 1.0) -> Picture:
    """Run a picture of any size through a loaded file; the size, alpha and profile stay. Raises RequestError.

    `strength` mixes the stylized picture into the photo: 0 is the photo, 1 the stylized picture alone.
    """
    feeds = strength_feed(session, strength)
    height, width = picture.rgb.shape[:2]
    alpha = np.full((height, width), 255, np.uint8) if picture.alpha is None else picture.alpha
    rgba = at_least(np.dstack([picture.rgb, alpha]))
    try:
        (stylized,) = session.run(["stylized"], {"image": rgba[None], **feeds})
    except Exception as error:  # as above
        raise failure(error, height, width) from error
    if stylized.shape != (1, *rgba.shape):
        raise RequestError(
            f"the model turns {rgba[None].shape} into {stylized.shape}; export it again with impasto-export"
        )
    stylized = np.ascontiguousarray(stylized[0, :height, :width])
    kept = None if picture.alpha is None else np.ascontiguousarray(stylized[..., 3])
    return Picture(np.ascontiguousarray(stylized[..., :3]), kept, picture.had_profile)


def at_least(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels [H, W, C], continued below and to the right by those of the edge where a side is below MIN_SIDE."""
    below, right = (max(0, MIN_SIDE - length) for length in pixels.shape[:2])
    if not (below or right):
        return pixels
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")


def strength_feed(session: onnxruntime.InferenceSession, strength: float) -> dict[str, Any]:
    """What a session is fed for a strength, nothing for 1. RequestError for a model that takes no other."""
    if strength == 1:
        return {}
    if STRENGTH not in (value.name for value in session.get_overridable_initializers()):
        raise RequestError(f"strength={strength:g} is more than this model can; export it again, or leave it at 1")
    return {STRENGTH: np.array(strength, np.float32)}


def failure(error: Exception, height: int, width: int) -> RequestError:
    """The sentence for what ONNX Runtime raised on a picture of this size."""
    if any(words in str(error) for words in ("Failed to allocate", "bad_alloc", "bad allocation")):
        return RequestError(f"a picture of {width}x{height} needs more memory than there is; shrink it")
    return RequestError(f"a picture of {width}x{height} could not be stylized: {_reason(error)}")


def card(session: onnxruntime.InferenceSession) -> dict[str, Any]:
    """The card that impasto-export copied into a file, with style and loss; empty for a file that has none."""
    try:
        found = json.loads(session.get_modelmeta().custom_metadata_map.get(CARD, "{}"))
    except (ValueError, RecursionError):  # as UnicodeDecodeError is one
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
