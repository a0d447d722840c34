"""Fill a bundle's folder: export, validate, measure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch

from impasto.configs.errors import CheckFailed
from impasto.configs.schema.export import EMULATORS, RUNTIMES, ExportConfig
from impasto.export import test_images
from impasto.export.bundle import checksummed_json, sample_apps
from impasto.export.bundle.manifest import MEASURED, GraphReport, MemoryEstimate
from impasto.export.contract import ImageSize, ModelArtifact, styled
from impasto.export.formats import FORMATS
from impasto.export.onnx_graph import memory_estimate, op_coverage
from impasto.export.onnx_graph.contracts import ONNX
from impasto.export.runtime import tools_folder
from impasto.export.test_images import Pixels
from impasto.export.validation import latency, runtimes
from impasto.export.validation.checks import Checks
from impasto.export.validation.parity import ParityResult
from impasto.export.validation.suite import Reference, validate
from impasto.models import transform_net
from impasto.models.contract import Label
from impasto.models.onnx_model import IN_BUNDLE
from impasto.models.store import Store

_FOLDERS = {
    "golden/": "photos and the network's output for them, as PNG: for your own tests",
    "preview/": "`index.html`: the page with the styles of this bundle; `impasto-preview bundle=.` serves it",
}
_STYLE_SIZES = (131, 217), (64, 96)  # (height, width) of the golden images of each style of a store
_MEMORY_SIZES = (256, 256), (512, 512), (1024, 1024), (1920, 1080)  # (width, height), for the README


@dataclass(frozen=True)
class Variant:
    """A style of a store, or a blend, in which its models are compared: its name, folder of golden images, weights."""

    name: str
    folder: str
    weights: tuple[float, ...]


@dataclass(frozen=True)
class BuiltBundle:
    """What `fill` wrote and measured; `measured` is None where no sizes were to be measured."""

    models: list[ModelArtifact]
    descriptions: dict[str, str]
    """A line on each file, package or folder by its path in the bundle, in the order of the README."""
    parity: list[ParityResult]
    skipped_runtimes: dict[str, str]
    graph: GraphReport
    measured: latency.Latency | None


def fill(
    network: transform_net.TransformNet | Store,
    folder: Path,
    config: ExportConfig,
    label: Label,
    on_progress: Callable[[str], object],
    variants: Sequence[Variant] = (),
) -> BuiltBundle:
    """Write everything but page, README and manifest into a bundle's folder, and validate it.

    Args:
        network: A network, or a store, in evaluation mode, on the CPU.
        folder: The folder, which exists and is empty.
        config: The configuration.
        label: The style and version for the metadata of the files.
        on_progress: Receives a line on the current step.
        variants: The styles and blends of a store that its models are compared in; none for a network.

    Raises:
        CheckFailed: A file differs from the network by more than its tolerance, or a runtime of
            `config.parity.runtimes` does not run.
    """
    tools = tools_folder(config.tools_dir)
    named = config.parity.runtimes or []
    keys = named or [key for key in RUNTIMES if key not in EMULATORS]
    _require({key: runtimes.missing(runtimes.registry(tools)[key]) for key in named})
    # All are created before any is run, so that one that refuses the configuration does so before any work.
    exporters = {name: form.exporter(config, label) for name, form in FORMATS.items()}
    references = _references(network, variants)
    golden = {place: _write_golden(folder / place, reference) for place, reference in references.items()}
    models: list[ModelArtifact] = []
    descriptions: dict[str, str] = {}
    parity: list[ParityResult] = []
    ran: list[str] = []
    skipped: dict[str, str] = {}
    weights = {variant.folder: variant.weights for variant in variants}
    for name, exporter in exporters.items():
        on_progress(f"writing the {name} files")
        written = exporter.export(network, folder)
        models += written.models
        descriptions |= written.descriptions
        for place, reference in references.items():
            run, checks = _models_in(written.models, weights.get(place)), Checks(fail_fast=True)  # exporting takes long
            validation = validate(folder, run, golden[place], reference, keys, tools, on_progress, checks)
            parity += validation.results
            ran += validation.ran
            skipped |= validation.skipped_runtimes
    _require(runtimes.not_run(named, ran, skipped))
    skipped |= {} if named else runtimes.emulators(models)
    if config.sample:
        sample_apps.write(folder, label)
        descriptions[f"{sample_apps.FOLDER}/"] = sample_apps.DESCRIPTION
    measured = None
    if config.benchmark.sizes != []:
        names = [model.file for model in models if model.format == ONNX and not model.functions]
        measured = latency.measure(folder, names, config.benchmark, on_progress)
        checksummed_json.write(folder / MEASURED, measured.to_json())
    on_progress("counting operators")
    return BuiltBundle(models, descriptions | _FOLDERS, parity, skipped, graph_report(folder / IN_BUNDLE), measured)


def _models_in(models: Sequence[ModelArtifact], weights: tuple[float, ...] | None) -> list[ModelArtifact]:
    """The models of a store that can run with these weights of its styles; all models of a network."""
    if weights is None:
        return [*models]
    return [model for each in models if (model := styled(each, weights)) is not None]


def _references(network: transform_net.TransformNet | Store, variants: Sequence[Variant]) -> dict[str, Reference]:
    """What computes the golden images, by their folders."""
    if not isinstance(network, Store):
        return {test_images.FOLDER: Reference("PyTorch", reference(network))}
    return {
        variant.folder: Reference("PyTorch", reference(network.blend(variant.weights)), variant.name)
        for variant in variants
    }


def _write_golden(folder: Path, reference: Reference) -> list[test_images.GoldenImage]:
    """Write golden images: fewer for each style of a store."""
    sizes = _STYLE_SIZES if reference.style else test_images.SIZES
    images = [test_images.golden_image(reference.stylize, *size, reference.style) for size in sizes]
    test_images.write(folder, images)
    return images


def _require(reasons: Mapping[str, str | None]) -> None:
    """Raise CheckFailed for the first runtime that was asked for by name and has a reason not to run."""
    for key, reason in reasons.items():
        if reason is not None:
            raise CheckFailed(runtimes.demand(key, reason))


def reference(network: transform_net.TransformNet) -> test_images.Stylize:
    """Return a network's rounded float32 output as a function of RGB bytes; CheckFailed where it is not finite."""

    def stylize(rgb: Pixels) -> Pixels:
        with torch.inference_mode():
            output = transform_net.stylize(network, torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
        if not output.isfinite().all():
            size = f"{rgb.shape[1]}x{rgb.shape[0]}"
            raise CheckFailed(f"the output of the network is not finite at {size}; train it again")
        pixels: Pixels = output[0].permute(1, 2, 0).round().clamp(0, 255).numpy().astype(np.uint8)
        return pixels

    return stylize


def graph_report(path: Path) -> GraphReport:
    """Analyze an ONNX file: operators, execution providers, memory by image size."""
    memory = memory_estimate.estimate(path, _MEMORY_SIZES)
    return GraphReport(
        operators=op_coverage.operators(onnx.load(path)),
        execution_providers={"CPU": "yes: it ran here"} | op_coverage.mobile_verdict(path),
        memory=[MemoryEstimate(ImageSize(*size), needed) for size, needed in zip(_MEMORY_SIZES, memory, strict=True)],
    )
