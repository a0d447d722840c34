"""impasto/__init__.py: the names of the public API, and what importing them loads."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import impasto
from impasto.configs import extras

LIBRARIES = ("torch", "numpy", "onnxruntime", "PIL", "hydra", "pydantic", "rich")


@pytest.mark.slow
def test_import_impasto_loads_no_library_and_stylizing_no_torch(tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
import impasto
assert not {{*{LIBRARIES}}} & {{*sys.modules}}, [*sys.modules]
impasto.UsageError
assert not {{*{LIBRARIES}}} & {{*sys.modules}}, [*sys.modules]
import numpy
before = dict(os.environ), [signal.getsignal(number) for number in signal.valid_signals()]
impasto.load("zoo/udnie/tiny")(numpy.zeros((32, 32, 3), numpy.uint8))
after = dict(os.environ), [signal.getsignal(number) for number in signal.valid_signals()]
assert after[0].pop("ORT_DISABLE_TELEMETRY") == "1"  # ONNX Runtime sends usage data otherwise
assert before == after
assert not {{"torch", "hydra", "onnx", "rich", "matplotlib"}} & {{*sys.modules}}
"""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    line = [sys.executable, "-c", program]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


def test_names_for_type_checkers_are_those_at_run_time() -> None:
    tree = ast.parse(inspect.getsource(impasto))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    typed = {
        (node.module, alias.name) for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }  # fmt: skip
    lazy = {(module, name) for module, names in impasto._MODULES.items() for name in names}
    assert typed == lazy | {(module, name) for name, module in impasto._PACKAGES.items()}
    assert {name for _, name in typed} | {"__version__"} == {*impasto.__all__}
    assert {*impasto.__all__} < {*dir(impasto)}


@pytest.mark.slow
def test_names_are_those_of_their_modules() -> None:
    for module, names in impasto._MODULES.items():
        for name in names:
            assert getattr(impasto, name) is getattr(importlib.import_module(module), name)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'stylise'"):
        impasto.stylise  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        from impasto import stylise  # type: ignore[attr-defined]  # noqa: F401


@pytest.mark.parametrize("name", ["train", "export"])
def test_package_of_a_function_is_both(name: str) -> None:
    package, function = getattr(impasto, name), getattr(importlib.import_module(impasto._PACKAGES[name]), name)
    commands = importlib.import_module(f"impasto.{name}.commands")
    assert isinstance(package, ModuleType) and package is sys.modules[f"impasto.{name}"]
    assert package.commands is commands
    assert callable(package) and inspect.signature(package) == inspect.signature(function)
    assert getattr(impasto, name) is package  # importing a module of the package replaces nothing


@pytest.mark.parametrize("name", ["PerceptualLoss", "TransformNet", "VGGFeatures", "EvaluationReport"])
def test_name_without_pytorch_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delitem(vars(impasto), name, raising=False)
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    with pytest.raises(impasto.UsageError, match=rf'impasto.{name} needs .*pip install "impasto\[train\]"'):
        getattr(impasto, name)


def test_functions_without_pytorch_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    for extra, call in (
        ("train", lambda: impasto.train("a.jpg", "photos")),
        ("train", lambda: impasto.optimize("a.jpg")),
        ("train", lambda: impasto.evaluate("a.safetensors", "photos")),
        ("export", lambda: impasto.export("zoo/udnie", "bundle")),
    ):
        with pytest.raises(impasto.UsageError, match=rf'pip install "impasto\[{extra}\]"'):
            call()
