"""The overrides of a small bundle, the description of a model, and that of a bundle which no exporter wrote."""

from collections.abc import Callable
from pathlib import Path

from impasto.export.bundle.artifacts import BuiltBundle
from impasto.export.bundle.manifest import GraphReport, MemoryEstimate
from impasto.export.client_files import (
    CLIENTS,
    SWIFT,
    SWIFT_FRAMES,
    SWIFT_REQUIRED,
    SWIFT_VIDEO,
)
from impasto.export.contract import ImageSize, ModelArtifact, Tolerance
from impasto.export.coreml.contracts import COREML, coreml_contract
from impasto.export.onnx_graph.contracts import ONNX
from impasto.export.validation.parity import ParityResult
from impasto.models.contract import onnx_contract

ANDROID = (
    "model.onnx",
    "model.fp16.onnx",
    "model.int8.onnx",
    "model.ort",
    "model.required_operators.config",
    "consumer-rules.pro",
)
IOS = [f"Model_{name}.mlpackage" for name in ("96x64", "96x64_int8", "512x512", "512x512_int8", "ios18")]
SWIFT_ONLY = (SWIFT, *SWIFT_REQUIRED, SWIFT_FRAMES, SWIFT_VIDEO)

SETTINGS = (
    "onnx.tile=160",
    "onnx.fixed_sizes=[96x64]",
    "onnx.npu_size=96x64",
    "coreml.sizes=[96x64]",
    "litert.sizes=[96x64]",
    "sample=true",
    "licenses.network=MIT",
    "licenses.photos=CC0-1.0",
    "benchmark.sizes=[64x48]",
    "benchmark.threads=[1]",
    "benchmark.repeats=1",
)


Written = Callable[[str, str], Path]


def artifact(path: Path, io: str = "uint8_rgba", max_difference: int = 1) -> ModelArtifact:
    """Describe an ONNX file whose folder stands for a bundle."""
    tolerance = Tolerance(max_difference=max_difference)
    return ModelArtifact(path.name, ONNX, "float32", onnx_contract(io), tolerance, {}, None)


def bytes_in(folder: Path) -> dict[str, bytes]:
    """The contents of everything below a folder, by path; a folder has none."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def _described(io: str, smallest: bool) -> list[str]:
    android = [f"android/{name}" for name in ANDROID if smallest or "int8" not in name]
    return [*android, *([*CLIENTS, "android/stats.onnx", "android/tile.onnx"] if io == "uint8_rgba" else SWIFT_ONLY)]


def file_names(io: str = "uint8_rgba", smallest: bool = True) -> list[str]:
    """The files of the bundle that `built` describes."""
    packages = [f"ios/{name}/{part}" for name in IOS for part in ("Manifest.json", "Data/weights/weight.bin")]
    golden = ["golden/16x90.png", "golden/16x90.stylized.png"]
    return [*_described(io, smallest), *packages, *golden, "preview/index.html"]


def built(io: str = "uint8_rgba", smallest: bool = True, coreml: bool = True) -> BuiltBundle:
    """The description of a bundle of that io, with or without the smallest file and Core ML packages."""
    tolerances = {"android/model.onnx": Tolerance(max_difference=2), f"ios/{IOS[1]}": Tolerance(min_psnr=40.0)}
    parity = [
        ParityResult(file, runtime, picture, "PyTorch", difference, 0.1, 0.1, psnr, tolerance)
        for file, tolerance in tolerances.items()
        for runtime, picture, difference, psnr in (
            *(("A", "1x2", 1, 60.04), ("A", "3x4", 0, None)),
            ("B", "1x2", 2, 57.0),
        )
    ]
    sizes = {f"size_{w}x{h}": ImageSize(w, h) for w, h in ((512, 512), (96, 64), (1024, 1024))}
    exact, near = tolerances.values()
    models = [
        ModelArtifact("android/model.onnx", ONNX, "float32", onnx_contract(io), exact, {}, None),
        ModelArtifact("ios/Model_ios18.mlpackage", COREML, "fp16", coreml_contract(True), near, sizes, None),
    ]
    models = models if coreml else models[:1]
    graph = GraphReport({}, {}, [MemoryEstimate(ImageSize(1920, 1080), 884_400_000)])
    described = [
        *_described(io, smallest),
        *(f"ios/{name}" for name in IOS),
        "golden/",
        "preview/",
        "android/absent.onnx",
    ]
    return BuiltBundle(models, {name: f"what {name} is" for name in described}, parity, {}, graph, None)
