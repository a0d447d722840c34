import re
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest

from impasto.export import operators, ort_tools
from tests.export.conftest import Written
from tests.models.made_models import model


def test_operators(tmp_path: Path) -> None:
    found = operators.operators(onnx.load(model(tmp_path / "model.onnx")))
    assert list(found.items()) == [("Add", 1), ("Cast", 2), ("Mul", 1), ("Pad", 1), ("Slice", 1)]


def test_the_checker_takes_parts_of_a_network_alone(written: Written) -> None:
    verdict = operators.mobile_verdict(written("mobile", "pixels"))
    part = r"no: \d+ partitions, at most \d+ % of the nodes"
    assert list(verdict) == ["NNAPI", "XNNPACK", "CoreML"] and verdict["XNNPACK"] == operators.UNKNOWN
    for provider in ("NNAPI", "CoreML"):
        assert re.fullmatch(f"{part}; at a fixed size {part}", verdict[provider])


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", operators.UNKNOWN),
        ("Traceback (most recent call last): no module named onnxruntime.tools", operators.UNKNOWN),
        (
            "INFO: 1 partitions with a total of 9/9 nodes can be handled by the NNAPI EP.\n"
            "INFO: Model should perform well with NNAPI as is: YES\n",
            "yes: 1 partition, at most 100 % of the nodes",
        ),
    ],
)
def test_another_checker_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str, expected: str) -> None:
    monkeypatch.setattr(ort_tools, "run", lambda *arguments: SimpleNamespace(returncode=1, stdout="", stderr=log))
    assert operators.mobile_verdict(model(tmp_path / "model.onnx")) == {
        "NNAPI": expected,
        "XNNPACK": operators.UNKNOWN,
        "CoreML": operators.UNKNOWN,
    }
