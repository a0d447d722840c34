"""The operators of an ONNX file, and which execution providers of a phone support them."""

import re
import tempfile
from collections import Counter
from pathlib import Path

import onnx

from impasto.export.onnx_graph import ort_tools

UNKNOWN = "not covered by the checker"
# execution providers, with the checker's name for each; version 1.32 has no table for XNNPACK
PROVIDERS = {"NNAPI": "NNAPI", "XNNPACK": "XNNPACK", "CoreML": "CoreML MLProgram"}


def operators(model: onnx.ModelProto) -> dict[str, int]:
    """Return the operators of a model with the number of nodes of each, in alphabetical order."""
    counts = Counter(node.op_type for node in model.graph.node)
    return dict(sorted(counts.items()))


def mobile_verdict(onnx_path: Path) -> dict[str, str]:
    """Return the verdict of ONNX Runtime's mobile usability checker on a file, for each of PROVIDERS.

    For example "no: 2 partitions, at most 12 % of the nodes; at a fixed size no: 13 partitions, at most 81 % of the
    nodes". One partition of 100 % is the whole graph; "at most", since the checker knows operators but not all their
    limits. The verdict is UNKNOWN for a provider that the checker does not cover, and where its output has changed.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.onnx").write_bytes(onnx_path.read_bytes())
        done = ort_tools.run("check_onnx_model_mobile_usability", Path(folder), "model.onnx")
    return {provider: _verdict(done.stdout + done.stderr, name) for provider, name in PROVIDERS.items()}


def _verdict(log: str, name: str) -> str:
    counts = rf"(\d+) partitions with a total of (\d+)/(\d+) nodes can be handled by the {name} EP"
    matches = re.findall(rf"{counts}.*?perform well with {name} (?:as is|if [^:]*): (\w+)", log, re.DOTALL)
    verdicts = [
        f"{word.lower()}: {partitions} partition{'' if partitions == '1' else 's'}, "
        f"at most {100 * int(supported) // max(1, int(nodes))} % of the nodes"
        for partitions, supported, nodes, word in matches
    ]
    return "; at a fixed size ".join(verdicts[:2]) or UNKNOWN
