"""The checks of a bundle, each with its outcome: what impasto-verify reports, and what ends an export."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from impasto.configs.errors import CheckFailed, ending
from impasto.configs.terminal import printable
from impasto.models.typed_json import TypedJson

Group = Literal["manifest", "digest", "files", "contract", "preflight", "runtime", "parity"]
REMEDIES: dict[Group, str] = {
    "digest": "get the bundle from its source, or the digest of this one",
    "parity": "export the bundle again, or find out how this machine differs",
}
"""What to do about a failed check, for the groups whose messages do not say it."""


@dataclass(frozen=True)
class Check(TypedJson):
    """One check of a bundle, and its outcome."""

    group: Group
    """What was checked: the manifest, the digest, a file, a model's contract, a runtime, or a model in a runtime."""
    name: str
    """The file or the runtime."""
    status: Literal["passed", "failed", "skipped"]
    message: str = ""
    """Why it failed or was skipped."""
    seconds: float = 0.0
    """How long it took."""


@dataclass
class Checks:
    """A list of checks. With `fail_fast`, the first one that fails raises CheckFailed instead."""

    fail_fast: bool = False
    done: list[Check] = field(default_factory=list)

    def run(self, group: Group, name: str, check: Callable[[], bool | None]) -> None:
        """Add the outcome of a function, which fails by raising; it returns False where there is nothing to check."""
        started = time.perf_counter()
        try:
            if check() is False:
                return
        except CheckFailed as error:
            self.fail(group, name, str(error), started)
        except Exception as error:  # a broken file makes a library raise anything, and the other checks still count
            if self.fail_fast:
                raise
            self.fail(group, name, f"{name}: {ending(error)[1]}", started)
        else:
            self.done.append(Check(group, printable(name), "passed", seconds=_since(started)))

    def fail(self, group: Group, name: str, message: str, started: float | None = None) -> None:
        """Add a failed check."""
        if self.fail_fast:
            raise CheckFailed(message)
        seconds = 0.0 if started is None else _since(started)
        self.done.append(Check(group, printable(name), "failed", printable(message), seconds))

    def skip(self, group: Group, name: str, message: str) -> None:
        """Add a check that was not run."""
        self.done.append(Check(group, printable(name), "skipped", printable(message)))

    @property
    def failures(self) -> list[Check]:
        """Those that failed."""
        return [check for check in self.done if check.status == "failed"]


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
