"""The compiled Kotlin clients, and the models and photos that they run on."""

from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from impasto.export.contract import Tolerance
from impasto.export.onnx_graph import tiled_pair
from tests.helpers import android
from tests.helpers.bundles import Written
from tests.helpers.client_cases import CASES_BY_NAME, GRAIN, STROKES, TILING, mask_of, photo_of

NPU_SIZE = (96, 64)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory, written: Written) -> Path:
    """A folder with the Kotlin clients, the models with and without stroke resolution and grain, and all photos.

    The Java bindings are those of the Android library, with ONNX Runtime for Linux of the same version.
    """
    folder = tmp_path_factory.mktemp("kotlin")
    android.compile_all(folder)
    (folder / "model.onnx").write_bytes(written("mobile", "uint8_rgba").read_bytes())
    (folder / "model.npu.onnx").write_bytes(_fixed(written("mobile", "float32_rgb"), NPU_SIZE))
    (folder / "android").symlink_to(folder)
    pair = tiled_pair.write(onnx.load(folder / "model.onnx"), folder, TILING.side, Tolerance(max_difference=2)).tiling
    assert pair is not None and replace(pair, stats_contract=TILING.stats_contract) == TILING
    (folder / "strokes").mkdir()
    for path in map(folder.joinpath, ("model.onnx", "stats.onnx", "tile.onnx")):
        model = onnx.load(path)
        properties = {item.key: item.value for item in model.metadata_props}
        onnx.helper.set_model_props(model, properties | {"stroke_resolution": str(STROKES), "grain": f"{GRAIN:g}"})
        onnx.save(model, folder / "strokes" / path.name)
    for name in CASES_BY_NAME:
        (folder / f"{name}.rgba").write_bytes(photo_of(name).tobytes())
        if (mask := mask_of(name)) is not None:
            (folder / f"{name}.mask").write_bytes(mask.tobytes())
    return folder


def _fixed(path: Path, size: tuple[int, int]) -> bytes:
    """Return a network of floats, as a file for images of one size, (width, height)."""
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        dimensions[2].dim_value, dimensions[3].dim_value = size[1], size[0]
    return model.SerializeToString()


@pytest.fixture(scope="session")
def kotlin(compiled: Path) -> tuple[Path, dict[str, str]]:
    """Run the Kotlin clients on every case; return the folder of the results, and the printed lines by name."""
    done = android.run_cases(compiled, compiled, CASES_BY_NAME, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    (compiled / "printed.txt").write_text(done.stdout)
    return compiled, dict(line.split(": ", 1) for line in done.stdout.splitlines())
