"""What goes into a bundle: the files for each platform, what proves them, and what the manifest says of them."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from impasto.configs.errors import CheckError, RequestError
from impasto.configs.shipping import ExportConfig
from impasto.export import (
    coreml_file,
    golden,
    guide,
    measure,
    memory,
    onnx_file,
    operators,
    pair,
    proof,
    sealed,
    variants,
    web,
)
from impasto.export.golden import Pixels
from impasto.export.label import Label, onnx_contract
from impasto.export.manifest import MEASURED
from impasto.export.parity import Bound, Row
from impasto.export.proof import Say, Shipped
from impasto.export.runtimes import at_hand
from impasto.models import networks
from impasto.models.exported import IN_BUNDLE
from impasto.models.pictures import UnreadablePicture, find_pictures, read, resize

_PHOTOS = 32  # at most, to calibrate on
_TOLD = (256, 256), (512, 512), (1024, 1024), (1920, 1080)  # sizes whose memory the README tells


@dataclass(frozen=True)
class Contents:
    """What was put into a bundle's folder.

    `lacking` says why a runtime did not run, by its key; `measured` is what stands in MEASURED, if it was asked for.
    """

    android: list[Shipped]
    ios: list[Shipped]
    rows: list[Row]
    lacking: dict[str, str]
    facts: dict[str, Any]
    measured: dict[str, Any] | None


def fill(network: networks.Transformer, folder: Path, config: ExportConfig, label: Label, say: Say) -> Contents:
    """Write everything but README and manifest into `folder`, and prove it. Raises CheckError for a file that fails.

    `network` is in evaluation mode, on the CPU.
    """
    photos, tools = photos_of(config.coreml.photos), Path(config.tools).expanduser()
    stylize = reference(network)
    pictures = [golden.make(stylize, *size) for size in golden.SIZES]
    golden.write(folder / golden.FOLDER, pictures)
    say("writing the ONNX files")
    android = _android(network, folder, config, label)
    say("writing the Core ML packages")
    ios = _ios(network, folder, config, label, photos)
    for caller in guide.CALLERS if config.onnx.io == "pixels" else (guide.SWIFT, guide.SWIFT_CONTROLS):
        shutil.copyfile(Path(__file__).parent / "callers" / Path(caller).name, folder / caller)
    if config.onnx.io == "pixels":
        web.copy_page(folder, tools)
    runtimes = at_hand(config.parity.runtimes, tools, config.onnx.io)
    rows, lacking = proof.onnx(folder, android, pictures, runtimes, say)
    for_large: dict[str, Any] = {}
    if config.onnx.io == "pixels":
        say("writing the pair for large pictures")
        bound = Bound(largest=config.parity.fp16).facts()
        for_large = {"pair": pair.write(onnx.load(folder / IN_BUNDLE), folder, config.onnx.tile) | {"bound": bound}}
        if "onnxruntime" in config.parity.runtimes:
            rows += proof.pair(folder, for_large["pair"], stylize, "PyTorch", say)
    proof.hold(rows)  # before the slow part
    if "coreml" in config.parity.runtimes:
        proof.withstand(folder, ios, say)
        rows += proof.coreml(folder, ios, pictures, stylize, "PyTorch", say)
        proof.hold(rows)
    measured = None
    if config.measure.sizes:
        names = [shipped.file for shipped in android if not shipped.file.endswith(".ort")]
        measured = measure.measure(folder, names, config.measure, say)
        sealed.write(folder / MEASURED, measured)
    say("counting operators")
    return Contents(android, ios, rows, lacking, _facts(folder, config) | for_large, measured)


def reference(network: networks.Transformer) -> golden.Stylize:
    """What a network in evaluation mode makes of RGB bytes, in float32, rounded. CheckError where it is no number."""

    def stylize(rgb: Pixels) -> Pixels:
        with torch.inference_mode():
            pixels = networks.stylize(network, torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
        if not pixels.isfinite().all():
            size = f"{rgb.shape[1]}x{rgb.shape[0]}"
            raise CheckError(f"the network gives values that are no numbers at {size}; train it again")
        bytes_: Pixels = pixels[0].permute(1, 2, 0).round().clamp(0, 255).numpy().astype(np.uint8)
        return bytes_

    return stylize


def _android(network: networks.Transformer, folder: Path, config: ExportConfig, label: Label) -> list[Shipped]:
    path = folder / IN_BUNDLE
    path.parent.mkdir(parents=True)
    onnx_file.write(network, path, config.onnx.io, label)
    model, bounds = onnx.load(path), config.parity
    whole = Bound(largest=bounds.fp32)
    shipped = [Shipped(IN_BUNDLE.as_posix(), "float32", whole, {})]
    for stored, name, bound in (
        (variants.fp16_stored(model), "fp16", Bound(largest=bounds.fp16)),
        (variants.int8_stored(model), "int8", Bound(psnr=bounds.int8_psnr)),
    ):
        file = path.with_suffix(f".{name}.onnx")
        file.write_bytes(stored.SerializeToString(deterministic=True))
        shipped.append(Shipped(file.relative_to(folder).as_posix(), name, bound, {}))
    ort = path.with_suffix(".ort")
    variants.write_ort(path, ort, path.with_suffix(".required_operators.config"))
    return [*shipped, Shipped(ort.relative_to(folder).as_posix(), "float32", whole, {})]


def _ios(
    network: networks.Transformer, folder: Path, config: ExportConfig, label: Label, photos: list[Pixels]
) -> list[Shipped]:
    place = folder / "ios"
    place.mkdir()
    bounds = {"fp16": Bound(psnr=config.parity.coreml_psnr), "int8": Bound(psnr=config.parity.coreml_int8_psnr)}
    packages = coreml_file.write_all(network, place, config.coreml.shapes(), label, photos)
    return [
        Shipped(f"ios/{package.name}", package.weights, bounds[package.weights], dict(package.functions))
        for package in packages
    ]


def photos_of(folder: str | None) -> list[Pixels]:
    """Some photos of a folder to calibrate on, 256 px at their short side, cut to multiples of 4."""
    if folder is None:
        return []
    paths = find_pictures(Path(folder).expanduser()) if Path(folder).expanduser().is_dir() else []
    if not paths:
        raise RequestError(f"coreml.photos={folder} holds no pictures; name a folder of photos")
    step = -(-len(paths) // _PHOTOS)
    photos = []
    for path in paths[::step]:
        with suppress(UnreadablePicture):
            photos.append(resize(read(path).rgb, 256))
    return [rgb[: rgb.shape[0] // 4 * 4, : rgb.shape[1] // 4 * 4] for rgb in photos]


def _facts(folder: Path, config: ExportConfig) -> dict[str, Any]:
    """What the manifest says of the ONNX file: contract, operators, execution providers, memory by size."""
    path = folder / IN_BUNDLE
    return {
        "contract": onnx_contract(config.onnx.io),
        "operators": operators.operators(onnx.load(path)),
        "execution_providers": {"CPU": "yes: it ran here"} | operators.mobile_verdict(path),
        "memory": [
            {"width": width, "height": height, "bytes": needed}
            for (width, height), needed in zip(_TOLD, memory.needed(path, _TOLD), strict=True)
        ],
    }
