import pytest

from impasto.configs.errors import CheckFailed
from impasto.export.validation.checks import Check, Checks


def fails() -> None:
    raise CheckFailed("model.onnx differs")


def test_checks_record_every_outcome() -> None:
    checks = Checks()
    checks.run("contract", "model.onnx", lambda: True)
    checks.run("contract", "Model.mlpackage", lambda: False)  # nothing to check
    checks.run("parity", "model.onnx", fails)
    checks.run("parity", "model.ort", lambda: bool(1 // 0))
    checks.skip("runtime", "node", "no tools")
    checks.run("files", "README.md", lambda: None)
    statuses = [(check.group, check.name, check.status) for check in checks.done]
    assert statuses == [
        ("contract", "model.onnx", "passed"),
        ("parity", "model.onnx", "failed"),
        ("parity", "model.ort", "failed"),
        ("runtime", "node", "skipped"),
        ("files", "README.md", "passed"),
    ]
    first, second = checks.failures
    assert first.message == "model.onnx differs"
    assert second.message.startswith("model.ort: ZeroDivisionError: ")


def test_checks_that_fail_fast_raise_the_error() -> None:
    checks = Checks(fail_fast=True)
    with pytest.raises(CheckFailed, match=r"^model\.onnx differs$"):
        checks.run("parity", "model.onnx", fails)
    with pytest.raises(ZeroDivisionError):
        checks.run("parity", "model.onnx", lambda: bool(1 // 0))


def test_check_has_its_seconds() -> None:
    assert Check("files", "a", "passed").to_json()["seconds"] == 0
