"""The README of a bundle: for an app developer who has this folder and nothing else."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impasto.export.label import Contract, Label, sentence

KOTLIN, SWIFT = "android/StyleTransfer.kt", "ios/StyleTransfer.swift"
KOTLIN_LARGE, SWIFT_LARGE = "android/StyleTransferLarge.kt", "ios/StyleTransferLarge.swift"
KOTLIN_CONTROLS, SWIFT_CONTROLS = "android/StyleTransferControls.kt", "ios/StyleTransferControls.swift"
KOTLIN_MEASURE, SWIFT_MEASURE = "android/StyleTransferMeasure.kt", "ios/StyleTransferMeasure.swift"
CALLERS = KOTLIN, KOTLIN_CONTROLS, KOTLIN_LARGE, KOTLIN_MEASURE, SWIFT, SWIFT_CONTROLS, SWIFT_LARGE, SWIFT_MEASURE
_ANDROID, _SMALLEST = "android/model.onnx", "android/model.int8.onnx"
_LIBRARY = "com.microsoft.onnxruntime:onnxruntime-android:1.29.0"  # what tests/export/test_callers.py runs


@dataclass(frozen=True)
class Facts:
    """What the README tells of a bundle.

    `files` gives the bytes of each file by its path in the bundle, `parity` the rows of the parity table as JSON, with
    the keys file, runtime, picture, largest (0..255), psnr (dB, None where nothing differs) and bound, which is
    `{"largest": 2}` or `{"psnr": 40}`. `memory` holds (width, height, MB) of the ONNX file, and `sizes` (width, height)
    of each size that the Core ML packages work at.
    """

    label: Label
    onnx: Contract
    files: Mapping[str, int]
    parity: Sequence[Mapping[str, Any]]
    memory: Sequence[tuple[int, int, float]]
    sizes: Sequence[tuple[int, int]]


_PAGE = """\
# {style}

A neural network that paints photos in the style *{style}*.
Style by {artist}; licence of the style: {licence}.
Written by impasto {version}.

| file | bytes | what it is |
| --- | ---: | --- |
{files}
| `manifest.json` | | the contract, the SHA-256 of each file, the parity table and the origin, for scripts |
| `measured.json` | | if it was asked for: time and memory on the computer that exported this |

The ONNX file: {contract}.

{promise}

## Android

{android}
{memory}
## iOS

{ios}

## What was checked

{checked}
"""
# What a path is, by a pattern of it, in the order of the table. None fits a path that another one fits.
_FILES = {
    _ANDROID: "for ONNX Runtime 1.14 and later, 32-bit floats: the reference",
    "android/model.fp16.onnx": "the same with weights kept in 16 bits; computes in 32",
    _SMALLEST: "the same with weights kept in 8 bits; computes in 32: **the smallest, take this one**",
    "android/model.ort": "`model.onnx` in ONNX Runtime's own format, which a reduced build of the library asks for",
    r"android/.*\.config": "the operators that such a build must hold (`build.py --include_ops_by_config`)",
    KOTLIN: "runs the file on a `Bitmap`: copy it into the app",
    KOTLIN_CONTROLS: "what this one and the next need for strength, colours and masks",
    "android/stats.onnx": "of the pair for large photos: measures a photo; weights kept in 16 bits",
    "android/tile.onnx": "and this one paints a tile by what was measured",
    KOTLIN_LARGE: "runs the pair on a `Bitmap` of any size",
    KOTLIN_MEASURE: "what it is measured by: goes beside it",
    r"ios/Model_\d+x\d+\.mlpackage": "for Core ML on iOS 16 and later, of one fixed size, in 16-bit floats",
    r"ios/Model_\d+x\d+_int8\.mlpackage": "the same with weights kept in 8 bits",
    r"ios/Model_ios18\.mlpackage": "for iOS 18: every size in one package, as functions that share their weights",
    SWIFT: "runs a package on a `CGImage` or `CVPixelBuffer`: copy it into the app",
    SWIFT_CONTROLS: "what this one and the next need for strength, colours and masks",
    SWIFT_LARGE: "runs the pair of `android/` on a `CGImage` of any size, on ONNX Runtime",
    SWIFT_MEASURE: "what it is measured by: goes beside it",
    "golden/": "photos and what the network makes of them, as PNG: for your own tests",
    "preview/": "`index.html`: the style in a browser; `impasto-preview bundle=.` serves it",
}
_PIXELS_PROMISE = """\
Feed a photo's bytes as they are: scaling of values, padding and rounding are inside the files. Colours are straight,
not premultiplied with alpha; the callers take care of that."""
_FLOATS_PROMISE = """\
Feed RGB values 0..255 to the ONNX file, without any normalisation, and round and clamp its output to 0..255 yourself.
Padding is inside it. The Core ML packages take and give images."""
_MANIFEST = """\
2. Keep ONNX Runtime's telemetry out. From 1.29 on, the library starts it with the app and sends usage data to
   Microsoft. Inside `<application>` in `AndroidManifest.xml` (the root needs
   `xmlns:tools="http://schemas.android.com/tools"`):

   ```xml
   <provider
       android:name="ai.onnxruntime.TelemetryInitializer"
       android:authorities="${applicationId}.onnxruntime_telemetry_initializer"
       tools:node="remove" />
   ```
"""
_CONTROLS = """\
   | control | what it does |
   | --- | --- |
   | `strength` | from 0, the photo itself, to 1, the full style, which is the default |
   | `keepColors` | the brush strokes of the style in the colours of the photo |
   | `mask` | a grey %s of the photo's shape and any size: white is painted, black left as it is, grey mixed |
   | `invertMask` | paints what is black instead, so all but the subject: `%s` |"""
_PIXELS_ANDROID = """\
1. Copy `android/%(model)s` to `src/main/assets/`, and `StyleTransfer.kt` and `StyleTransferControls.kt` from `android/`
   to the app's sources. In `build.gradle.kts`:

   ```kotlin
   android { androidResources { noCompress += "onnx" } }
   dependencies { implementation("%(library)s") }
   ```

%(manifest)s
   `StyleTransfer` turns off what is left of it. If other code of the app uses ONNX Runtime, also call
   `android.system.Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)` first thing in `Application.onCreate()`.
3. Outside the main thread:

   ```kotlin
   val painter = impasto.StyleTransfer(context, "%(model)s")  // once
   val painted = painter.stylize(photo)  // a Bitmap for each Bitmap
   painter.close()  // at the end
   ```

   Any size from 16 pixels a side works, any `Bitmap.Config` too, and transparency is kept. It needs ONNX Runtime 1.17
   or later.

%(controls)s
4. For photos of more than a few megapixels, copy `StyleTransferLarge.kt`, `StyleTransferMeasure.kt` and the pair
   `stats.onnx` and `tile.onnx` from `android/`, too. It paints in tiles, without seams, in memory that stays the same:

   ```kotlin
   val large = impasto.StyleTransferLarge(context)
   val painted = large.stylizeLarge(photo) { done -> show(done) }  // from 0 to 1
   large.close()
   ```

   A tile is normalised by statistics of the whole photo. They are measured on a small copy and some pieces of it, so
   the look comes out a little different from `stylize`; `measured =` sets how many pixels each of both has.
"""
_FLOATS_ANDROID = """\
1. In `build.gradle.kts` add `implementation("%(library)s")` (or another from 1.14 on), and copy `android/%(model)s` to
   `src/main/assets/`.
%(manifest)s
   and at the start of `Application.onCreate()`, before anything touches ONNX Runtime:

   ```kotlin
   android.system.Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
   ```

3. Keep one session, and run it outside the main thread:

   ```kotlin
   // once
   val environment = OrtEnvironment.getEnvironment()
   val session = environment.createSession(context.assets.open("%(model)s").use { it.readBytes() })

   // planes: a direct FloatBuffer of all red, then all green, then all blue values; height and width at least 16
   val shape = longArrayOf(1, 3, height.toLong(), width.toLong())
   OnnxTensor.createTensor(environment, planes, shape).use { image ->
       session.run(mapOf("image" to image)).use { result ->
           val stylized = (result.get(0) as OnnxTensor).floatBuffer  // in the same order
       }
   }
   ```
"""
_MEMORY = """\
Time and memory of `%(model)s` grow with the number of pixels. Weights and the pictures inside the network
take this much, by calculation; ONNX Runtime needs more for its own work, on a computer about twice as much in all:

| size | MB |
| --- | ---: |
%(rows)s
"""
_IOS = """\
1. Drag `%(package)s`, `ios/StyleTransfer.swift` and `ios/StyleTransferControls.swift` into the Xcode project, and tick
   the app's target.
2. Once, outside the main thread:

   ```swift
   let painter = try StyleTransfer(named: "%(name)s")
   ```

3. For each photo, outside the main thread:

   ```swift
   let painted = try painter.stylize(photo)  // a CGImage for each CGImage
   let image = UIImage(cgImage: painted)
   ```

   A photo of a `UIImage` may lie on its side: tell `orientation:`. A `CVPixelBuffer`, as from a camera, works too.

%(controls)s

A package works at a fixed size. `StyleTransfer` stretches the whole photo to that size, and the painted one back to the
photo's own: take the package whose shape is nearest to your photos. Here are %(sizes)s; others come from a new export,
with `coreml.sizes=`.%(large)s"""
_IOS_LARGE = """

For large photos there is `ios/StyleTransferLarge.swift`, with `StyleTransferMeasure.swift` beside it, which paints tile
by tile at the photo's own size. It runs `android/stats.onnx` and `android/tile.onnx` on ONNX Runtime's Swift package,
not on Core ML; how tiles are cut is in `manifest.json`, under `android` and `pair`."""
_CHECKED = """\
Each file was run on a computer, on the pictures in `golden/` or others made like them, and compared with PyTorch, byte
by byte. Colours go from 0 to 255; PSNR is over all bytes, and higher is nearer.

| file | pictures | largest difference | lowest PSNR | allowed |
| --- | ---: | ---: | ---: | ---: |
%(rows)s

- Run in %(runtimes)s.
- A *reference interpreter* computes what a Core ML package says, in its own 16-bit floats; it is not Apple's runtime.
  Core ML itself runs on Apple's systems alone and was **not** run; the Swift callers were parsed, **not** compiled.
%(kotlin)s- Nothing was run or timed on a phone."""
_CHECKED_KOTLIN = """\
- The Kotlin callers are compiled and run by impasto's tests, on a computer, with the Java library of ONNX Runtime
  1.29.0 and a stand-in for Android's `Bitmap`.
"""


def readme(facts: Facts) -> str:
    """The text; the same facts give the same text."""
    pixels = facts.onnx["input"]["type"] == "uint8"
    model = (_SMALLEST if _SMALLEST in facts.files else _ANDROID).removeprefix("android/")
    return _PAGE.format(
        **vars(facts.label),
        files="\n".join(_file_rows(facts.files)),
        contract=sentence(facts.onnx),
        promise=_PIXELS_PROMISE if pixels else _FLOATS_PROMISE,
        android=(_PIXELS_ANDROID if pixels else _FLOATS_ANDROID)
        % {"model": model, "library": _LIBRARY, "manifest": _MANIFEST, "controls": _controls("Bitmap", " =")},
        memory=_MEMORY
        % {
            "model": model,
            "rows": "\n".join(f"| {width}x{height} | {size:,.0f} |" for width, height, size in facts.memory),
        },
        ios=_ios(facts),
        checked=_CHECKED
        % {
            "rows": "\n".join(_parity_rows(facts.parity)),
            "runtimes": "; ".join(dict.fromkeys(str(row["runtime"]) for row in facts.parity)),
            "kotlin": _CHECKED_KOTLIN if pixels else "",
        },
    )


def _file_rows(files: Mapping[str, int]) -> list[str]:
    """A row for each file that has a word; a package, golden and preview are one row each."""
    sizes: Counter[str] = Counter()
    for path, size in files.items():
        folder, *inner = path.split("/")
        sizes[f"{folder}/" if f"{folder}/" in _FILES else "/".join([folder, *inner[:1]])] += size
    return [
        f"| `{path}` | {size:,} | {words} |"
        for pattern, words in _FILES.items()
        for path, size in sizes.items()
        if re.fullmatch(pattern, path)
    ]


def _ios(facts: Facts) -> str:
    sizes = sorted(facts.sizes, key=lambda size: size[0] * size[1])
    width, height = (512, 512) if (512, 512) in sizes else sizes[len(sizes) // 2]
    name = f"Model_{width}x{height}"
    listed = ", ".join(f"{width}x{height}" for width, height in sizes)
    large = _IOS_LARGE if facts.onnx["input"]["type"] == "uint8" else ""
    names = {"package": f"ios/{name}.mlpackage", "name": name, "sizes": listed}
    return _IOS % {**names, "large": large, "controls": _controls("CGImage", ":")}


def _controls(picture: str, sign: str) -> str:
    """The table of what stylize and stylizeLarge take, with an example in the language of that `sign`."""
    return _CONTROLS % (picture, f"stylize(photo, keepColors{sign} true, mask{sign} subject, invertMask{sign} true)")


def _parity_rows(parity: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each file the worst of all pictures and runtimes."""
    by_file: dict[str, list[Mapping[str, Any]]] = {}
    for row in parity:
        by_file.setdefault(row["file"], []).append(row)
    rows = []
    for file, found in by_file.items():
        psnrs = [row["psnr"] for row in found if row["psnr"] is not None]
        psnr = f"{min(psnrs):.1f} dB" if psnrs else "the same"
        bound = found[0]["bound"]
        allowed = f"{bound['largest']} at most" if "largest" in bound else f"{bound['psnr']:g} dB or more"
        pictures = len({row["picture"] for row in found})
        rows.append(f"| `{file}` | {pictures} | {max(row['largest'] for row in found)} | {psnr} | {allowed} |")
    return rows
