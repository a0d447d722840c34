"""The layout: which room may import which, how long a file and a function may be, and what a wheel holds."""

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WINGS = "configs", "models", "train", "export"
SOURCES = ".py", ".kt", ".swift", ".java", ".html", ".css", ".js", ".mjs", ".c"
COPIED = "export/web/runtime"  # from npm packages, by `make dist`
LONGEST_FILE = 300
LONGEST_FUNCTION = 60


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on folder/impasto with the contracts of pyproject.toml."""
    script = Path(sys.executable).with_name("lint-imports")
    line = [str(script), "--no-cache", str(ROOT / "pyproject.toml")]
    return subprocess.run(line, cwd=folder, env={}, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def empty_rooms(tmp_path: Path) -> Path:
    """A folder with a package of the same rooms, and nothing in them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    modules = []
    for contract in contracts:
        rooms = [room.strip(" ()") for layer in contract.get("layers", []) for room in layer.split("|")]
        modules += [f"{container}.{room}" for container in contract.get("containers", []) for room in rooms]
        modules += contract.get("source_modules", [])
    for module in modules:
        folder = tmp_path.joinpath(*module.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (folder, *folder.parents[: len(module.split(".")) - 1]):
            (parent / "__init__.py").touch()
    return tmp_path


def python_files(*names: str) -> Iterator[Path]:
    """Python files below folders of the repository; links to folders are not followed."""
    for name in names:
        yield from sorted((ROOT / name).rglob("*.py"))


def test_import_contracts_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


def test_import_contracts_allow_empty_rooms(empty_rooms: Path) -> None:
    done = lint_imports(empty_rooms)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("room", "imported", "contract"),
    [
        ("models.vgg", "impasto.train.engine", "Wings"),
        ("configs.errors", "impasto.models", "Wings"),
        ("train.data", "impasto.export.contract", "Wings"),
        ("train.data", "impasto.train.engine", "Rooms of train"),
        ("train.data", "impasto.train.runtime", "Rooms of train"),
        ("export.validation", "impasto.export.inference", "Rooms of export"),
        ("configs.schema", "impasto.configs.cli", "Rooms of configs"),
        ("models.vgg", "impasto.models.losses", "Rooms of models"),
        ("models.checkpoint", "impasto.models.onnx_model", "Rooms of models"),
        ("export.inference", "torch", "Running an exported model"),
    ],
)
def test_import_contracts_forbidden_import_fails(empty_rooms: Path, room: str, imported: str, contract: str) -> None:
    folder = empty_rooms / "impasto"
    if contract == "Running an exported model":
        (folder / "export/commands/stylize/__init__.py").write_text("import impasto.export.inference\n")
    (folder.joinpath(*room.split(".")) / "__init__.py").write_text(f"def lazily():\n    import {imported}\n")
    done = lint_imports(empty_rooms)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [line for line in done.stdout.splitlines() if line.endswith(" BROKEN")]
    assert [line for line in broken if line.startswith(contract)], done.stdout


def test_import_contracts_circle_fails(empty_rooms: Path) -> None:
    models = empty_rooms / "impasto" / "models"
    (models / "vgg" / "__init__.py").write_text("import impasto.models.losses\n")
    (models / "losses" / "__init__.py").write_text("import impasto.models.vgg\n")
    done = lint_imports(empty_rooms)
    assert done.returncode == 1 and "No cycles are allowed in impasto.models" in done.stdout, done.stdout


def test_import_contracts_room_of_no_layer_fails(empty_rooms: Path) -> None:
    (empty_rooms / "impasto" / "export" / "extra.py").touch()
    done = lint_imports(empty_rooms)
    assert done.returncode == 1 and "impasto.export.extra" in done.stdout, done.stdout


def test_source_files_have_at_most_300_lines() -> None:
    folders = (*WINGS, "impasto", "tests", "benchmarks", "docs")
    files = [file for name in folders for file in (ROOT / name).rglob("*") if file.suffix in SOURCES]
    files = [file for file in files if not file.is_relative_to(ROOT / COPIED)]
    assert len(files) > 300 and {file.suffix for file in files} == {*SOURCES}
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE}


def test_test_files_are_named_after_modules() -> None:
    """tests/a/b/test_c.py and test_c_topic.py test c in a/b, or a/b/c; tests/a/test_c.py may be about all of a."""
    wrong = []
    for file in (ROOT / "tests").glob("*/*/test_*.py"):
        room, name = ROOT / file.parent.relative_to(ROOT / "tests"), file.stem.removeprefix("test_")
        modules = [room.name, *(path.stem for path in room.iterdir())]
        if not any(name == module or name.startswith(f"{module}_") for module in modules):
            wrong.append(str(file.relative_to(ROOT)))
    assert wrong == []


def test_functions_have_at_most_60_lines() -> None:
    long = {
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}": length
        for file in python_files(*WINGS, "impasto", "tests", "benchmarks", "docs")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert not long


@pytest.mark.slow
def test_test_modules_are_imported_by_nobody() -> None:
    wrong = []
    for file in python_files(*WINGS, "impasto", "benchmarks", "tests"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Import(names=names):
                    modules = [name.name for name in names]
                case ast.ImportFrom(module=str() as module, names=names):
                    modules = [module, *(f"{module}.{name.name}" for name in names)]
                case _:
                    continue
            inside = file.relative_to(ROOT).parts[0] in ("tests", "benchmarks")
            for parts in (module.split(".") for module in modules):
                if parts[0] == "tests" and (
                    not inside or "conftest" in parts or any(part.startswith("test_") for part in parts[1:])
                ):
                    wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}: {'.'.join(parts)}")
    assert not wrong


@pytest.mark.slow
def test_wheel_holds_each_file_of_the_wings_and_nothing_else(tmp_path: Path) -> None:
    """Templates, schemas, clients and pages are shipped, too."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in (*WINGS, "impasto"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        shipped = {name for name in file.namelist() if ".dist-info/" not in name}
    expected = {f"impasto/{file.name}" for file in (tmp_path / "impasto").iterdir() if file.is_file()}
    for wing in WINGS:
        files = [file for file in (tmp_path / wing).rglob("*") if file.is_file()]
        expected |= {f"impasto/{file.relative_to(tmp_path).as_posix()}" for file in files}
    assert shipped == expected
