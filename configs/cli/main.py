"""impasto: `impasto COMMAND ...` is `impasto-COMMAND ...`."""

import os
import re
import sys
from importlib.metadata import entry_points, version

from impasto.configs.cli.vocabulary import hint
from impasto.configs.schema.commands import COMMANDS
from impasto.configs.terminal import printable, quiet_closed_pipe, show


@quiet_closed_pipe()
def main() -> None:
    """Call the console script of the command, which may be in a wing that this one must not import."""
    command, arguments = next(iter(sys.argv[1:]), "--help"), sys.argv[2:]
    if command in ("-h", "--help"):
        show("impasto COMMAND key=value ...; impasto COMMAND --help lists the keys of a command.")
        show("")
        for name, schema in COMMANDS.items():
            show(f"  {name:10} {schema.__doc__}")
    elif command == "--version":
        show(f"impasto {version('impasto')}")
    elif command in ("-sc", "--shell-completion"):
        _complete()
    elif command in COMMANDS:
        sys.argv = [f"impasto-{command}", *arguments]
        _call(command)
    else:
        known = f"{hint(command, COMMANDS)}; use one of {', '.join(COMMANDS)}"
        sys.stderr.write(f"impasto: {printable(command)} is not a command{known}\n")
        sys.exit(2)


def _complete() -> None:
    """Complete the command, or let it complete its own arguments; a shell passes the typed line in COMP_LINE."""
    line = os.environ.get("COMP_LINE", "")
    typed = re.match(r"\s*\S+\s+(\S+)\s+(.*)", line)
    if typed is not None and typed[1] in COMMANDS:
        os.environ["COMP_LINE"] = f"impasto-{typed[1]} {typed[2]}"
        _call(typed[1])
    elif not line:  # install: what it prints is for the name of this script, whichever command prints it
        _call("train")
    elif typed is None:
        for name in COMMANDS:
            show(name)


def _call(command: str) -> None:
    name = f"impasto-{command}"
    entry_points(group="console_scripts", name=name)[name].load()()
