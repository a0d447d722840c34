"""What the page takes: broken and foreign files, the camera, videos, and photos of 12 megapixels."""

import re
from pathlib import Path

import numpy as np
import pytest

from impasto.export.test_images import picture
from impasto.models import zoo
from impasto.models.image.decode import read
from impasto.models.image.picture import resize
from tests.helpers.stylize import run_stylize, save
from tests.helpers.videos import read_video, write_video
from tests.helpers.webapp import drive, page

MEGABYTES = 1500  # the most memory that a photo of 12 megapixels may need
SIZE = 3000, 4000


def write_camera(path: Path, frames: int = 8, side: int = 240) -> None:
    """Write what a fake camera shows, as YUV4MPEG2: stripes that move."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{side * 4 // 3} H{side} F10:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(frames):
            light = np.add.outer(np.arange(side), np.arange(side * 4 // 3) + 16 * number) // 8 % 2 * 160 + 40
            color = np.full((side // 2, side * 2 // 3), 90 + 10 * number)
            file.write(b"FRAME\n" + b"".join(plane.astype(np.uint8).tobytes() for plane in (light, color, 255 - color)))


@pytest.mark.heavy
def test_page_with_files_camera_video_and_a_large_photo(tmp_path: Path) -> None:
    rgb = np.ascontiguousarray(picture(256, 256))
    data = save(tmp_path / "whole.jpg", rgb, quality=95).read_bytes()
    (tmp_path / "broken.jpg").write_bytes(data[:200])
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    save(tmp_path / "small.png", rgb[:9, :9])
    save(tmp_path / "tiny.png", rgb[:40, :60])
    save(tmp_path / "large.png", resize(rgb, SIZE))
    (tmp_path / "broken.mp4").write_bytes(bytes(99))
    write_video(tmp_path / "video.webm")
    write_camera(tmp_path / "camera.y4m")
    with page("zoo/starry_night/tiny", "zoo/udnie/tiny") as url:
        report = drive("drive_inputs.mjs", url, tmp_path)
    errors = report["errors"]
    assert all(errors[name].startswith(f"This browser cannot read {name}.") for name in ("broken.jpg", "text.jpg"))
    assert errors["photo.heic"].startswith("This browser cannot read HEIC photos such as photo.heic; Safari can.")
    assert re.fullmatch(r"The photo has 9 . 9 pixels\. Choose one of at least 16 . 16\.", errors["small.png"])
    assert report["stillPainted"] == 1  # the photo before is still there

    assert report["later"] == [60, 40]
    assert re.match(r"[\d.]+ fps, \d+ . \d+$", report["rate"]) and report["taken"].endswith("-udnie.png")
    assert read(tmp_path / "camera.png").rgb.shape == (240, 320, 3) and report["strip"] == 1
    assert report["tabs"] == ["tab-strength", "tab-strokes"]
    assert report["denied"].startswith("The camera may not be used.") and report["deniedStrip"] == 1

    assert report["brokenVideo"] == "The file is damaged, or not a video that this browser can read."
    assert "painted, " in report["progress"] and report["videoClosed"] == 0 and report["videoError"] == ""
    assert report["video"] == "video-udnie.webm"
    painted, original = read_video(tmp_path / report["video"]), read_video(tmp_path / "video.webm")
    assert len(painted.frames) == len(original.frames) and len(painted.audio) > 0
    before, after = (np.mean([np.mean(f, axis=(0, 1)) for f in video.frames], axis=0) for video in (original, painted))
    assert np.abs(np.diff(before) - np.diff(after)).max() < 12

    assert report["shown"] == [1440, 1080] and report["canceled"] == [0, True]
    assert report["memory"] < MEGABYTES
    run_stylize(zoo.resolve("zoo/udnie/tiny", ".onnx"), tmp_path / "large.png", tmp_path / "expected.png")
    expected, saved = read(tmp_path / "expected.png").rgb, read(tmp_path / "painted.png").rgb
    assert saved.shape == (*SIZE, 3)
    found = np.abs(saved.astype(np.int16) - expected)
    assert found.max() <= 2 and (found > 1).mean() < 1e-5
