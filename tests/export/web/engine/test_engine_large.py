"""Large photos in the engine of the page: tiles, memory, and how a run ends early or goes wrong."""

import json
from pathlib import Path

import onnx
import pytest
from PIL import Image

from impasto.export.contract import Tolerance
from impasto.export.onnx_graph import tiled_pair
from impasto.export.test_images import picture
from impasto.models import zoo
from impasto.models.image.decode import read
from tests.helpers.onnx_models import model
from tests.helpers.stylize import run_stylize, save
from tests.helpers.web_engine import NO_GPU, difference, rgba, serving, site_of, with_tiles

MOBILE = zoo.resolve("zoo/starry_night", ".onnx")
SIZE = 1303, 1501  # more than the engine runs at once


@pytest.fixture
def pair(tmp_path: Path, trained_file: Path) -> dict[str, bytes]:
    """The two files for tiles of the trained network."""
    (tmp_path / "pair" / "android").mkdir(parents=True)
    tiled_pair.write(onnx.load(trained_file), tmp_path / "pair", 256, Tolerance(max_difference=2))
    names = {"stats.onnx": tiled_pair.STATS, "tile.onnx": tiled_pair.TILE}
    return {name: (tmp_path / "pair" / path).read_bytes() for name, path in names.items()}


@pytest.mark.heavy
def test_engine_in_tiles_gives_the_picture_of_impasto_stylize(
    pair: dict[str, bytes], trained_file: Path, tmp_path: Path
) -> None:
    height, width = SIZE
    rgb = picture(height, width)
    files = {"model.onnx": trained_file.read_bytes(), "large": rgba(rgb), **pair}
    style = {"onnx": "model.onnx", "stats": "stats.onnx", "tile": "tile.onnx"}
    cases = {"prefer": "wasm", "style": style, "cases": [{"name": "native", "strokeResolution": "native"}]}
    folder = site_of(tmp_path / "site", files, cases | {"picture": {"file": "large", "width": width, "height": height}})
    with_tiles(folder)
    with serving(folder) as site:
        result = site.run("cases", *NO_GPU)
    assert not result["console"] and site.fetched(".onnx") == ["stats.onnx", "tile.onnx"]
    target = tmp_path / "expected.png"
    settings = "stroke_resolution=native", "tiles.statistics=thumbnail", f"tiles.thumbnail_mp={(1 << 20) / 1e6}"
    run_stylize(trained_file, save(tmp_path / "photo.png", rgb), target, *settings)
    found = site.pixels("native", (height, width))
    assert difference(found, read(target).rgb).max() <= 3
    assert difference(found, read(target).rgb).mean() < 0.2  # weights of 16 bits


@pytest.mark.heavy
def test_engine_reports_what_is_wrong_by_codes(pair: dict[str, bytes], trained_file: Path, tmp_path: Path) -> None:
    height, width = SIZE
    files = {"model.onnx": trained_file.read_bytes(), "large": rgba(picture(height, width)), **pair}
    files["fixed.onnx"] = model(tmp_path / "fixed.onnx", shape=[1, 64, 64, 4]).read_bytes()
    styles = [{"onnx": "model.onnx", "stats": "stats.onnx", "tile": "tile.onnx"}, {"onnx": "model.onnx"}]
    large = {"file": "large", "width": width, "height": height}
    folder = site_of(tmp_path / "site", files, {"styles": styles, "picture": large})
    with_tiles(folder)
    with serving(folder) as site:
        result = site.run("failures", *NO_GPU)
    assert result["canceled"][0] == result["early"][0] == "AbortError"
    assert result["seen"][:2] == ["1/72", "2/72"] and len(result["seen"]) < 5
    assert result["again"] == result["after"] == 74  # the engine still works after each of them
    assert result["fixed"][1] == "engine.memory"
    assert [result[key][1] for key in ("missing", "damaged", "short")] == ["engine.style"] * 3
    assert "absent.onnx" in result["missing"][2]
    assert result["closed"][1] == "engine.closed"


@pytest.mark.heavy
@pytest.mark.parametrize(("resolution", "width"), [(768, 4000), (None, 4620), ("native", 4000)])
def test_photo_of_12_megapixels_needs_less_than_1500_mb(
    resolution: int | str | None, width: int, pair: dict[str, bytes], trained_file: Path, tmp_path: Path
) -> None:
    height = 12_000_000 // width  # 4:3, or 16:9, of which the network runs the most pixels at once
    Image.fromarray(picture(height, width)).save(tmp_path / "large.jpg", quality=90)
    files = {"model.onnx": trained_file.read_bytes() if resolution == "native" else MOBILE.read_bytes(), **pair}
    files["large.jpg"] = (tmp_path / "large.jpg").read_bytes()
    style = {"onnx": "model.onnx", "stats": "stats.onnx", "tile": "tile.onnx"}
    asked = "native" if resolution == "native" else "auto"
    folder = site_of(tmp_path / "site", files, {"style": style, "resolution": asked})
    with_tiles(folder)
    if resolution != "native":
        described = json.loads((folder / "cases.json").read_text())
        described["style"]["stroke_resolution"] = resolution  # as in the zoo, where one painting has none
        (folder / "cases.json").write_text(json.dumps(described))
    with serving(folder) as site:
        result = site.run("large", *NO_GPU, timeout=500)
    print(result)
    assert not result["console"]
    small = [[round(side * width / height), side] for side in (128, 512)]
    assert [size[:2] for size in result["sizes"]] == [*small, [width, height], [width, height]]
    assert result["memory"] < 1500
