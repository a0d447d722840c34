"""Fill the template of a bundle's README."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto.export.bundle.artifacts import BuiltBundle
from impasto.export.bundle.clients import (
    KOTLIN,
    KOTLIN_CONTROLS,
    KOTLIN_LARGE,
    KOTLIN_MEASURE,
    SWIFT,
    SWIFT_CONTROLS,
    SWIFT_LARGE,
    SWIFT_MEASURE,
)
from impasto.export.contract import Label, Tolerance, sentence
from impasto.export.validation.parity import ParityResult

_ANDROID, _SMALLEST = "android/model.onnx", "android/model.int8.onnx"
_LIBRARY = "com.microsoft.onnxruntime:onnxruntime-android:1.29.0"  # the version that tests/export/clients runs

# Descriptions by pattern of a path, in the order of the table. No path matches two patterns.
_FILES = {
    _ANDROID: "for ONNX Runtime 1.14 and later, 32-bit floats: the reference",
    "android/model.fp16.onnx": "the same with weights stored in 16 bits; computes in 32",
    _SMALLEST: "the same with weights stored in 8 bits; computes in 32: **the smallest, use this one**",
    "android/model.ort": "`model.onnx` in ONNX Runtime's own format, which a reduced build of the library requires",
    r"android/.*\.config": "the operators that such a build must include (`build.py --include_ops_by_config`)",
    KOTLIN: "runs the file on a `Bitmap`: copy it into the app",
    KOTLIN_CONTROLS: "strength, colors and masks, for this client and the next",
    "android/stats.onnx": "for large photos: measures the statistics of a photo; weights stored in 16 bits",
    "android/tile.onnx": "stylizes a tile of that photo with these statistics",
    KOTLIN_LARGE: "runs these two files on a `Bitmap` of any size",
    KOTLIN_MEASURE: "required by StyleTransferLarge.kt",
    r"ios/Model_\d+x\d+\.mlpackage": "for Core ML on iOS 16 and later, of one fixed size, in 16-bit floats",
    r"ios/Model_\d+x\d+_int8\.mlpackage": "the same with weights stored in 8 bits",
    r"ios/Model_ios18\.mlpackage": "for iOS 18: all sizes in one package, as functions that share their weights",
    SWIFT: "runs a package on a `CGImage` or `CVPixelBuffer`: copy it into the app",
    SWIFT_CONTROLS: "strength, colors and masks, for this client and the next",
    SWIFT_LARGE: "runs `android/stats.onnx` and `android/tile.onnx` on a `CGImage` of any size, in ONNX Runtime",
    SWIFT_MEASURE: "required by StyleTransferLarge.swift",
    "golden/": "photos and the network's output for them, as PNG: for your own tests",
    "preview/": "`index.html`: the style in a browser; `impasto-preview bundle=.` serves it",
}


@dataclass(frozen=True)
class _ParityRow:
    """The largest differences of a model over all images and runtimes."""

    file: str
    pictures: int
    max_difference: int
    psnr: str
    allowed: str


def render(label: Label, built: BuiltBundle, files: Mapping[str, int]) -> str:
    """Return the README of a bundle; `files` has the bytes of each file by its path in the bundle."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    onnx = next(model.contract for model in built.models if model.file == _ANDROID)
    sizes = {size for model in built.models for size in model.functions.values()}
    ordered = sorted(sizes, key=lambda size: (size.width * size.height, size.width))
    package = next((size for size in ordered if str(size) == "512x512"), ordered[len(ordered) // 2])
    return environment.get_template("README.md.j2").render(
        label=label,
        files=_file_rows(files),
        contract=sentence(onnx),
        uint8=onnx.inputs[0].type == "uint8",
        model=(_SMALLEST if _SMALLEST in files else _ANDROID).removeprefix("android/"),
        library=_LIBRARY,
        memory=built.graph.memory,
        package=f"Model_{package}",
        sizes=ordered,
        parity=_parity_rows(built.parity),
        runtimes=dict.fromkeys(result.runtime for result in built.parity),
    )


def _file_rows(files: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Path, bytes and description of each described file; a package, golden/ and preview/ are one row each."""
    sizes: Counter[str] = Counter()
    for path, size in files.items():
        folder, *inner = path.split("/")
        sizes[f"{folder}/" if f"{folder}/" in _FILES else "/".join([folder, *inner[:1]])] += size
    return [
        (path, size, description)
        for pattern, description in _FILES.items()
        for path, size in sizes.items()
        if re.fullmatch(pattern, path)
    ]


def _parity_rows(parity: Sequence[ParityResult]) -> list[_ParityRow]:
    by_file: dict[str, list[ParityResult]] = {}
    for result in parity:
        by_file.setdefault(result.file, []).append(result)
    return [
        _ParityRow(
            file,
            pictures=len({result.picture for result in results}),
            max_difference=max(result.max_difference for result in results),
            psnr=_lowest_psnr(results),
            allowed=_allowed(results[0].tolerance),
        )
        for file, results in by_file.items()
    ]


def _lowest_psnr(results: Sequence[ParityResult]) -> str:
    values = [result.psnr for result in results if result.psnr is not None]
    return f"{min(values):.1f} dB" if values else "identical"


def _allowed(tolerance: Tolerance) -> str:
    if tolerance.max_difference is not None:
        return f"{tolerance.max_difference} at most"
    return f"{tolerance.min_psnr:g} dB or more"
