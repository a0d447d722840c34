"""Photos and settings on which the clients are compared with Python."""

from typing import Any

import numpy as np

from impasto.export.contract import Tiling
from impasto.export.onnx_graph import tiled_pair
from impasto.models.contract import onnx_contract

# Of the network that runs here; its contract is not used.
TILING = Tiling(tiled_pair.STATS, onnx_contract("uint8_rgba"), side=96, margin=24, multiple=4)

# A case: width, height, config, has alpha, premultiplied, strength, thumbnail pixels (0: not in tiles); optionally
# followed by keep_colors, and by the mask's width, height, config and invert_mask. A config may name a color space.
CASES: dict[str, tuple[Any, ...]] = {
    "opaque": (61, 40, "ARGB_8888", False, True, 1.0, 0),
    "larger": (130, 75, "ARGB_8888", False, True, 1.0, 0),
    "weaker": (61, 40, "ARGB_8888", False, True, 0.4, 0),  # not 0.5: rounding half up would bias the mean
    "none": (61, 40, "ARGB_8888", False, True, 0.0, 0),
    "premultiplied": (61, 40, "ARGB_8888", True, True, 1.0, 0),
    "premultiplied_third": (40, 61, "ARGB_8888", True, True, 1 / 3, 0),
    "straight": (61, 40, "ARGB_8888", True, False, 1.0, 0),
    "converted": (16, 16, "RGB_565", False, True, 1.0, 0),
    "colors": (61, 40, "ARGB_8888", False, True, 1.0, 0, True),
    "colors_premultiplied": (61, 40, "ARGB_8888", True, True, 0.4, 0, True),
    "mask": (61, 40, "ARGB_8888", False, True, 1.0, 0, False, 61, 40, "ARGB_8888", False),
    "mask_smaller": (61, 40, "ARGB_8888", False, True, 0.4, 0, True, 31, 20, "HARDWARE", True),
    "mask_larger": (40, 61, "ARGB_8888", False, True, 1.0, 0, True, 101, 154, "RGB_565", False),
    "mask_of_alpha": (61, 40, "ARGB_8888", True, True, 1.0, 0, False, 122, 80, "ALPHA_8", False),
    "p3": (61, 40, "ARGB_8888:DISPLAY_P3", False, True, 1.0, 0),
    "p3_none": (61, 40, "ARGB_8888:DISPLAY_P3", False, True, 0.0, 0),
    "p3_premultiplied": (61, 40, "ARGB_8888:DISPLAY_P3", True, True, 1.0, 0),
    "p3_straight": (61, 40, "ARGB_8888:DISPLAY_P3", True, False, 0.4, 0),
    "p3_hardware": (40, 61, "HARDWARE:DISPLAY_P3", False, True, 1.0, 0),
    "half_float": (61, 40, "RGBA_F16:LINEAR_EXTENDED_SRGB", False, True, 1.0, 0),
    "large_p3": (170, 141, "ARGB_8888:DISPLAY_P3", False, True, 1.0, 10**6),
    "large_half_float": (170, 141, "RGBA_F16:LINEAR_EXTENDED_SRGB", False, True, 0.4, 10**6),
    "large": (250, 150, "ARGB_8888", False, True, 1.0, 10**6),
    "large_small_thumbnail": (250, 150, "ARGB_8888", False, True, 1.0, 10**4),
    "large_patches": (1003, 804, "ARGB_8888", False, True, 1.0, 4 * 10**5),
    "large_large_patches": (1701, 1600, "ARGB_8888", True, True, 1.0, 4 * 10**5),
    "large_weaker": (97, 203, "RGB_565", False, True, 0.4, 10**6),
    "large_none": (61, 40, "ARGB_8888", False, True, 0.0, 10**6),
    "large_premultiplied": (170, 141, "ARGB_8888", True, True, 1.0, 10**6),
    "large_straight": (170, 30, "ARGB_8888", True, False, 1.0, 10**6),
    "large_hardware": (99, 101, "HARDWARE", False, True, 1.0, 10**6),
    "large_colors": (250, 150, "ARGB_8888", False, True, 0.4, 10**6, True),
    "large_mask": (150, 250, "ARGB_8888", True, True, 1.0, 10**6, True, 45, 75, "ARGB_8888", True),
    "large_mask_larger": (150, 250, "RGB_565", False, True, 1.0, 10**6, False, 331, 551, "RGB_565", False),
    "large_narrow": (16, 400, "ARGB_8888", False, True, 1.0, 10**6),
}
# As CASES, after a stroke resolution in px, or `default` (that of the model, STROKES) or `native`.
STROKES = 100
GRAIN = 3.5  # levels, of the model of these cases
STROKE_CASES: dict[str, tuple[Any, ...]] = {
    "strokes": ("default", 250, 150, "ARGB_8888", False, True, 1.0, 0),
    "strokes_narrow": ("default", 130, 420, "RGB_565", False, True, 1.0, 0),
    "strokes_smaller_photo": ("default", 60, 40, "ARGB_8888", False, True, 1.0, 0),
    "strokes_smaller_straight": ("default", 60, 40, "ARGB_8888", True, False, 1.0, 0),
    "strokes_smaller_premultiplied": ("default", 60, 40, "ARGB_8888", True, True, 0.4, 0),
    "strokes_smaller_mask": ("default", 61, 40, "ARGB_8888", False, True, 1.0, 0, True, 61, 40, "ARGB_8888", False),
    "strokes_native": ("native", 150, 110, "ARGB_8888", False, True, 1.0, 0),
    "strokes_of_91_px": (91, 140, 100, "ARGB_8888", False, True, 1.0, 0),
    "strokes_weaker": ("default", 250, 150, "HARDWARE", False, True, 0.4, 0),
    "strokes_premultiplied": ("default", 151, 250, "ARGB_8888", True, True, 1.0, 0),
    "strokes_straight": ("default", 151, 250, "ARGB_8888", True, False, 1.0, 0),
    "strokes_p3": ("default", 250, 150, "ARGB_8888:DISPLAY_P3", False, True, 1.0, 0),
    "strokes_mask": ("default", 250, 150, "ARGB_8888", False, True, 1.0, 0, True, 50, 30, "ARGB_8888", True),
    "strokes_large": ("default", 410, 501, "ARGB_8888", False, True, 1.0, 10**6),
    "strokes_large_of_130_px": (130, 410, 501, "ARGB_8888", False, True, 1.0, 10**6),
    "strokes_large_smaller": ("default", 97, 203, "ARGB_8888", True, True, 0.4, 10**6),
    "strokes_large_native": ("native", 250, 150, "ARGB_8888", False, True, 1.0, 10**6),
}
CASES_BY_NAME = CASES | {name: values[1:] for name, values in STROKE_CASES.items()}


def photo_of(name: str) -> np.ndarray:
    """Return the photo of a case, RGBA [H, W, 4], as Android stores it."""
    width, height, _, alpha, premultiplied, *_ = CASES_BY_NAME[name]
    return _pixels(name, width, height, alpha, premultiplied)


def _pixels(name: str, width: int, height: int, alpha: bool, premultiplied: bool) -> np.ndarray:
    random = np.random.default_rng(len(name))
    pixels = random.integers(0, 256, (height // 4 + 1, width // 4 + 1, 4)).repeat(4, 0).repeat(4, 1)[:height, :width]
    if not alpha:
        pixels[..., 3] = 255
    elif premultiplied:
        pixels[: height // 8, :, 3] = 0
        pixels[..., :3] = np.rint(pixels[..., :3] * (pixels[..., 3:] / 255))
    return pixels.astype(np.uint8)


def space_of(name: str) -> str | None:
    """Return the name of the color space of a case's photo if that is not sRGB."""
    return CASES_BY_NAME[name][2].partition(":")[2] or None


def line_of(name: str) -> str:
    """Return the name and the fields of a case, as Main.kt reads them."""
    fields = (str(value).lower() if isinstance(value, bool) else str(value) for value in CASES_BY_NAME[name])
    return " ".join([name, *fields])


def mask_of(name: str) -> np.ndarray | None:
    """Return the mask of a case, RGBA [h, w, 4], as Android stores it, or None."""
    if len(CASES_BY_NAME[name]) < 9:
        return None
    width, height, config, _ = CASES_BY_NAME[name][8:]
    return _pixels(f"mask of {name}", width, height, config in ("ARGB_8888", "ALPHA_8"), config == "ALPHA_8")
