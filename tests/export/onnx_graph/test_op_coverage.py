import re
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest

from impasto.export.onnx_graph import op_coverage, ort_tools
from tests.helpers.bundles import Written
from tests.helpers.onnx_models import model


def test_operators_counts_nodes_in_alphabetical_order(tmp_path: Path) -> None:
    counts = op_coverage.operators(onnx.load(model(tmp_path / "model.onnx")))
    assert list(counts.items()) == [("Add", 1), ("Cast", 2), ("Mul", 1), ("Pad", 1), ("Slice", 1)]


@pytest.mark.slow
def test_mobile_verdict_of_a_network_covers_parts_only(written: Written) -> None:
    verdict = op_coverage.mobile_verdict(written("mobile", "uint8_rgba"))
    part = r"no: \d+ partitions, at most \d+ % of the nodes"
    assert list(verdict) == ["NNAPI", "XNNPACK", "CoreML"] and verdict["XNNPACK"] == op_coverage.UNKNOWN
    for provider in ("NNAPI", "CoreML"):
        assert re.fullmatch(f"{part}; at a fixed size {part}", verdict[provider])


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", op_coverage.UNKNOWN),
        ("Traceback (most recent call last): no module named onnxruntime.tools", op_coverage.UNKNOWN),
        (
            "INFO: 1 partitions with a total of 9/9 nodes can be handled by the NNAPI EP.\n"
            "INFO: Model should perform well with NNAPI as is: YES\n",
            "yes: 1 partition, at most 100 % of the nodes",
        ),
    ],
)
def test_mobile_verdict_of_another_checker_output_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str, expected: str
) -> None:
    monkeypatch.setattr(ort_tools, "run", lambda *arguments: SimpleNamespace(returncode=1, stdout="", stderr=log))
    assert op_coverage.mobile_verdict(model(tmp_path / "model.onnx")) == {
        "NNAPI": expected,
        "XNNPACK": op_coverage.UNKNOWN,
        "CoreML": op_coverage.UNKNOWN,
    }
