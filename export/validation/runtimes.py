"""All runtimes: those of the formats, and programs that run the same files. A bundle's models must agree in each."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from impasto.configs.schema.export import EMULATORS
from impasto.export.contract import ModelArtifact
from impasto.export.formats import FORMATS
from impasto.export.litert.contracts import GPU
from impasto.export.onnx_graph.contracts import QNN
from impasto.export.runtime import Runtime
from impasto.export.validation import litert_gpu, ort_arm64, ort_qnn, ort_web


def registry(tools: Path | None) -> Mapping[str, Sequence[Runtime]]:
    """Return the runtimes by key of parity.runtimes, given the folder that `make tools` fills, or None."""
    runtimes: dict[str, Sequence[Runtime]] = {
        "node": [ort_web.Node(tools)],
        "chromium": [ort_web.Chromium(tools)],
        "arm64": [ort_arm64.Arm64(tools)],
        GPU: [litert_gpu.LiteRtGpu()],
        QNN: [ort_qnn.Qnn()],
    }
    for form in FORMATS.values():
        runtimes |= form.runtimes(tools)
    return runtimes


def available(
    keys: Sequence[str], tools: Path | None, artifacts: Sequence[ModelArtifact]
) -> tuple[dict[str, list[Runtime]], dict[str, str]]:
    """Return the runtimes of these keys that can run here, and the reason for each key that cannot.

    Runtimes that support none of the artifacts are in neither.
    """
    by_key, usable, skipped = registry(tools), {}, {}
    for key in keys:
        runtimes = [runtime for runtime in by_key[key] if any(runtime.supports(artifact) for artifact in artifacts)]
        if not runtimes:
            continue
        if (reason := missing(runtimes)) is not None:
            skipped[key] = reason
        else:
            usable[key] = runtimes
    return usable, skipped


def emulators(artifacts: Sequence[ModelArtifact]) -> dict[str, str]:
    """Return the emulators that support one of the artifacts, with the reason why none is used unless it is named."""
    by_key = registry(None)
    return {
        key: "it emulates a processor, which takes minutes; name it in parity.runtimes, or run impasto-verify"
        for key in EMULATORS
        if any(runtime.supports(artifact) for runtime in by_key[key] for artifact in artifacts)
    }


def missing(runtimes: Sequence[Runtime]) -> str | None:
    """Return what one of the runtimes needs and this machine lacks, or None where all can run."""
    return next((reason for runtime in runtimes if (reason := runtime.missing()) is not None), None)


def not_run(named: Sequence[str], ran: Collection[str], skipped: Mapping[str, str]) -> dict[str, str]:
    """Return the reason for each runtime that was asked for by name and did not run."""
    return {key: skipped.get(key, "it runs none of the models") for key in named if key not in ran}


def demand(key: str, reason: str) -> str:
    """Return the sentence on a runtime that was asked for by name and did not run."""
    return f"runtime {key} was asked for and did not run: {reason}"
