"""Temporal filtering of stylized frames: less flicker, and no ghosts of moving objects."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.models import onnx_model
from impasto.models.image.picture import Picture

pytest.importorskip("cv2")
from impasto.export.video.temporal_filter import TemporalFilter

SCENE = np.asarray(Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)).resize((360, 240)))
RANDOM = np.random.default_rng(1)


def noisy(rgb: NDArray[np.uint8], levels: float) -> NDArray[np.uint8]:
    return np.clip(rgb + RANDOM.normal(0, levels, rgb.shape), 0, 255).astype(np.uint8)


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_filter_on_still_camera_halves_flicker(trained_file: Path) -> None:
    session, temporal_filter = onnx_model.load(trained_file, 1), TemporalFilter(0.7)
    pairs = []
    for _ in range(5):
        photo = noisy(SCENE[:96, :128], 3)
        stylized = onnx_model.stylize(session, Picture(photo)).rgb
        pairs.append((stylized, temporal_filter(photo, stylized)))
    before, after = temporal_filter.flicker()
    assert before > 2 and after < before / 2
    changes = [distance(pairs[-1][way], pairs[-2][way]) for way in (0, 1)]
    assert changes[1] < changes[0] / 2


def test_filter_on_pan_leaves_no_ghosts() -> None:
    temporal_filter = TemporalFilter(0.7)
    for number in range(8):
        scene = SCENE[number : 150 + number, 6 * number : 200 + 6 * number]
        stylized = noisy(255 - scene, 25)
        filtered = temporal_filter(noisy(scene, 2), stylized)
    clean = 255 - scene
    assert distance(filtered, clean) < 0.6 * distance(stylized, clean)  # a ghost would differ more than noise
    assert temporal_filter.flicker()[1] < 0.5 * temporal_filter.flicker()[0]


def test_filter_on_disocclusion_uses_the_new_frame_alone() -> None:
    temporal_filter, rows, columns = TemporalFilter(0.9), *np.indices((150, 200))
    for number in range(6):
        disc = ((rows - 75) ** 2 + (columns - 40 - 15 * number) ** 2 < 30**2)[..., None]
        scene = np.where(disc, np.array([255, 0, 255], np.uint8), SCENE[:150, :200])
        filtered = temporal_filter(scene, scene)
    assert distance(filtered, scene) < 1


def test_filter_on_cut_restarts() -> None:
    temporal_filter, other = TemporalFilter(0.9), 255 - SCENE
    temporal_filter(SCENE, SCENE)
    assert distance(temporal_filter(other, other), other) < 0.5
    small = other[:50, :50]
    np.testing.assert_array_equal(temporal_filter(small, small), small)
    assert TemporalFilter(0.5).flicker() == (0, 0)


def test_filter_on_tiny_frames_does_not_crash() -> None:
    program = """
import numpy as np
from impasto.export.video.temporal_filter import TemporalFilter
for shape in (16, 96), (96, 16), (12, 48), (30, 200), (16, 640), (2, 3000), (3000, 2), (1, 1):
    temporal_filter, scene = TemporalFilter(0.7), np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert all(np.array_equal(temporal_filter(scene, scene), scene) for _ in range(3)), shape
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # the process may crash
    assert (done.returncode, done.stderr) == (0, "")
