"""The page as an app: on a plain web host, offline, in two tabs, and updated."""

from pathlib import Path

import numpy as np
import pytest

from impasto.configs.cli.app import compose
from impasto.export.commands import app
from impasto.export.test_images import picture
from impasto.models.image.decode import read
from tests.helpers.heavy import tool
from tests.helpers.stylize import save
from tests.helpers.webapp import drive


@pytest.mark.heavy
def test_page_on_a_plain_host_works_offline_in_two_tabs_and_updates(tmp_path: Path) -> None:
    models = ["zoo/starry_night/tiny", "zoo/udnie/tiny", "zoo/great_wave/tiny"]
    tools = tool("onnxruntime-web").parents[1]
    for name, count in ("first", 2), ("second", 3):
        line = [f"models=[{','.join(models[:count])}]", f"output={tmp_path / name}", f"tools_dir={tools}"]
        app.task(compose("app", line))
    save(tmp_path / "photo.jpg", np.ascontiguousarray(picture(256, 256)[:120, :90]), quality=95)
    report = drive("drive_installed.mjs", "http://unused/", tmp_path)
    assert report["isolated"] and report["offlineIsolated"]  # by the service worker, since the host sends no headers
    assert report["outside"] == [] and "ONNX Runtime WASM" in report["note"]
    assert report["manifest"]["start_url"] == "./" and report["manifest"]["display"] == "standalone"
    assert report["offline"] == "photo-starry_night.png" and report["twoTabs"] == ["photo-starry_night.png"] * 2
    names = ["", "starry_night", "udnie"]
    (before, old), (after, new) = report["before"], report["after"]
    assert before == report["unchanged"] == names and after == [*names, "great_wave"]
    assert len(old) == len(new) == 1 and old != new
    first = read(tmp_path / "offline.png").rgb
    for name in ("one.png", "two.png"):
        assert np.array_equal(read(tmp_path / name).rgb, first)
