"""impasto-verify: check the files of a bundle, and validate its models again on this machine."""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.configs.cli.app import run
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.verify import STDOUT, VerifyConfig
from impasto.configs.terminal import show
from impasto.export.commands import output_file
from impasto.export.validation import report
from impasto.export.validation.checks import REMEDIES, Check
from impasto.models.progress import spinner

if TYPE_CHECKING:
    from impasto.export.bundle.verification import Verification

logger = logging.getLogger(__name__)


def main() -> None:
    """The command."""
    run("verify", task)


def task(config: VerifyConfig) -> None:
    """Check a bundle, print the parity results, write the reports, and raise CheckFailed for the first failure."""
    outcome, error = verify(config)
    for check in outcome.checks:
        if check.group == "licenses" and check.status == "skipped":
            logger.warning("%s", check.message)
    stdout = sys.stderr if STDOUT in (config.json, config.junit) else sys.stdout
    if outcome.parity:
        report.console(stdout).print(*report.parity(outcome.parity, outcome.skipped_runtimes))
    if outcome.digest is not None:
        show(f"digest={outcome.digest}", stdout)
    if error is not None:
        for failure in outcome.failures[1:] if isinstance(error, CheckFailed) else []:
            logger.error("%s", failure.message)
        raise error
    show(_success(str(Path(config.bundle).expanduser()), outcome), stdout)


def verify(config: VerifyConfig) -> tuple["Verification", UsageError | CheckFailed | None]:
    """Check a bundle and write the reports.

    Returns:
        The outcome, and the error of a folder that is not a bundle or of the first check that failed.

    Raises:
        UsageError: A report cannot be written.
    """
    from impasto.export.bundle import junit, verification  # loads Pillow

    folder = Path(config.bundle).expanduser()
    _prepare_outputs(config, folder)
    with spinner("reading the bundle") as on_progress:
        outcome, wrong_request = verification.verify(folder, config, on_progress)
    if config.json is not None:
        _write("json", config.json, json.dumps(outcome.to_json(), indent=2) + "\n")
    if config.junit is not None:
        _write("junit", config.junit, junit.to_xml(outcome))
    failed = CheckFailed(_summary(outcome.failures), outcome) if outcome.failures else None
    return outcome, wrong_request or failed


def _prepare_outputs(config: VerifyConfig, folder: Path) -> None:
    """Remove earlier reports; raise UsageError for one that cannot be written, or would be a file of the bundle."""
    paths = []
    for key, value in (("json", config.json), ("junit", config.junit)):
        if value is not None and value != STDOUT:
            paths.append(output_file.check(key, value))
            if paths[-1].resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"{key}={value} is inside the bundle, which it would change; name another folder")
    for path in paths:  # if this run is killed, nobody takes the last one's report for its own
        path.unlink(missing_ok=True)


def _write(key: str, output: str, text: str) -> None:
    if output == STDOUT:
        sys.stdout.write(text)
    else:
        output_file.write(key, Path(output).expanduser(), text)


def _summary(failures: list[Check]) -> str:
    """The sentence on the first failure."""
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    problem, _, own_remedy = failures[0].message.partition("; ")
    remedy = own_remedy or REMEDIES.get(failures[0].group)
    return f"{problem}{more}" + (f"; {remedy}" if remedy else "")


def _success(folder: str, outcome: "Verification") -> str:
    files = sum(check.group == "files" for check in outcome.checks)
    missing = f", not run: {', '.join(outcome.skipped_runtimes)}" if outcome.skipped_runtimes else ""
    return f"{folder} is intact: {files} files, {len(outcome.parity)} pictures compared{missing}"
