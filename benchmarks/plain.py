"""The plain way, for comparison: each picture whole through ONNX Runtime, one after another, in one thread of control.

Run: .venv/bin/python benchmarks/plain.py MODEL.onnx INPUT OUTPUT, with a folder of photos and a folder, or a video and
an .mp4. What a script of an afternoon leaves out is left out: EXIF, profiles, sound, colour tags, rotation.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

Paint = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def painter(model: Path) -> Paint:
    """From RGB bytes [H, W, 3] to RGB bytes, by an exported file with ONNX Runtime's own defaults."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # no warnings
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def paint(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
        return session.run(["stylized"], {"image": rgba[None]})[0][0, ..., :3]

    return paint


def photos(paint: Paint, source: Path, target: Path) -> None:
    """Each JPEG of a folder."""
    from PIL import Image

    target.mkdir()
    for photo in sorted(source.iterdir()):
        with Image.open(photo) as image:
            stylized = paint(np.asarray(image.convert("RGB")))
        Image.fromarray(stylized).save(target / photo.name, quality=95, subsampling=0)


def video(paint: Paint, source: Path, target: Path) -> None:
    """Each frame of a video, to H.264."""
    import av

    with av.open(str(source)) as clip, av.open(str(target), "w") as out:
        given = clip.streams.video[0]
        made: Any = out.add_stream("libx264", rate=given.average_rate, options={"crf": "20"})
        made.width, made.height, made.pix_fmt = given.width, given.height, "yuv420p"
        for frame in clip.decode(given):
            stylized = paint(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            out.mux(made.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(stylized), "rgb24")))
        out.mux(made.encode(None))


def main(model: str, source: str, target: str) -> None:
    """Stylize a folder or a video."""
    way = photos if Path(source).is_dir() else video
    way(painter(Path(model)), Path(source), Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
