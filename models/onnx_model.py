"""Run an exported ONNX file on a picture with ONNX Runtime and NumPy, without torch."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.interrupt import stoppable
from impasto.models import run_directory
from impasto.models.card import STYLES, ExportedCard, StyleLabel
from impasto.models.image.grain import MAX_GRAIN
from impasto.models.image.picture import Picture
from impasto.models.ort_environment import import_onnxruntime
from impasto.models.ort_messages import reason

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MIN_SIDE = 16  # px; the contract of an exported file accepts any height and width from 16 on
IN_BUNDLE = Path("android", "model.onnx")
SUFFIXES = (".onnx", ".ort")
CARD = "card"  # the metadata key that `card` reads
STROKE_RESOLUTION = "stroke_resolution"  # the metadata key that `stroke_resolution` reads; native without it
GRAIN = "grain"  # the metadata key that `grain` reads; none without it


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


def stylize(session: "InferenceSession", picture: Picture, weights: NDArray[np.float32] | None = None) -> Picture:
    """Stylize a picture of any size; size, alpha and profile are preserved.

    Args:
        session: A session from `load`.
        picture: The photo.
        weights: The weight of each style of a store, as `style_weights` returns them; None for one painting.

    Raises:
        UsageError: The model cannot stylize a picture of this size.
    """
    height, width = picture.rgb.shape[:2]
    alpha = np.full((height, width), 255, np.uint8) if picture.alpha is None else picture.alpha
    rgba = pad_to_min_side(np.dstack([picture.rgb, alpha]))
    try:
        (stylized,) = session.run(["stylized"], {"image": rgba[None]} | ({} if weights is None else {STYLES: weights}))
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


def inference_error(error: Exception, height: int, width: int) -> UsageError:
    """Turn what ONNX Runtime raised for a picture of this size into one sentence."""
    if any(words in str(error) for words in ("Failed to allocate", "bad_alloc", "bad allocation")):
        return UsageError(f"a picture of {width}x{height} needs more memory than is available; reduce its size")
    return UsageError(f"a picture of {width}x{height} could not be stylized: {reason(error)}")


def card(session: "InferenceSession") -> ExportedCard | None:
    """Return the card that impasto-export stored in a file; None for a file without one, or with another."""
    try:
        return ExportedCard.from_json(json.loads(session.get_modelmeta().custom_metadata_map.get(CARD, "{}")))
    except (ValueError, RecursionError, CheckFailed):
        return None  # ValueError includes UnicodeDecodeError


def styles(session: "InferenceSession") -> list[StyleLabel]:
    """Return the styles of a store in the order of their weights; none for a model of one painting."""
    text = session.get_modelmeta().custom_metadata_map.get(STYLES, "[]")
    try:
        return [StyleLabel.from_json(values) for values in json.loads(text)]
    except (ValueError, TypeError, RecursionError, CheckFailed):
        return []


def style_weights(
    session: "InferenceSession", path: Path, chosen: Mapping[str, float] | None
) -> NDArray[np.float32] | None:
    """Return the weight of each style of a store, float32 [styles]; None for a model of one painting.

    Args:
        session: A session from `load`.
        path: Its file, for messages.
        chosen: The weights of styles by name; the others are 0.

    Raises:
        UsageError: The model is a store and no style is chosen, or one that it lacks; or it has one painting only.
    """
    names = [style.name for style in styles(session)]
    if len(session.get_inputs()) == 1:
        if chosen is not None:
            raise UsageError(f"style={'+'.join(chosen)} cannot be chosen: {path} has one painting only; omit style")
        return None
    count = session.get_inputs()[1].shape[0]
    if len(names) != count or len({*names}) < len(names):
        raise UsageError(f"{path} has {count} styles, but does not name them; export it again with impasto-export")
    if chosen is None or "" in chosen:
        raise UsageError(f"{path} is a store of styles; choose one with style=: {', '.join(names)}")
    for name in chosen:
        if name not in names:
            raise UsageError(f"style={name} is not in {path}; choose one of {', '.join(names)}")
    return np.array([chosen.get(name, 0) for name in names], np.float32)


def blended_resolution(weights: Sequence[float], resolutions: Sequence[int | None]) -> int | None:
    """Return the stroke resolution of a blend of styles: the mean of theirs; None if one has none."""
    blended = [(weight, side) for weight, side in zip(weights, resolutions, strict=True) if weight > 0]
    known = [(float(weight), side) for weight, side in blended if side is not None]
    return round(sum(weight * side for weight, side in known)) if known and len(known) == len(blended) else None


def stroke_resolution(session: "InferenceSession") -> int | None:
    """Return the short side in px at which a model's strokes are as large as the painting's; None means native."""
    text = session.get_modelmeta().custom_metadata_map.get(STROKE_RESOLUTION, "")
    if not (text.isascii() and text.isdigit() and len(text) < 6):  # int refuses thousands of digits
        return None
    return int(text) if int(text) >= MIN_SIDE else None


def grain(session: "InferenceSession") -> float:
    """Return the grain that a photo gets by default, in levels; 0 for a model without one."""
    text = session.get_modelmeta().custom_metadata_map.get(GRAIN, "")
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,20})?(e-[0-9]{1,3})?", text):
        return 0.0
    return float(text) if float(text) <= MAX_GRAIN else 0.0


def _check_contract(session: "InferenceSession", path: Path) -> None:
    """Require one input `image` and one output `stylized`, both uint8 [1, H, W, 4] with H and W free.

    A store has a second input, its float32 weights [styles].
    """
    for kind, name, values in (
        ("input", "image", _without_styles(session.get_inputs())),
        ("output", "stylized", session.get_outputs()),
    ):
        if len(values) == 1 and _is_rgba(values[0], name, fixed=True):
            height, width = values[0].shape[1:3]
            raise UsageError(f"{path} takes images of {width}x{height} only; use the model.onnx beside it")
        if len(values) != 1 or not _is_rgba(values[0], name):
            actual = ", ".join(f"{value.name} {value.type} {value.shape}" for value in values)
            raise UsageError(
                f"{path} has the {kind} {actual}, but the contract requires {name} tensor(uint8) [1, H, W, 4]; "
                "re-export it with onnx.io=uint8_rgba"
            )


def _without_styles(inputs: list[Any]) -> list[Any]:
    is_store = len(inputs) == 2 and inputs[1].name == STYLES and inputs[1].type == "tensor(float)"
    return inputs[:1] if is_store and len(inputs[1].shape) == 1 and isinstance(inputs[1].shape[0], int) else inputs


def _is_rgba(value: Any, name: str, fixed: bool = False) -> bool:
    # A free dimension is a name or None.
    shape = value.shape
    sides = len(shape) == 4 and all(isinstance(side, int) == fixed for side in shape[1:3])
    return bool(value.name == name and value.type == "tensor(uint8)" and sides and shape[0] == 1 and shape[3] == 4)
