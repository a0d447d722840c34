"""impasto-check: what a dataset is made of, before a night is spent on it."""

import shlex
from pathlib import Path
from typing import Any

from impasto.configs.app import run
from impasto.configs.errors import CheckError, RequestError
from impasto.configs.schema import CheckConfig


def main() -> None:
    """Look at every photo of a dataset."""
    run("check", task)


def task(config: CheckConfig) -> None:
    """Scan, print the table, and write check.json and skip.txt."""
    from impasto.models import files
    from impasto.train import doctor, skiplist
    from impasto.train.display import Display
    from impasto.train.photos import PhotoSet

    photos = PhotoSet(Path(config.data.root), "data.root", config.data.skip)
    output = Path(config.output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"output={output} is no folder that can be written; name another place") from error
    found, bad = [], 0
    with Display(f"checking {photos.root.name}") as display:
        for one in doctor.scan(photos, config):
            found.append(one)
            bad += "unreadable" in one.odd
            display.note(len(found) / len(photos.names), f"{len(found)} photos, {bad} unreadable")
    found.sort(key=lambda one: one.name)
    doctor.mark_duplicates(found)
    report = doctor.report(found, config.check.skip)
    files.write_json(output / "check.json", report)
    skipped = {
        one.name: next(f"{kind}: {one.odd[kind]}" for kind in one.odd if kind in config.check.skip)
        for one in found
        if {*one.odd} & {*config.check.skip}
    }
    skiplist.write(output / "skip.txt", skipped)
    _show(report)
    if bad == len(found):
        raise CheckError(f"none of the {bad} photos of {photos.root} can be read; {output / 'check.json'} says why")
    if skipped:
        line = ["impasto-train", f"data.root={photos.root}", f"data.skip={output / 'skip.txt'}"]
        print("train without them:", shlex.join(line))


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(title=f"{report['photos']} photos, {report['bytes'] / 1e6:.1f} MB")
    for heading in ("kind", "photos", "share", "left out", "for example"):
        table.add_column(heading, justify="right" if heading in ("photos", "share") else "left", overflow="fold")
    for kind, count in report["counts"].items():
        name, reason = next(iter(report["odd"].get(kind, {}).items()), ("", ""))
        example = f"{name}: {reason}" if reason and reason != kind else name
        shown = Text(example.encode(errors="backslashreplace").decode())  # a name may hold markup
        left_out = "yes" if kind in report["skip"]["kinds"] else "no"
        table.add_row(kind, str(count), f"{count / report['photos']:.1%}", left_out if count else "", shown)
    console.print(table)
    for side in ("short_side", "long_side", "megapixels"):
        console.print(f"{side.replace('_', ' ')}: " + ", ".join(f"{q} {value:g}" for q, value in report[side].items()))
    console.print("files: " + ", ".join(f"{kind} {count}" for kind, count in report["files"].items()), markup=False)
    console.print(f"left out: {report['skip']['photos']} of {report['photos']}")
