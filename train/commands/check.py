"""impasto-check: audit a dataset before training on it."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.cli.app import run
from impasto.configs.errors import CheckFailed
from impasto.configs.schema.check import CheckConfig
from impasto.configs.terminal import show

if TYPE_CHECKING:
    from impasto.train.data.audit import AuditReport


def main() -> None:
    """Look at every photo of a dataset."""
    run("check", task, extra="train")


def task(config: CheckConfig) -> None:
    """Examine every photo, print the table, and write check.json and exclude.txt.

    Raises:
        UsageError: The photos cannot be read, or the output cannot be written.
        CheckFailed: No photo can be decoded.
    """
    from impasto.configs import atomic_file
    from impasto.models.image import decode
    from impasto.train.commands import output_folder
    from impasto.train.data import audit, exclude_list
    from impasto.train.data.dataset import PhotoSet
    from impasto.train.runtime.progress import Display

    decode.quiet_pillow()
    photos = PhotoSet(Path(config.data.root), "data.root", config.data.exclude)
    output = output_folder.create(config.output)
    findings, unreadable = [], 0
    with Display(f"checking {photos.root.name}") as display:
        for finding in audit.scan(photos, config):
            findings.append(finding)
            unreadable += "unreadable" in finding.issues
            display.note(len(findings) / len(photos.names), f"{len(findings)} photos, {unreadable} unreadable")
    findings.sort(key=lambda finding: finding.name)
    audit.mark_duplicates(findings)
    report = audit.report(findings, config.check.exclude)
    atomic_file.write_json(output / "check.json", asdict(report))
    excluded = audit.exclusions(findings, config.check.exclude)
    exclude_list.write(output / "exclude.txt", excluded)
    _print(report)
    if unreadable == len(findings):
        raise CheckFailed(
            f"none of the {unreadable} photos of {photos.root} can be read; see the reasons in {output / 'check.json'}"
        )
    if excluded:
        line = ["impasto-train", f"data.root={photos.root}", f"data.exclude={output / 'exclude.txt'}"]
        show(f"train without them: {shlex.join(line)}")


def _print(report: "AuditReport") -> None:
    from impasto.models.console import Console, Table

    console = Console()
    table = Table(title=f"{report.photos} photos, {report.bytes / 1e6:.1f} MB")
    for heading in ("kind", "photos", "share", "excluded", "example"):
        table.add_column(heading, justify="right" if heading in ("photos", "share") else "left", overflow="fold")
    for kind, count in report.counts.items():
        name, description = next(iter(report.issues.get(kind, {}).items()), ("", ""))
        example = f"{name}: {description}" if description and description != kind else name
        excluded = "yes" if kind in report.exclude["kinds"] else "no"
        table.add_row(kind, str(count), f"{count / report.photos:.1%}", excluded if count else "", example)
    console.print(table)
    for side in ("short_side", "long_side", "megapixels"):
        console.print(
            f"{side.replace('_', ' ')}: " + ", ".join(f"{q} {value:g}" for q, value in getattr(report, side).items())
        )
    formats = ", ".join(f"{name} {count}" for name, count in report.formats.items())
    console.print(f"formats: {formats}")
    console.print(f"excluded: {report.exclude['photos']} of {report.photos}")
