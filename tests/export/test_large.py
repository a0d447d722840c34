"""Pictures in tiles against the same pictures whole."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from impasto.configs.errors import RequestError
from impasto.configs.shipping import TilesConfig
from impasto.export import large, onnx_file, scratch, streamed, variants
from impasto.export.golden import picture
from impasto.export.label import Label
from impasto.models import exported, networks
from impasto.models.pictures import Picture
from tests.export.conftest import CARD, Written
from tests.models.made_models import model as inverter

TILES = TilesConfig(above=0.0, side=64, statistics="exact", thumbnail=1.0, scratch=0)
Pixels = NDArray[np.uint8]


def tiled(path: Path, photo: Picture, tiles: TilesConfig = TILES, strength: float = 1.0) -> Picture:
    return large.Model(path, 1, tiles).stylize(photo, strength)


def whole(path: Path, photo: Picture, strength: float = 1.0) -> Picture:
    return exported.stylize(exported.load(path, 1), photo, strength)


def psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, ((one.astype(float) - other) ** 2).mean())))


@pytest.mark.parametrize("name", ["mobile", "johnson", "tiny"])
@pytest.mark.parametrize("size", [(133, 218), (14, 600)])
def test_tiles_give_what_the_whole_picture_gives(written: Written, name: str, size: tuple[int, int]) -> None:
    path, photo = written(name, "pixels"), Picture(picture(*size))
    expected = whole(path, photo).rgb
    found = tiled(path, photo).rgb
    assert np.abs(found.astype(int) - expected).max() <= 1
    kept = tiled(path, photo, TilesConfig(0.0, 64, "exact", 1.0, 1000)).rgb  # in 16 bits
    assert psnr(kept, expected) > 50 and np.abs(kept.astype(int) - expected).max() <= 4


def test_statistics_of_a_thumbnail(trained_file: Path) -> None:
    photo = Picture(picture(900, 1200))
    expected = whole(trained_file, photo).rgb
    found = tiled(trained_file, photo, TilesConfig(0.0, 256, "thumbnail", 0.5, 0)).rgb
    assert 35 < psnr(found, expected) < 55
    # What is off is off everywhere: a tile's edge does not stand out against a single tile.
    single = tiled(trained_file, photo, TilesConfig(0.0, 1200, "thumbnail", 0.5, 0)).rgb
    assert np.abs(found.astype(int) - single).max() <= 1


def test_alpha_profile_and_strength_stay(written: Written) -> None:
    path = written("mobile", "pixels")
    alpha = np.random.default_rng(0).integers(0, 256, (90, 130), np.uint8)
    photo = Picture(picture(90, 130), alpha, had_profile=True)
    for strength in (1.0, 0.3, 0.0):
        found = tiled(path, photo, strength=strength)
        np.testing.assert_array_equal(found.alpha, alpha)
        assert found.had_profile
        assert np.abs(found.rgb.astype(int) - whole(path, photo, strength).rgb).max() <= 1
    np.testing.assert_array_equal(found.rgb, photo.rgb)
    with pytest.raises(RequestError, match=r"strength=0\.5 is more than this model can"):
        tiled(inverter(path.with_name("inverter.onnx")), photo, strength=0.5)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (200, 30)])
def test_any_size_and_a_model_without_norms(tmp_path: Path, size: tuple[int, int]) -> None:
    photo = Picture(picture(*size))
    np.testing.assert_array_equal(tiled(inverter(tmp_path / "model.onnx"), photo).rgb, 255 - photo.rgb)


def test_small_pictures_are_worked_on_whole(written: Written) -> None:
    path, photo = written("mobile", "pixels"), Picture(picture(90, 130))
    model = large.Model(path, 1, TilesConfig(90 * 130 / 1e6, 64, "exact", 1.0, 0))
    expected = whole(path, photo).rgb
    for _ in range(2):
        np.testing.assert_array_equal(model.stylize(photo).rgb, expected)
        model.stylize(Picture(picture(91, 130)))  # between them a large one


def test_what_16_bits_cannot_hold_is_computed_again(
    exploding: networks.Transformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, photo = tmp_path / "model.onnx", Picture(picture(80, 100))
    onnx_file.write(exploding.eval(), path, "pixels", Label.of(CARD))
    tiles = TilesConfig(0.0, 64, "exact", 1.0, 1000)
    expected = whole(path, photo).rgb
    assert np.abs(tiled(path, photo, tiles).rgb.astype(int) - expected).max() <= 1

    class Full(scratch.Scratch):
        def write(self, *arguments: object) -> None:
            raise scratch.NoRoom

    monkeypatch.setattr(streamed, "Scratch", Full)  # a disk that is full
    assert np.abs(tiled(path, photo, tiles).rgb.astype(int) - expected).max() <= 1


def test_progress_is_told(written: Written) -> None:
    told: list[float] = []
    large.Model(written("mobile", "pixels"), 1, TILES).stylize(Picture(picture(90, 130)), tell=told.append)
    assert told == sorted(told) and told[0] > 0 and abs(told[-1] - 1) < 1e-9


def test_several_large_pictures_at_a_time(written: Written) -> None:
    model, together = large.Model(written("mobile", "pixels"), 1, TILES), threading.Barrier(2)
    photo, first = Picture(picture(90, 130)), threading.local()

    def tell(done: float) -> None:
        if not hasattr(first, "done"):
            first.done = together.wait(20)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: model.stylize(photo, tell=tell).rgb, range(2))
    np.testing.assert_array_equal(one, other)


def test_what_cannot_work_in_tiles_is_said(written: Written, tmp_path: Path) -> None:
    path, photo = tmp_path / "model.ort", Picture(picture(90, 130))
    variants.write_ort(written("mobile", "pixels"), path, tmp_path / "config")
    sentence = r"model\.ort takes pictures whole, .* over 0 megapixels .*; name the \.onnx file, or raise tiles\.above"
    with pytest.raises(RequestError, match=sentence):
        tiled(path, photo)
    small = inverter(tmp_path / "small.onnx", crop=2)
    with pytest.raises(RequestError, match=r"could not be stylized|changes the size"):
        tiled(small, photo)


def test_memory_stays_while_pictures_grow(written: Written) -> None:
    """Over what the pictures themselves take, which is 6 bytes a pixel, 8 megapixels take hardly more than 2."""
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from impasto.configs.shipping import TilesConfig; from impasto.export import large\n"
        "from impasto.export.measure import peak; from impasto.models.pictures import Picture\n"
        "side = int(sys.argv[2])\n"
        "photo = Picture(np.random.default_rng(0).integers(0, 256, (side, 2000, 3), np.uint8))\n"
        "large.Model(Path(sys.argv[1]), 1, TilesConfig(0.5, 512, 'thumbnail', 0.5, 0)).stylize(photo)\n"
        "print(peak() - 6 * side * 2000 / 2**20)\n"
    )
    took = []
    for side in (1000, 4000):
        command = [sys.executable, "-c", program, str(written("mobile", "pixels")), str(side)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took.append(float(done.stdout))
    assert took[1] - took[0] < 60 and took[1] < 300


def test_onnx_loads_only_for_large_pictures(written: Written) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from impasto.configs.shipping import TilesConfig; from impasto.export import large\n"
        "from impasto.models.pictures import Picture\n"
        "model = large.Model(Path(sys.argv[1]), 1, TilesConfig(0.01, 64, 'exact', 1.0, 0))\n"
        "model.stylize(Picture(np.zeros((99, 99, 3), np.uint8)))\n"
        "assert not {'torch', 'onnx'} & set(sys.modules)\n"
        "model.stylize(Picture(np.zeros((99, 109, 3), np.uint8)))\n"
        "assert 'onnx' in sys.modules and 'torch' not in sys.modules\n"
    )
    path = written("mobile", "pixels")
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    assert onnx.load(path).graph.node
