"""Which keys, groups and choices a command has: --help, and one sentence for each that it does not have."""

import argparse
import difflib
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any, cast

import yaml  # type: ignore[import-untyped]
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from impasto.configs.errors import UsageError
from impasto.configs.schema.commands import COMMANDS
from impasto.configs.schema.fields import Key, keys, shown, validate

CONFIGS = Path(__file__).parents[1]


class Vocabulary:
    """The keys, the sections of keys and the config groups of a command."""

    def __init__(self, command: str) -> None:
        self.command, self.schema = command, cast(Any, COMMANDS[command])
        self.keys = keys(self.schema)
        self.sections = [*dict.fromkeys(key[:end] for key in self.keys for end in range(len(key)) if key[end] == ".")]
        self.defaults = OmegaConf.create()
        for name, key in self.keys.items():
            OmegaConf.update(self.defaults, name, key.default)
        file = CONFIGS / command / f"{command}.yaml"  # of commands that have groups
        entries = OmegaConf.load(file).defaults if file.is_file() else []
        self.groups = [str(group) for entry in entries if not isinstance(entry, str) for group in entry]
        self.known = [*self.groups, *self.keys, *self.sections]

    def choices(self, group: str) -> Sequence[str]:
        """The choices of a group, while Hydra is set up for the command."""
        return GlobalHydra.instance().config_loader().get_group_options(group, config_name=self.command)

    def find(self, name: str) -> Key | None:
        """The key of this name, None for a group or a section of keys; UsageError if there is none."""
        if name in self.known:
            return self.keys.get(name)
        section = name.rpartition(".")[0]
        if section in self.keys:
            raise UsageError(f"{name} is not known; {section} is a single value")
        below, keys_of = (f"{section}.", f"keys of {section}") if section in self.sections else ("", "groups and keys")
        own = dict.fromkeys(key.removeprefix(below).split(".")[0] for key in self.known if key.startswith(below))
        raise UsageError(f"{name} is not known{hint(name, self.known)}; the {keys_of} are {', '.join(own)}")

    def validated(self, config: DictConfig) -> Any:
        """The settings of a composed configuration; UsageError if a value is missing or wrong."""
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        if missing := sorted(OmegaConf.missing_keys(own) & self.keys.keys()):
            examples = " ".join(f"{name}={self.keys[name].path.partition('|')[0] or 'VALUE'}" for name in missing)
            *others, last = missing
            subject = f"{', '.join(others)} and {last} are" if others else f"{last} is"
            raise UsageError(f"{subject} missing; add {examples}")
        return validate(self.schema, cast(dict[str, Any], OmegaConf.to_container(own, resolve=True)))

    def rows(self, config: DictConfig) -> Iterator[tuple[str, str, str, str]]:
        """Each key: its name, default (??? if it must be given), type and description."""
        raw: Any = OmegaConf.to_container(config)
        for name, key in self.keys.items():
            yield name, shown(reduce(getitem, name.split("."), raw)), key.expected, key.description

    def describe(self, parser: argparse.ArgumentParser, config: DictConfig) -> None:
        """Add the examples, groups and keys of the command to the help of its parser, which then reads no arguments."""
        parser.add_argument_group("examples", "\n".join(self.schema.examples))
        if self.groups:
            choices = (f"{group}: {', '.join(self.choices(group))}" for group in self.groups)
            parser.add_argument_group("groups and their choices (group=choice)", "\n".join(choices))
        keys = "keys and their defaults (key=value; ??? must be given; a path needs no quotes)"
        section = parser.add_argument_group(keys)
        for name, default, kind, description in self.rows(config):
            about = f"{textwrap.shorten(kind, 80, placeholder=' ...')}. {description}"
            section.add_argument(f"{name}={default}", help=about.replace("%", "%%"))


@cache
def renames() -> dict[str, list[str]]:
    """Keys of the first edition and common words, each with the keys that it may stand for."""
    return cast(dict[str, list[str]], yaml.safe_load((CONFIGS / "schema" / "renamed.yaml").read_text("utf-8")))


def hint(name: str, known: Iterable[str], value: str = "") -> str:
    """' (did you mean X?)': the new name, one with the same last part, or the most similar one; or nothing."""
    names, last = [*known], name.rpartition(".")[2]
    same = [key for key in names if key.rpartition(".")[2] == name]
    below = [key for old, new in renames().items() if old.rpartition(".")[2] == last for key in new]
    new = [key for key in [*renames().get(name, []), *same, *below] if key in names or key.startswith("hydra.")]
    close = [*new, *difflib.get_close_matches(name, names, n=1)]
    return f" (did you mean {close[0]}{value}?)" if close else ""
