"""Fill the template of a bundle's README."""

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from impasto.configs.schema.stylize import DEFAULT_STROKE_RESOLUTION
from impasto.export import client_files
from impasto.export.bundle import sample_apps
from impasto.export.bundle.artifacts import BuiltBundle
from impasto.export.bundle.licenses import License
from impasto.export.bundle.manifest import Store
from impasto.export.contract import Tolerance
from impasto.export.coreml.contracts import COREML
from impasto.export.litert.contracts import LITERT
from impasto.export.onnx_graph.contracts import NPU_FILE
from impasto.export.validation.parity import ParityResult
from impasto.models.contract import Label, sentence

_ANDROID, _SMALLEST = "android/model.onnx", "android/model.int8.onnx"
_LIBRARY = "com.microsoft.onnxruntime:onnxruntime-android:1.29.0"  # the version that tests/export/clients runs


@dataclass(frozen=True)
class _ParityRow:
    """The largest differences of a model over all images and the runtimes of one tolerance."""

    model: str
    """Its file, and the runtime where the tolerance depends on that."""
    pictures: int
    max_difference: int
    psnr: str
    allowed: str


def render(
    label: Label,
    built: BuiltBundle,
    files: Mapping[str, int],
    licenses: Sequence[License],
    store: Store | None = None,
) -> str:
    """Return the README of a bundle.

    Args:
        label: The style, or the styles of a store.
        built: What was written and measured.
        files: The bytes of each file by its path in the bundle.
        licenses: The licenses.
        store: What the manifest says of a store; None for a network of one painting.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    onnx = next(model.contract for model in built.models if model.file == _ANDROID)
    sizes = {size for model in built.models if model.format == COREML for size in model.functions.values()}
    ordered = sorted(sizes, key=lambda size: (size.width * size.height, size.width))
    short = label.stroke_resolution or 512  # the package of that size is the one that phones run fast
    package = min(ordered, key=lambda size: (abs(min(size.width, size.height) - short), size.width), default=None)
    template = "README.md.j2" if store is None else "STORE.md.j2"
    return environment.get_template(template).render(
        **({} if store is None else _store(label, store, built, files)),
        label=replace(label, style=_plain(label.style), artist=_plain(label.artist)),
        slug=sample_apps.slug(label.style),
        files=_file_rows(built.descriptions, files),
        contract=sentence(onnx),
        uint8=onnx.inputs[0].type == "uint8",
        strokes=label.stroke_resolution or DEFAULT_STROKE_RESOLUTION,
        parts=[name.removeprefix("android/") for name in client_files.KOTLIN_REQUIRED],
        model=(_SMALLEST if _SMALLEST in files else _ANDROID).removeprefix("android/"),
        library=_LIBRARY,
        swift_parts=[name.removeprefix("ios/") for name in client_files.SWIFT_REQUIRED],
        memory=built.graph.memory,
        litert=next((model for model in built.models if model.format == LITERT), None),
        npu=next((model.functions["main"] for model in built.models if model.file == NPU_FILE), None),
        package=f"Model_{package}",
        sizes=ordered,
        parity=_parity_rows(built.parity),
        licenses=[
            [_plain(text) for text in (row.part, row.title, row.author, row.source, row.license)] for row in licenses
        ],
        runtimes=dict.fromkeys(result.runtime for result in built.parity),
    )


def _store(label: Label, store: Store, built: BuiltBundle, files: Mapping[str, int]) -> dict[str, Any]:
    """What the README of a store says of its styles."""
    styles = [
        vars(style) | {"name": _plain(style.name), "artist": _plain(named.artist)}
        for named, style in zip(label.styles, store.styles, strict=True)
    ]
    packages = [model for model in built.models if model.format == COREML and len(model.contract.inputs) > 1]
    first = store.styles[0]
    return {
        "styles": styles,
        "blends": [Path(package.file).name for package in packages],
        "style_bytes": files[first.file],
        "single_bytes": files["android/style.onnx"],
    }


def _plain(text: str) -> str:
    """A text whose characters stand for themselves in Markdown: it adds no HTML, links, images, emphasis or cells."""
    return re.sub(r"[\\`*\[\]|~]", r"\\\g<0>", html.escape(text, quote=False))


def _file_rows(descriptions: Mapping[str, str], files: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Path, bytes and description of each described file, package or folder that the bundle contains."""
    rows = []
    for path, description in descriptions.items():
        inside = f"{path.removesuffix('/')}/"
        sizes = [size for name, size in files.items() if name == path or name.startswith(inside)]
        if sizes:
            rows.append((path, sum(sizes), description))
    return rows


def _parity_rows(parity: Sequence[ParityResult]) -> list[_ParityRow]:
    groups: dict[tuple[str, Tolerance], list[ParityResult]] = {}
    for result in parity:
        groups.setdefault((result.file, result.tolerance), []).append(result)
    counts = Counter(file for file, _ in groups)
    return [
        _ParityRow(
            f"`{file}`" + (f" in {', '.join({row.runtime: None for row in results})}" if counts[file] > 1 else ""),
            pictures=len({result.picture for result in results}),
            max_difference=max(result.max_difference for result in results),
            psnr=_lowest_psnr(results),
            allowed=_allowed(tolerance),
        )
        for (file, tolerance), results in groups.items()
    ]


def _lowest_psnr(results: Sequence[ParityResult]) -> str:
    values = [result.psnr for result in results if result.psnr is not None]
    return f"{min(values):.1f} dB" if values else "identical"


def _allowed(tolerance: Tolerance) -> str:
    if tolerance.max_difference is not None:
        return f"{tolerance.max_difference} at most"
    return f"{tolerance.min_psnr:g} dB or more"
