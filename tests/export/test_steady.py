"""Steadying of painted frames: less flicker, and no ghost of what has moved on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.models import exported
from impasto.models.pictures import Picture

pytest.importorskip("cv2")
from impasto.export.steady import Steady

SCENE = np.asarray(Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)).resize((360, 240)))
RANDOM = np.random.default_rng(1)


def noisy(rgb: NDArray[np.uint8], levels: float) -> NDArray[np.uint8]:
    return np.clip(rgb + RANDOM.normal(0, levels, rgb.shape), 0, 255).astype(np.uint8)


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_flicker_of_a_still_camera_is_halved(trained_file: Path) -> None:
    session, steady = exported.load(trained_file, 1), Steady(0.7)
    shown = []
    for _ in range(5):
        photo = noisy(SCENE[:96, :128], 3)
        painted = exported.stylize(session, Picture(photo)).rgb
        shown.append((painted, steady(photo, painted)))
    before, after = steady.flicker()
    assert before > 2 and after < before / 2
    changes = [distance(shown[-1][way], shown[-2][way]) for way in (0, 1)]
    assert changes[1] < changes[0] / 2


def test_a_pan_leaves_no_ghosts() -> None:
    steady = Steady(0.7)
    for number in range(8):
        scene = SCENE[number : 150 + number, 6 * number : 200 + 6 * number]
        painted = noisy(255 - scene, 25)
        mixed = steady(noisy(scene, 2), painted)
    clean = 255 - scene
    assert distance(mixed, clean) < 0.6 * distance(painted, clean)  # a ghost is further off than noise
    assert steady.flicker()[1] < 0.5 * steady.flicker()[0]


def test_what_was_hidden_is_not_mixed_with_what_hid_it() -> None:
    steady, rows, columns = Steady(0.9), *np.indices((150, 200))
    for number in range(6):
        disc = ((rows - 75) ** 2 + (columns - 40 - 15 * number) ** 2 < 30**2)[..., None]
        scene = np.where(disc, np.array([255, 0, 255], np.uint8), SCENE[:150, :200])
        mixed = steady(scene, scene)
    assert distance(mixed, scene) < 1


def test_a_cut_starts_anew() -> None:
    steady, other = Steady(0.9), 255 - SCENE
    steady(SCENE, SCENE)
    assert distance(steady(other, other), other) < 0.5
    small = other[:50, :50]
    np.testing.assert_array_equal(steady(small, small), small)
    assert Steady(0.5).flicker() == (0, 0)


def test_narrow_videos_do_no_harm() -> None:
    program = """
import numpy as np
from impasto.export.steady import Steady
for shape in (16, 96), (96, 16), (12, 48), (30, 200), (16, 640), (2, 3000), (3000, 2), (1, 1):
    steady, scene = Steady(0.7), np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert all(np.array_equal(steady(scene, scene), scene) for _ in range(3)), shape
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # it may crash
    assert (done.returncode, done.stderr) == (0, "")
