"""impasto: `impasto COMMAND ...` is `impasto-COMMAND ...`."""

import sys
from importlib.metadata import entry_points, version

from impasto.configs.cli.vocabulary import hint
from impasto.configs.errors import quiet_closed_pipe
from impasto.configs.schema.commands import COMMANDS
from impasto.configs.terminal import printable, show


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
    elif command in COMMANDS:
        sys.argv = [f"impasto-{command}", *arguments]
        entry_points(group="console_scripts", name=sys.argv[0])[sys.argv[0]].load()()
    else:
        known = f"{hint(command, COMMANDS)}; use one of {', '.join(COMMANDS)}"
        sys.stderr.write(f"impasto: {printable(command)} is not a command{known}\n")
        sys.exit(2)
