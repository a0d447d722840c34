"""impasto-verify: is a bundle still what impasto-export wrote, and does it do here what it did there?"""

import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console

from impasto.configs.app import run
from impasto.configs.errors import CheckError, RequestError
from impasto.configs.shipping import VerifyConfig
from impasto.export import golden, manifest, proof, sealed, tables
from impasto.export.label import Contract
from impasto.export.manifest import MEASURED, Manifest
from impasto.export.parity import Row
from impasto.export.proof import Shipped
from impasto.export.runtimes import OnnxRuntime, at_hand
from impasto.models import exported


def main() -> None:
    """The command."""
    run("verify", task)


def task(config: VerifyConfig) -> None:
    """Check a bundle, print what was compared, and raise CheckError with what failed."""
    folder = Path(config.bundle).expanduser()
    if not folder.is_dir():
        raise RequestError(f"bundle={folder} is no folder; name one that impasto-export wrote")
    found = manifest.read(folder)
    if (folder / MEASURED).exists():
        sealed.read(folder / MEASURED)
    if wrong := manifest.damage(folder, found):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        print(*wrong, sep="\n", file=sys.stderr)
        raise CheckError(f"{wrong[0]}{more}; take the bundle again from where it was made")
    with Console(file=sys.stderr).status("reading the bundle") as status:
        check_contract(folder, found)
        rows, lacking = parity(folder, found, config, status.update)
    console = tables.console()
    for table in tables.parity(rows, lacking):
        console.print(table)
    failures = [failure for row in rows if (failure := row.failure()) is not None]
    if failures:
        raise CheckError(f"{failures[0]}; export the bundle again, or find out what differs on this machine")
    print(f"{folder} is whole: {len(found['files'])} files, {len(rows)} pictures compared")


def check_contract(folder: Path, found: Manifest) -> None:
    """Raise CheckError unless each ONNX file takes and gives what the manifest promises."""
    contract = found["android"]["contract"]
    for shipped in found["android"]["models"]:
        _check_ends(folder, shipped["file"], [contract["input"]], contract["output"])
    pair = found["android"].get("pair", {"contract": {}})  # files of io `float` have none
    for name, ends in pair["contract"].items():
        _check_ends(folder, pair[name], ends["inputs"], ends["output"])


def _check_ends(folder: Path, name: str, inputs: list[Contract], output: Contract) -> None:
    try:
        session = exported.open_session(folder / name)
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        raise CheckError(f"{name} cannot be opened by ONNX Runtime") from error
    for promised, values in ((inputs, session.get_inputs()), ([output], session.get_outputs())):
        given = [(value.name, value.type, _sides(value.shape)) for value in values]
        wanted = [
            (end["name"], f"tensor({end['type'].replace('float32', 'float')})", _sides(end["shape"]))
            for end in promised
        ]
        if given != wanted:
            raise CheckError(f"{name} has {given} where the manifest promises {wanted}")


def _sides(shape: list[Any]) -> list[int | None]:
    """A shape, with None for each side that is free."""
    return [side if isinstance(side, int) else None for side in shape]


def parity(
    folder: Path, found: Manifest, config: VerifyConfig, say: Callable[[str], None]
) -> tuple[list[Row], dict[str, str]]:
    """Run every model in the runtimes that were asked for, and compare; and why one did not run, by its key."""
    android = [Shipped.of(facts) for facts in found["android"]["models"]]
    pictures = golden.read(folder / golden.FOLDER)
    io = "pixels" if found["android"]["contract"]["input"]["type"] == "uint8" else "float"
    runtimes = at_hand(config.runtimes, Path(config.tools).expanduser(), io)
    rows, lacking = proof.onnx(folder, android, pictures, runtimes, say)
    model = android[0].file
    if "pair" in found["android"] and "onnxruntime" in config.runtimes:
        rows += proof.pair(folder, found["android"]["pair"], partial(_run, folder / model), model, say)
    if "coreml" in config.runtimes:
        absent = [name for name in ("torch", "coremltools") if find_spec(name) is None]
        if absent:
            lacking["coreml"] = f"{' and '.join(absent)} is not installed, which reading Core ML packages needs"
        else:
            ios = [Shipped.of(facts) for facts in found["ios"]["models"]]
            rows += proof.coreml(folder, ios, pictures, partial(_run, folder / model), model, say)
    return rows, lacking


def _run(model: Path, rgb: golden.Pixels) -> golden.Pixels:
    return OnnxRuntime().run(model, [golden.opaque(rgb)])[0][..., :3]
