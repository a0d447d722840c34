"""A baseline without impasto: a plain loop that runs each picture whole through ONNX Runtime, one after another.

It ignores EXIF, ICC profiles, audio, color tags and rotation.

Run: python -m benchmarks.plain MODEL.onnx INPUT OUTPUT
INPUT and OUTPUT are two folders, or a video and an .mp4 file.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stylize = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Maps RGB [H, W, 3] to RGB [H, W, 3]."""


def load(model: Path) -> Stylize:
    """Load an exported file with ONNX Runtime's own defaults."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # no warnings
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def stylize(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
        return session.run(["stylized"], {"image": rgba[None]})[0][0, ..., :3]

    return stylize


def photos(stylize: Stylize, source: Path, target: Path) -> None:
    """Stylize each JPEG of a folder."""
    from PIL import Image

    target.mkdir()
    for photo in sorted(source.iterdir()):
        with Image.open(photo) as image:
            stylized = stylize(np.asarray(image.convert("RGB")))
        Image.fromarray(stylized).save(target / photo.name, quality=95, subsampling=0)


def video(stylize: Stylize, source: Path, target: Path) -> None:
    """Stylize each frame of a video and encode it as H.264."""
    import av

    with av.open(str(source)) as clip, av.open(str(target), "w") as out:
        stream = clip.streams.video[0]
        output: Any = out.add_stream("libx264", rate=stream.average_rate, options={"crf": "20"})
        output.width, output.height, output.pix_fmt = stream.width, stream.height, "yuv420p"
        for frame in clip.decode(stream):
            stylized = stylize(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            out.mux(output.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(stylized), "rgb24")))
        out.mux(output.encode(None))


def main(model: str, source: str, target: str) -> None:
    """Stylize a folder or a video."""
    process = photos if Path(source).is_dir() else video
    process(load(Path(model)), Path(source), Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:])
