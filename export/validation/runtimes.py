"""All runtimes: those of the formats, and programs that run the same files. A bundle's models must agree in each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from impasto.export.contract import ModelArtifact
from impasto.export.formats import FORMATS
from impasto.export.runtime import Runtime
from impasto.export.validation import ort_arm64, ort_web


def registry(tools: Path | None) -> Mapping[str, Sequence[Runtime]]:
    """Return the runtimes by key of parity.runtimes, given the folder that `make tools` fills, or None."""
    runtimes: dict[str, Sequence[Runtime]] = {
        "node": [ort_web.Node(tools)],
        "chromium": [ort_web.Chromium(tools)],
        "arm64": [ort_arm64.Arm64(tools)],
    }
    for form in FORMATS.values():
        runtimes |= form.runtimes(tools)
    return runtimes


def available(
    keys: Sequence[str], tools: Path | None, artifacts: Sequence[ModelArtifact]
) -> tuple[list[list[Runtime]], dict[str, str]]:
    """Return the runtimes of these keys that can run here, and the reason for each key that cannot.

    Runtimes that support none of the artifacts are in neither.
    """
    by_key, groups, skipped = registry(tools), [], {}
    for key in keys:
        runtimes = [runtime for runtime in by_key[key] if any(runtime.supports(artifact) for artifact in artifacts)]
        reasons = [reason for runtime in runtimes if (reason := runtime.missing()) is not None]
        if reasons:
            skipped[key] = reasons[0]
        elif runtimes:
            groups.append(runtimes)
    return groups, skipped
