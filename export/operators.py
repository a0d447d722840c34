"""What an ONNX file is made of, and which of a phone's accelerators would take it."""

import re
import tempfile
from collections import Counter
from pathlib import Path

import onnx

from impasto.export import ort_tools

UNKNOWN = "not judged by the checker"
# an execution provider: what the checker calls it; 1.32 has no table of what XNNPACK takes
PROVIDERS = {"NNAPI": "NNAPI", "XNNPACK": "XNNPACK", "CoreML": "CoreML MLProgram"}


def operators(model: onnx.ModelProto) -> dict[str, int]:
    """The operators of a model with the number of their nodes, in alphabetical order."""
    counts = Counter(node.op_type for node in model.graph.node)
    return dict(sorted(counts.items()))


def mobile_verdict(onnx_path: Path) -> dict[str, str]:
    """What ONNX Runtime's mobile usability checker says of a file, for each of PROVIDERS.

    "no: 2 partitions, at most 12 % of the nodes; at a fixed size no: 13 partitions, at most 81 % of the nodes", where
    one partition of 100 % is the whole graph; at most, since the checker knows operators but not all their limits.
    UNKNOWN for what it does not judge, and where it fails or has changed.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.onnx").write_bytes(onnx_path.read_bytes())
        done = ort_tools.run("check_onnx_model_mobile_usability", Path(folder), "model.onnx")
    return {provider: _verdict(done.stdout + done.stderr, name) for provider, name in PROVIDERS.items()}


def _verdict(log: str, name: str) -> str:
    counts = rf"(\d+) partitions with a total of (\d+)/(\d+) nodes can be handled by the {name} EP"
    judged = re.findall(rf"{counts}.*?perform well with {name} (?:as is|if [^:]*): (\w+)", log, re.DOTALL)
    verdicts = [
        f"{word.lower()}: {partitions} partition{'' if partitions == '1' else 's'}, "
        f"at most {100 * int(taken) // max(1, int(nodes))} % of the nodes"
        for partitions, taken, nodes, word in judged
    ]
    return "; at a fixed size ".join(verdicts[:2]) or UNKNOWN
