"""Mutation testing: change one expression of a source file at a time, and see whether its tests fail.

    python -m tests.mutation --mutants 30 --seed 0 --output build/mutants.json [--groups losses engine] [--table FILE]

Mutants are drawn by seed from all that the operators below allow. A mutant is killed if a test fails or if the
tests use more than --seconds of processor time. Each runs in a process forked off one that has loaded torch, in a copy
of the tree. Results are written after each mutant, and a run with the same --output resumes.
"""

import argparse
import ast
import contextlib
import importlib.util
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

# Per group: sources, and pytest's arguments for the tests that should detect their mutants, such as -m 'not slow'.
TABLE: dict[str, dict[str, list[str]]] = {
    "losses": {
        "sources": ["models/losses/*.py"],
        "tests": ["tests/models/losses"],
    },
    "engine": {
        "sources": ["train/engine/*.py"],
        "tests": ["tests/train/engine"],
    },
    "contract": {
        "sources": ["export/contract.py", "export/onnx_graph/contracts.py", "export/coreml/contracts.py"],
        "tests": [
            "tests/export/test_contract.py",
            "tests/export/onnx_graph/test_contracts.py",
            "tests/export/coreml/test_contracts.py",
            "tests/export/test_formats.py",
            "tests/export/validation/test_parity.py",
            "tests/export/bundle/test_readme.py",
            "tests/export/inference",
        ],
    },
    "bundle": {
        "sources": ["export/bundle/*.py"],
        "tests": ["tests/export/bundle", "tests/export/commands/test_verify.py"],
    },
}
PRELOADED = ["numpy", "torch", "torch.utils.tensorboard", "onnx", "PIL.Image", "pytest"]  # not what starts threads
HANG = 3600  # s, after which a test that computes nothing counts as a hang, on a machine however busy
WALL = 4 * HANG  # s for one mutant

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In},
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift},
    **{ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr},
}
CALLS = {"min": "max", "max": "min", "all": "any", "any": "all", "amin": "amax", "amax": "amin", "sum": "mean"}


@dataclass(frozen=True)
class Mutant:
    """One change: `before` at `line` becomes `after`."""

    group: str
    file: str
    line: int
    operator: str
    before: str
    after: str
    start: int
    end: int


def mutants(group: str, file: Path, root: Path) -> Iterator[Mutant]:
    """All mutants of a file, in the order of its nodes."""
    text = file.read_bytes()
    offsets = [0]
    for line in text.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    for node in _code(ast.parse(text)):
        start = offsets[node.lineno - 1] + node.col_offset
        end = offsets[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        for operator, after in _changes(node):
            before = text[start:end].decode()
            yield Mutant(group, str(file.relative_to(root)), node.lineno, operator, before, after, start, end)


def _code(node: ast.AST) -> Iterator[Any]:
    """Statements and expressions that run: no docstrings, annotations, decorators, or parts of formatted strings."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom) or not isinstance(child, ast.AST):
                continue
            if isinstance(child, ast.expr | ast.stmt) and not _is_text(child):
                yield child
            yield from _code(child)


def _is_text(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else node
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _changes(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The operators: (name, new source text) of each change to a node."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in COMPARISONS:
            yield "comparison", _text(ast.Compare(left, [COMPARISONS[type(operator)]()], [right]))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in ARITHMETIC and not _is_text(left):
            yield "arithmetic", _text(ast.BinOp(left, ARITHMETIC[type(operator)](), right))
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield "removed operator", _text(operand)
        case ast.BoolOp(op=operator, values=values):
            yield "boolean", _text(ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values))
        case ast.Constant(value=bool() as value):
            yield "constant", repr(not value)
        case ast.Constant(value=int() | float() as value):
            yield "constant", repr(value + 1)
        case ast.Call(func=ast.Name(id=name), args=values, keywords=keywords) if name in CALLS and name != "sum":
            yield "call", _text(ast.Call(ast.Name(CALLS[name]), values, keywords))
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=values, keywords=keywords) if name in CALLS:
            yield "call", _text(ast.Call(ast.Attribute(owner, CALLS[name]), values, keywords))
        case ast.IfExp(test=test, body=body, orelse=other):
            yield "condition", _text(ast.IfExp(test, other, body))
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return", "return None"
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
            yield "removed statement", "pass"
        case ast.Break():
            yield "loop", "continue"
        case ast.Continue():
            yield "loop", "break"


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(node)})"


class _FirstFailure:
    """A pytest plugin that remembers the first test that failed."""

    test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.test:
            self.test = report.nodeid


def _run_tests(tree: Path, paths: Sequence[str], tests: Sequence[str], seconds: int, result: Path) -> None:
    """In a separate process: run the tests of a tree, and write the first one that failed."""
    import resource

    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    os.chdir(tree)
    sys.path[:0] = [str(tree / path) for path in paths]
    os.environ.update(OMP_NUM_THREADS="1", PYTHONPATH=os.pathsep.join(str(tree / path) for path in paths))
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "impasto")]:
        del sys.modules[name]
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
    import torch

    torch.set_num_threads(1)
    first = _FirstFailure()
    options = (
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        f"--timeout={HANG}",
        f"--basetemp={result.with_suffix('.tmp')}",
    )
    code = pytest.main([*options, *tests], plugins=[first])
    result.write_text(json.dumps({"code": int(code), "test": first.test}))
    os._exit(0)


def survives(tree: Path, paths: Sequence[str], tests: Sequence[str], seconds: int) -> tuple[str, str]:
    """Run tests: ("survived", ""), ("killed", the first test that failed) or ("timeout", "")."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        process = multiprocessing.get_context("forkserver").Process(
            target=_run_tests, args=(tree, paths, tests, seconds, result)
        )
        process.start()
        process.join(WALL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # and the processes that the tests started
        process.join()
        if not result.exists():
            return "timeout", ""
        outcome = json.loads(result.read_text())
        if outcome["code"] not in (0, 1, 2):
            raise SystemExit(f"pytest exited with {outcome['code']}; check the paths {' '.join(tests)}")
        return ("survived", "") if outcome["code"] == 0 else ("killed", outcome["test"])


def check(mutant: Mutant, tree: Path, paths: Sequence[str], tests: Sequence[str], seconds: int) -> dict[str, Any]:
    """Apply a mutant, run its tests, and put the file back."""
    file = tree / mutant.file
    source = file.read_bytes()
    cached = Path(importlib.util.cache_from_source(str(file)))
    start = time.monotonic()
    try:
        file.write_bytes(source[: mutant.start] + mutant.after.encode() + source[mutant.end :])
        cached.unlink(missing_ok=True)  # Python compares it by whole seconds, and could take it for the mutant's
        result, test = survives(tree, paths, tests, seconds)
    finally:
        file.write_bytes(source)
        cached.unlink(missing_ok=True)
    return {**asdict(mutant), "result": result, "test": test, "seconds": round(time.monotonic() - start, 1)}


def draw(group: str, sources: Sequence[str], root: Path, count: int, seed: int) -> list[Mutant]:
    """`count` mutants of the files that the patterns name, by seed."""
    files = sorted({file for pattern in sources for file in root.glob(pattern)})
    if not files:
        raise SystemExit(f"no file is named {', '.join(sources)} in {root}")
    candidates = [mutant for file in files for mutant in mutants(group, file, root)]
    return random.Random(f"{seed} {group}").sample(candidates, min(count, len(candidates)))


def main() -> None:
    """Run the mutants of each group, and print how many were killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--table", type=Path, help="a JSON file that replaces TABLE")
    parser.add_argument("--path", nargs="+", default=["."], help="PYTHONPATH, below the root")
    parser.add_argument("--groups", nargs="+")
    parser.add_argument("--mutants", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=120, help="of processor time for the tests of one mutant")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    table = json.loads(options.table.read_text()) if options.table else TABLE
    done = json.loads(options.output.read_text()) if options.output.exists() else []
    known = {(row["file"], row["start"], row["end"], row["after"]) for row in done}
    multiprocessing.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        excluded = {options.root / name for name in (".git", ".venv", "outputs", "multirun", "data", "build/tools")}
        shutil.copytree(
            options.root,
            tree,
            symlinks=True,
            ignore=lambda parent, names: [n for n in names if n == "__pycache__" or Path(parent, n) in excluded],
        )
        for group in options.groups or table:
            tests = table[group]["tests"]
            drawn = draw(group, table[group]["sources"], tree, options.mutants, options.seed)
            remaining = [
                mutant for mutant in drawn if (mutant.file, mutant.start, mutant.end, mutant.after) not in known
            ]
            if remaining and (failed := survives(tree, options.path, tests, 10 * options.seconds))[0] != "survived":
                raise SystemExit(f"{group}: its tests fail without a mutant: {failed}")
            for mutant in remaining:
                done.append(check(mutant, tree, options.path, tests, options.seconds))
                options.output.write_text(json.dumps(done, indent=1))
                print(*(done[-1][key] for key in ("result", "seconds", "file", "line", "before", "after")), flush=True)
            print(group, dict(Counter(row["result"] for row in done if row["group"] == group)), flush=True)


if __name__ == "__main__":
    main()
