"""The viewfinder and videos in a real browser, with a fake camera and files that FFmpeg wrote."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.heavy import tool
from tests.helpers.videos import TIMES, read_video, write_video
from tests.helpers.web_engine import ENGINE, NO_GPU, serving, write_site

RED, BLUE = np.array([200, 30, 30]), np.array([30, 30, 200])
LUMA = np.array([0.299, 0.587, 0.114])
FAKE = "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"


def site(folder: Path, model: bytes, **more: Any) -> Path:
    style = {"name": "style", "stroke_resolution": None, "files": {"onnx": {"url": "model.onnx", "bytes": len(model)}}}
    video = more.pop("video", b"")
    return write_site(
        folder, {"model.onnx": model, "video": video, "cases.json": json.dumps({"style": style, **more}).encode()}
    )


def recording(path: Path) -> Path:
    """Write a video for the fake camera, 640x480: the left half red, the right half blue."""
    rgb = np.zeros((480, 640, 3)) + RED
    rgb[:, 320:] = BLUE
    red, green, blue = rgb.transpose(2, 0, 1)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = y, (128 + 0.564 * (blue - y))[::2, ::2], (128 + 0.713 * (red - y))[::2, ::2]
    frame = b"FRAME\n" + b"".join(plane.round().astype(np.uint8).tobytes() for plane in planes)
    path.write_bytes(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n" + 4 * frame)
    return path


def near(found: list[int], color: Any) -> bool:
    return bool(np.abs(np.array(found) - color).max() < 40)


@pytest.mark.heavy
def test_camera_mirrors_the_front_camera_and_its_photo_is_whole_and_not_mirrored(
    inverter: Path, tmp_path: Path
) -> None:
    file = f"--use-file-for-fake-video-capture={recording(tmp_path / 'camera.y4m')}"
    with serving(site(tmp_path / "site", inverter.read_bytes(), real=False, strokes=0.5, keepColors=True)) as served:
        result = served.run("camera", *NO_GPU, *FAKE, file)
    assert not result["console"]
    assert result["front"]["facing"] == "user"
    left, right = result["front"]["corners"]
    assert near(left, BLUE) and near(right, RED)
    assert result["photo"] == [640, 480]
    left, right = result["still"]
    assert near(left, RED) and near(right, BLUE)
    assert result["turned"][0] == "done" and result["back"]["facing"] == "environment"
    left, right = result["back"]["corners"]
    assert near(left, RED) and near(right, BLUE)
    assert result["late"] == 0
    assert all((half, colors) == (height / 2, True) for height, half, colors in result["asked"])
    assert result["stats"][0]["height"] == 192 and all(96 <= one["height"] <= 480 for one in result["stats"])


@pytest.mark.heavy
def test_pace_takes_the_largest_size_of_15_frames_a_second() -> None:
    script = """
        const { Pace } = await import(process.argv[1])
        const first = new Pace().frame(performance.now() + 500)
        const results = [[0.1, 1], [1, 1], [1, 0.5], [8, 1]].map(([speed, share]) => {  // share of the sides
          const pace = new Pace(), sides = [pace.side]
          let now = 0, last = 0
          for (let i = 0; i < 400; i++) {
            const cost = pace.side ** 2 / 1000 / speed  // ms, as the pixels
            pace.frame(now += cost * share ** 2 + 2, cost)
            if (sides.at(-1) !== pace.side) last = i + 1, sides.push(pace.side)
          }
          return [last, sides]
        })
        console.log(JSON.stringify([...results, first]))
    """
    line = [str(tool("node")), "--input-type=module", "--eval", script, (ENGINE / "pace.mjs").as_uri()]
    (late, slow), (_, usual), (_, broad), (_, fast), first = json.loads(
        subprocess.run(line, capture_output=True, check=True, timeout=60).stdout
    )
    assert (slow, usual, fast) == ([192, 128, 96], [192, 256], [192, 256, 320, 384, 512, 640])
    assert 1 < first <= 2  # frames a second, from when the viewfinder was opened
    assert late == 8  # frames: four of each size, where they take more than twice their time
    assert broad == usual  # a larger size would make the strokes fine again


@pytest.mark.heavy
def test_camera_paints_its_frames(inverter: Path, tmp_path: Path) -> None:
    file = f"--use-file-for-fake-video-capture={recording(tmp_path / 'camera.y4m')}"
    with serving(site(tmp_path / "site", inverter.read_bytes(), real=True)) as served:
        result = served.run("camera", *NO_GPU, *FAKE, file)
    assert not result["console"]
    left, right = result["front"]["corners"]
    assert near(left, 255 - BLUE) and near(right, 255 - RED)
    assert {one["runtime"] for one in result["stats"]} == {"ONNX Runtime WASM"}
    assert all(one["fps"] > 0 and one["width"] % 8 == one["height"] % 8 == 0 for one in result["stats"])


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("flags", "code"),
    [(("--use-fake-ui-for-media-stream=deny", FAKE[1]), "camera.denied"), ((FAKE[0],), "camera.missing")],
)
def test_camera_that_is_denied_or_missing_has_a_code(
    flags: tuple[str, ...], code: str, inverter: Path, tmp_path: Path
) -> None:
    with serving(site(tmp_path / "site", inverter.read_bytes())) as served:
        assert served.run("noCamera", *NO_GPU, *flags)["outcome"][1] == code


@pytest.mark.heavy
@pytest.mark.parametrize(("suffix", "keep_colors"), [(".webm", False), (".webm", True), (".mp4", False)])
def test_video_keeps_times_and_sound_and_can_be_canceled(
    suffix: str, keep_colors: bool, inverter: Path, tmp_path: Path
) -> None:
    """VP9 with Opus, and H.264 with AAC."""
    source, painted = write_video(tmp_path / f"a{suffix}"), tmp_path / f"b{suffix}"
    described = site(tmp_path / "site", inverter.read_bytes(), video=source.read_bytes(), keepColors=keep_colors)
    with serving(described) as served:
        result = served.run("video", *NO_GPU)
        painted.write_bytes((served.folder / "saved" / "video").read_bytes())
    assert not result["console"] and result["asked"] == [24]
    before, after = read_video(source), read_video(painted)
    assert before.times == after.times == TIMES
    assert after.audio == before.audio and len(after.audio) > 20
    assert result["type"].startswith(f"video/{suffix[1:]}")
    for one, other in zip(np.array(result["decoded"], float), after.frames, strict=True):
        expected = np.clip(one + ((255 - 2 * one) @ LUMA)[..., None], 0, 255) if keep_colors else 255 - one
        change = np.abs(other[12::24, 16::32] - expected).max(axis=2)
        # The upper left quarter becomes darker from frame to frame, and the filter against flicker is late.
        assert change[0, 0] < 24 and change.ravel()[1:].max() < 12
    assert result["shares"][-1] == 1 and result["shares"] == sorted(result["shares"]) and len(result["shares"]) > 3
    assert result["canceled"][0] == "AbortError"
    assert (result["wrong"][1], result["old"][1]) == ("video.unreadable", "video.unsupported")
    assert result["again"] == 32
    assert served.requests.count("runtime/mediabunny.min.mjs") == 1
