"""Run an exported ONNX file on a picture with ONNX Runtime and NumPy, without torch."""

import json
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.interrupt import stoppable
from impasto.models import run_directory
from impasto.models.card import ExportedCard
from impasto.models.image.picture import Picture
from impasto.models.ort_environment import import_onnxruntime
from impasto.models.ort_messages import reason

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MIN_SIDE = 16  # px; the contract of an exported file accepts any height and width from 16 on
IN_BUNDLE = Path("android", "model.onnx")
SUFFIXES = (".onnx", ".ort")
STRENGTH = "strength"
CARD = "card"  # the metadata key that `card` reads
STROKE_RESOLUTION = "stroke_resolution"  # the metadata key that `stroke_resolution` reads; native without it
LICENSE = "licence"  # the metadata key of the license in format 1, which the zoo's files have
_FORMAT_1 = {"normalization": "gram", "style_strength": "strength"}  # loss settings that format 1 names differently
# Loss settings that format 1 leaves out
_TRAINING_ONLY = (
    "checkerboard_weight",
    "temporal_weight",
    "style_ema_decay",
    "spectrum_weight",
    "drawing_weight",
    "frame_weight",
)
# Loss settings that are left out at these defaults, so that the files of older networks stay what they are
_LATER = {"content_scale": 1, "style_scales": [1], "style_scale_weights": None}


def find(path: Path) -> Path:
    """Return the exported file that a user names directly or by its bundle's folder.

    Raises:
        UsageError: There is no such file.
    """
    if path.suffix == run_directory.SUFFIX:
        exported = path.with_suffix(".onnx")
        beside = exported if exported.is_file() else path.parent / run_directory.LAST_MODEL
        other = f"name {beside}, or " if beside.is_file() else ""
        raise UsageError(
            f"{path} is a checkpoint, not an exported file; {other}export it with impasto-export checkpoint={path} "
            "output=DIR coreml.sizes=[], which takes seconds"
        )
    if path.is_dir():
        if not (path / IN_BUNDLE).is_file():
            raise UsageError(
                f"{path} is neither a run directory nor a bundle: it has no {IN_BUNDLE}; name an exported .onnx or "
                ".ort file"
            )
        return path / IN_BUNDLE
    if not path.is_file():
        raise UsageError(f"{path}: there is no such model; name an exported .onnx or .ort file, or a bundle's folder")
    return path


def load(path: Path, threads: int = 0, arena: bool = True) -> "InferenceSession":
    """Load an exported file on the CPU and check its inputs and outputs against the contract.

    Args:
        path: An .onnx or .ort file, or a bundle's folder.
        threads: Number of threads; 0 lets ONNX Runtime choose.
        arena: Whether ONNX Runtime allocates from an arena; see `open_session`.

    Raises:
        UsageError: The file does not exist, cannot be loaded, or has other inputs or outputs.
    """
    path = find(path)
    try:
        session = open_session(path, threads, arena)
    except Exception as error:  # ONNX Runtime's errors have no narrower base class
        raise UsageError(f"{path} cannot be loaded by ONNX Runtime as a model: {reason(error)}") from error
    _check_contract(session, path)
    return session


def open_session(model: Path | bytes, threads: int = 0, arena: bool = True) -> "InferenceSession":
    """Open any ONNX file, or its bytes, on the CPU; ONNX Runtime's own exceptions propagate.

    Args:
        model: The file or its bytes.
        threads: Number of threads; 0 lets ONNX Runtime choose.
        arena: Without an arena, ONNX Runtime neither rounds up allocations nor retains freed memory, so it uses less.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = arena
    # 8-bit weights are dequantized once at load instead of on every run (at 384x384 73 ms instead of 83, on x86).
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.log_severity_level = 4  # the caller reports errors
    # The fallback would print the error and try the same again.
    return _session_class()(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)


@cache
def _session_class() -> Any:
    onnxruntime = import_onnxruntime()

    class StoppableSession(onnxruntime.InferenceSession):  # type: ignore[misc, name-defined]
        """A session whose runs an interrupt ends: a run may take minutes, or forever in a file from elsewhere."""

        def run(self, output_names: Any, input_feed: Any, run_options: Any = None) -> Any:
            options = run_options or onnxruntime.RunOptions()
            with stoppable(partial(setattr, options, "terminate", True)):
                return super().run(output_names, input_feed, options)

    return StoppableSession


def stylize(session: "InferenceSession", picture: Picture, strength: float = 1.0) -> Picture:
    """Stylize a picture of any size; size, alpha and profile are preserved.

    Args:
        session: A session from `load`.
        picture: The photo.
        strength: 0..1; blends between the photo (0) and the stylized picture (1).

    Raises:
        UsageError: The model does not support `strength`, or cannot stylize a picture of this size.
    """
    feeds = strength_feed(session, strength)
    height, width = picture.rgb.shape[:2]
    alpha = np.full((height, width), 255, np.uint8) if picture.alpha is None else picture.alpha
    rgba = pad_to_min_side(np.dstack([picture.rgb, alpha]))
    try:
        (stylized,) = session.run(["stylized"], {"image": rgba[None], **feeds})
    except Exception as error:  # ONNX Runtime's errors have no narrower base class
        raise inference_error(error, height, width) from error
    if stylized.shape != (1, *rgba.shape):
        raise UsageError(
            f"the model maps {rgba[None].shape} to {stylized.shape}, which changes the size; re-export it with "
            "impasto-export"
        )
    stylized = np.ascontiguousarray(stylized[0, :height, :width])
    output_alpha = None if picture.alpha is None else np.ascontiguousarray(stylized[..., 3])
    return Picture(np.ascontiguousarray(stylized[..., :3]), output_alpha, picture.had_profile)


def pad_to_min_side(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pad pixels [H, W, C] at the bottom and right with their edge, so that both sides are at least MIN_SIDE."""
    bottom, right = (max(0, MIN_SIDE - length) for length in pixels.shape[:2])
    if not (bottom or right):
        return pixels
    return np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="edge")


def strength_feed(session: "InferenceSession", strength: float) -> dict[str, Any]:
    """Return the session's inputs for a strength, which are empty for 1; raise UsageError if it is unsupported."""
    if strength == 1:
        return {}
    if STRENGTH not in (value.name for value in session.get_overridable_initializers()):
        raise UsageError(f"this model does not support strength={strength:g}; re-export it or use strength=1")
    return {STRENGTH: np.array(strength, np.float32)}


def inference_error(error: Exception, height: int, width: int) -> UsageError:
    """Turn what ONNX Runtime raised for a picture of this size into one sentence."""
    if any(words in str(error) for words in ("Failed to allocate", "bad_alloc", "bad allocation")):
        return UsageError(f"a picture of {width}x{height} needs more memory than is available; reduce its size")
    return UsageError(f"a picture of {width}x{height} could not be stylized: {reason(error)}")


def card(session: "InferenceSession") -> ExportedCard | None:
    """Return the card that impasto-export stored in a file; None for a file without one, or with another."""
    try:
        stored = json.loads(session.get_modelmeta().custom_metadata_map.get(CARD, "{}"))
        names = {old: new for new, old in _FORMAT_1.items()}
        loss = {names.get(name, name): value for name, value in stored["loss"].items()}
        return ExportedCard.from_json(stored | {"loss": dict.fromkeys(_TRAINING_ONLY, 0.0) | loss})
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, CheckFailed):
        return None  # ValueError includes UnicodeDecodeError


def stroke_resolution(session: "InferenceSession") -> int | None:
    """Return the short side in px at which a model's strokes are as large as the painting's; None means native."""
    text = session.get_modelmeta().custom_metadata_map.get(STROKE_RESOLUTION, "")
    if not (text.isascii() and text.isdigit() and len(text) < 6):  # int refuses thousands of digits
        return None
    return int(text) if int(text) >= MIN_SIDE else None


def card_text(card: ExportedCard) -> str:
    """Serialize what `card` returns, in format 1 of the metadata."""
    values = card.to_json()
    loss = {
        _FORMAT_1.get(name, name): value
        for name, value in values["loss"].items()
        if name not in _TRAINING_ONLY and (name not in _LATER or value != _LATER[name])
    }
    return json.dumps(values | {"loss": loss}, separators=(",", ":"), sort_keys=True)


def _check_contract(session: "InferenceSession", path: Path) -> None:
    """Require one input `image` and one output `stylized`, both uint8 [1, H, W, 4] with H and W free."""
    for kind, name, values in (
        ("input", "image", session.get_inputs()),
        ("output", "stylized", session.get_outputs()),
    ):
        if len(values) != 1 or not _is_rgba(values[0], name):
            actual = ", ".join(f"{value.name} {value.type} {value.shape}" for value in values)
            raise UsageError(
                f"{path} has the {kind} {actual}, but the contract requires {name} tensor(uint8) [1, H, W, 4]; "
                "re-export it with onnx.io=uint8_rgba"
            )


def _is_rgba(value: Any, name: str) -> bool:
    # A free dimension is a name or None.
    shape = value.shape
    free = len(shape) == 4 and not any(isinstance(side, int) for side in shape[1:3])
    return bool(value.name == name and value.type == "tensor(uint8)" and free and shape[0] == 1 and shape[3] == 4)
