"""Pictures computed in tiles against the same pictures computed whole."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from impasto.configs.errors import UsageError
from impasto.configs.schema.stylize import TilesConfig
from impasto.export.inference import scratch_file, tiled_session
from impasto.export.inference.model import Model
from impasto.export.onnx_graph import weight_compression
from impasto.export.test_images import picture
from impasto.models import onnx_model, onnx_writer, transform_net
from impasto.models.image.picture import Picture
from tests.helpers.bundles import Written
from tests.helpers.networks import LABEL, slow
from tests.helpers.onnx_models import model as inverter

TILES = TilesConfig(threshold_mp=0.0, side=64, statistics="exact", thumbnail_mp=1.0, scratch_mb=0)
Pixels = NDArray[np.uint8]


def tiled(path: Path, photo: Picture, tiles: TilesConfig = TILES) -> Picture:
    return Model(path, 1, tiles).stylize(photo)


def whole(path: Path, photo: Picture) -> Picture:
    return onnx_model.stylize(onnx_model.load(path, 1), photo)


def psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, ((one.astype(float) - other) ** 2).mean())))


@pytest.mark.parametrize("name", ["mobile", slow("johnson"), slow("tiny"), slow("studio"), slow("eighth")])
@pytest.mark.parametrize("size", [(133, 218), (14, 600)])
def test_stylize_in_tiles_equals_stylize_whole(written: Written, name: str, size: tuple[int, int]) -> None:
    size = (96, 1400) if name == "studio" else size
    path, photo = written(name, "uint8_rgba"), Picture(picture(*size))
    expected = whole(path, photo).rgb
    stylized = tiled(path, photo).rgb
    assert np.abs(stylized.astype(int) - expected).max() <= 1
    cached = tiled(path, photo, TilesConfig(0.0, 64, "exact", 1.0, 1000)).rgb  # in float16
    assert psnr(cached, expected) > 50 and np.abs(cached.astype(int) - expected).max() <= 4


@pytest.mark.slow
def test_stylize_with_thumbnail_statistics_is_close_and_seamless(trained_file: Path) -> None:
    photo = Picture(picture(900, 1200))
    expected = whole(trained_file, photo).rgb
    stylized = tiled(trained_file, photo, TilesConfig(0.0, 256, "thumbnail", 0.5, 0)).rgb
    assert 35 < psnr(stylized, expected) < 55
    # What is off is off everywhere: a tile's edge does not stand out against a single tile.
    single = tiled(trained_file, photo, TilesConfig(0.0, 1200, "thumbnail", 0.5, 0)).rgb
    assert np.abs(stylized.astype(int) - single).max() <= 1


def test_stylize_in_tiles_preserves_alpha_and_profile(written: Written) -> None:
    path = written("mobile", "uint8_rgba")
    alpha = np.random.default_rng(0).integers(0, 256, (90, 130), np.uint8)
    photo = Picture(picture(90, 130), alpha, had_profile=True)
    stylized = tiled(path, photo)
    np.testing.assert_array_equal(stylized.alpha, alpha)
    assert stylized.had_profile
    assert np.abs(stylized.rgb.astype(int) - whole(path, photo).rgb).max() <= 1


def test_stylize_with_a_file_that_has_an_optional_strength_runs_it_at_its_default(tmp_path: Path) -> None:
    """Files that impasto-export wrote before strength became arithmetic of the callers."""
    photo, path = Picture(picture(90, 130)), inverter(tmp_path / "model.onnx", strength=True)
    np.testing.assert_array_equal(whole(path, photo).rgb, 255 - photo.rgb)
    assert onnx_model.card(onnx_model.load(path)) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (200, 30)])
def test_stylize_in_tiles_accepts_any_size_and_models_without_norms(tmp_path: Path, size: tuple[int, int]) -> None:
    photo = Picture(picture(*size))
    np.testing.assert_array_equal(tiled(inverter(tmp_path / "model.onnx"), photo).rgb, 255 - photo.rgb)


def test_stylize_below_threshold_runs_whole_pictures(written: Written) -> None:
    path, photo = written("mobile", "uint8_rgba"), Picture(picture(90, 130))
    model = Model(path, 1, TilesConfig(90 * 130 / 1e6, 64, "exact", 1.0, 0))
    expected = whole(path, photo).rgb
    for _ in range(2):
        np.testing.assert_array_equal(model.stylize(photo).rgb, expected)
        model.stylize(Picture(picture(91, 130)))  # between them a large one


@pytest.mark.slow
def test_stylize_without_usable_scratch_file_recomputes(
    exploding: transform_net.TransformNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, photo = tmp_path / "model.onnx", Picture(picture(80, 100))
    onnx_writer.write(exploding.eval(), path, "uint8_rgba", LABEL)
    tiles = TilesConfig(0.0, 64, "exact", 1.0, 1000)
    expected = whole(path, photo).rgb
    assert np.abs(tiled(path, photo, tiles).rgb.astype(int) - expected).max() <= 1

    class Full(scratch_file.ScratchFile):
        def write(self, *arguments: object) -> None:
            raise scratch_file.ScratchUnavailable

    monkeypatch.setattr(tiled_session, "ScratchFile", Full)  # a disk that is full
    assert np.abs(tiled(path, photo, tiles).rgb.astype(int) - expected).max() <= 1


def test_stylize_in_tiles_reports_increasing_progress(written: Written) -> None:
    fractions: list[float] = []
    Model(written("mobile", "uint8_rgba"), 1, TILES).stylize(Picture(picture(90, 130)), on_progress=fractions.append)
    assert fractions == sorted(fractions) and fractions[0] > 0 and abs(fractions[-1] - 1) < 1e-9


def test_stylize_in_several_threads_gives_equal_results(written: Written) -> None:
    model, barrier = Model(written("mobile", "uint8_rgba"), 1, TILES), threading.Barrier(2)
    photo, first = Picture(picture(90, 130)), threading.local()

    def wait_once(fraction: float) -> None:
        if not hasattr(first, "index"):
            first.index = barrier.wait(20)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: model.stylize(photo, on_progress=wait_once).rgb, range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_stylize_in_tiles_with_unsuitable_model_raises_one_sentence(written: Written, tmp_path: Path) -> None:
    path, photo = tmp_path / "model.ort", Picture(picture(90, 130))
    weight_compression.write_ort(written("mobile", "uint8_rgba"), path, tmp_path / "config")
    sentence = (
        r"model\.ort cannot be computed in tiles, .* 0 megapixels; use the \.onnx file or raise tiles\.threshold_mp"
    )
    with pytest.raises(UsageError, match=sentence):
        tiled(path, photo)
    small = inverter(tmp_path / "small.onnx", crop=2)
    with pytest.raises(UsageError, match=r"could not be stylized|changes the size"):
        tiled(small, photo)


@pytest.mark.slow
def test_stylize_in_tiles_takes_constant_memory_beside_the_pictures(written: Written) -> None:
    """Over what the pictures themselves take, which is 6 bytes a pixel, 8 megapixels take hardly more than 2."""
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from impasto.configs.schema.stylize import TilesConfig; from impasto.export.inference.model import Model\n"
        "from impasto.export.validation.latency import peak_memory; from impasto.models.image.picture import Picture\n"
        "side = int(sys.argv[2])\n"
        "photo = Picture(np.random.default_rng(0).integers(0, 256, (side, 2000, 3), np.uint8))\n"
        "Model(Path(sys.argv[1]), 1, TilesConfig(0.5, 512, 'thumbnail', 0.5, 0)).stylize(photo)\n"
        "print(peak_memory() - 6 * side * 2000 / 2**20)\n"
    )
    peaks = []
    for side in (1000, 4000):
        command = [sys.executable, "-c", program, str(written("mobile", "uint8_rgba")), str(side)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
    assert peaks[1] - peaks[0] < 60 and peaks[1] < 300


def test_stylize_imports_onnx_only_for_large_pictures(written: Written) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from impasto.configs.schema.stylize import TilesConfig; from impasto.export.inference.model import Model\n"
        "from impasto.models.image.picture import Picture\n"
        "model = Model(Path(sys.argv[1]), 1, TilesConfig(0.01, 64, 'exact', 1.0, 0))\n"
        "model.stylize(Picture(np.zeros((99, 99, 3), np.uint8)))\n"
        "assert not {'torch', 'onnx'} & set(sys.modules)\n"
        "model.stylize(Picture(np.zeros((99, 109, 3), np.uint8)))\n"
        "assert 'onnx' in sys.modules and 'torch' not in sys.modules\n"
    )
    path = written("mobile", "uint8_rgba")
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    assert onnx.load(path).graph.node
