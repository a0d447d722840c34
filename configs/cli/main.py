"""impasto: `impasto COMMAND ...` is `impasto-COMMAND ...`."""

import sys
from importlib.metadata import distribution, version

from impasto.configs.cli.vocabulary import closest, hint
from impasto.configs.errors import quiet_closed_pipe
from impasto.configs.schema.commands import COMMANDS


def main() -> None:
    """Call the console script of the command, which may be in a wing that this one must not import."""
    with quiet_closed_pipe():
        _dispatch()


def _dispatch() -> None:
    command, arguments = next(iter(sys.argv[1:]), "--help"), sys.argv[2:]
    if command in ("-h", "--help"):
        print("impasto COMMAND key=value ...; impasto COMMAND --help lists the keys of a command.\n")
        for name, schema in COMMANDS.items():
            print(f"  {name:10} {schema.__doc__}")
    elif command == "--version":
        print(f"impasto {version('impasto')}")
    elif command in COMMANDS:
        sys.argv = [f"impasto-{command}", *arguments]
        scripts = distribution("impasto").entry_points.select(group="console_scripts", name=f"impasto-{command}")
        scripts[f"impasto-{command}"].load()()
    else:
        close = hint(closest(command, COMMANDS))
        print(f"impasto: {command} is not a command{close}; use one of {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(2)
