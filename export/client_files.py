"""The Kotlin and Swift files that a bundle includes, by their paths in it, and the rules for shrinking Android apps."""

import shutil
from collections.abc import Iterable
from pathlib import Path

KOTLIN, SWIFT = "android/StyleTransfer.kt", "ios/StyleTransfer.swift"
KOTLIN_LARGE, SWIFT_LARGE = "android/StyleTransferLarge.kt", "ios/StyleTransferLarge.swift"
KOTLIN_CONTROLS, SWIFT_CONTROLS = "android/StyleTransferControls.kt", "ios/StyleTransferControls.swift"
KOTLIN_STATISTICS, SWIFT_STATISTICS = "android/StyleTransferStatistics.kt", "ios/StyleTransferStatistics.swift"
SWIFT_TILING = "ios/StyleTransferTiling.swift"
KOTLIN_BITMAPS, SWIFT_BITMAPS = "android/StyleTransferBitmaps.kt", "ios/StyleTransferBitmaps.swift"
KOTLIN_STROKES, SWIFT_STROKES = "android/StyleTransferStrokes.kt", "ios/StyleTransferStrokes.swift"
KOTLIN_GRAIN, SWIFT_GRAIN = "android/StyleTransferGrain.kt", "ios/StyleTransferGrain.swift"
KOTLIN_PARTS = tuple(
    f"android/StyleTransfer{part}.kt" for part in ("Pipeline", "Accelerators", "Networks", "Concurrency")
)
KOTLIN_LITERT = "android/StyleTransferLiteRt.kt"
SWIFT_PARTS = tuple(f"ios/StyleTransfer{part}.swift" for part in ("Models", "Renderer", "Queue"))
KOTLIN_REQUIRED = (*KOTLIN_PARTS, KOTLIN_BITMAPS, KOTLIN_CONTROLS, KOTLIN_STROKES, KOTLIN_GRAIN)
"""What StyleTransfer.kt requires."""
SWIFT_REQUIRED = (*SWIFT_PARTS, SWIFT_BITMAPS, SWIFT_CONTROLS, SWIFT_STROKES, SWIFT_GRAIN)
"""What StyleTransfer.swift requires."""
KOTLIN_PHOTOS, KOTLIN_FRAMES = "android/StyleTransferPhotos.kt", "android/StyleTransferFrames.kt"
KOTLIN_CAMERA, KOTLIN_VIDEO = "android/StyleTransferCamera.kt", "android/StyleTransferVideo.kt"
SWIFT_FRAMES, SWIFT_VIDEO = "ios/StyleTransferFrames.swift", "ios/StyleTransferVideo.swift"
KOTLIN_STORE, SWIFT_STORE = "android/StyleTransferStore.kt", "ios/StyleTransferStore.swift"
SHRINKER_RULES = "android/consumer-rules.pro"
GRADLE_MODULE = ("android/build.gradle.kts", "android/AndroidManifest.xml")
SWIFT_PACKAGE = "ios/Package.swift"
CLIENTS = (
    *(KOTLIN, *KOTLIN_REQUIRED),
    *(KOTLIN_LITERT, KOTLIN_PHOTOS, KOTLIN_FRAMES, KOTLIN_CAMERA, KOTLIN_VIDEO, KOTLIN_LARGE, KOTLIN_STATISTICS),
    *(SWIFT, *SWIFT_REQUIRED),
    *(SWIFT_FRAMES, SWIFT_VIDEO, SWIFT_LARGE, SWIFT_STATISTICS, SWIFT_TILING),
)
STORE_CLIENTS = (KOTLIN_STORE, SWIFT_STORE)
"""What the bundle of a store has besides."""

_SOURCES = Path(__file__).with_name("clients")
_LANGUAGES = {"android": "kotlin", "ios": "swift"}


def copy(names: Iterable[str], bundle: Path) -> None:
    """Copy clients, or other files of their modules, into a bundle; their folders exist."""
    for name in map(Path, names):
        shutil.copyfile(_SOURCES / _LANGUAGES[name.parts[0]] / name.name, bundle / name)
