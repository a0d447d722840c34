"""Which keys, groups and choices a command has: --help, and one sentence for each that it does not have."""

import difflib
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import yaml  # type: ignore[import-untyped]
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from impasto.configs.errors import UsageError
from impasto.configs.schema.commands import COMMANDS
from impasto.configs.schema.fields import REQUIRED, Key, keys, lookup, shown, validate

CONFIGS = Path(__file__).parents[1]


class Vocabulary:
    """The keys, the sections of keys and the config groups of a command."""

    def __init__(self, command: str) -> None:
        self.command, self.schema = command, cast(Any, COMMANDS[command])
        self.keys = keys(self.schema)
        self.sections = [*dict.fromkeys(key[:end] for key in self.keys for end in range(len(key)) if key[end] == ".")]
        file = CONFIGS / command / f"{command}.yaml"  # of commands that have groups
        primary = OmegaConf.load(file) if file.is_file() else OmegaConf.create({"defaults": []})
        self.groups = [str(group) for entry in primary.defaults if not isinstance(entry, str) for group in entry]
        self.search_path = [*OmegaConf.select(primary, "hydra.searchpath", default=[])]
        self.known = [*self.groups, *self.keys, *self.sections]

    @property
    def defaults(self) -> DictConfig:
        """The schema's own defaults."""
        defaults = OmegaConf.create()
        for name, key in self.keys.items():
            OmegaConf.update(defaults, name, key.default)
        return defaults

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
        raise UsageError(f"{name} is not known{hint(self.similar(name))}; the {keys_of} are {', '.join(own)}")

    def similar(self, name: str) -> str:
        """The key or group that was probably meant: its new name, the same last part, or a similar spelling."""
        renamed = [new for new in renames().get(name, []) if new in self.known or new.startswith("hydra.")]
        same = [key for key in self.known if key.split(".")[-1] == name]
        return next(iter(renamed + same), closest(name, self.known))

    def validated(self, config: DictConfig) -> Any:
        """The settings of a composed configuration; UsageError if a value is missing or wrong."""
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        raw = OmegaConf.to_container(own, resolve=False)
        if missing := sorted(name for name in self.keys if lookup(raw, name) == REQUIRED):
            examples = " ".join(f"{name}={self.keys[name].path.partition('|')[0] or 'VALUE'}" for name in missing)
            verb = "is" if len(missing) == 1 else "are"
            raise UsageError(f"{' and '.join(missing)} {verb} missing; add {examples}")
        return validate(self.schema, cast(dict[str, Any], OmegaConf.to_container(own, resolve=True)))


def renames() -> dict[str, list[str]]:
    """Keys of the first edition and common words, each with the keys that it may stand for."""
    return cast(dict[str, list[str]], yaml.safe_load((CONFIGS / "schema" / "renamed.yaml").read_text("utf-8")))


def closest(name: str, names: Iterable[str]) -> str:
    """The most similar of `names`, or nothing if none is similar."""
    return next(iter(difflib.get_close_matches(name, names, n=1)), "")


def hint(name: str) -> str:
    """' (did you mean X?)' as a part of a sentence, or nothing."""
    return f" (did you mean {name}?)" if name else ""


def rows(vocabulary: Vocabulary, config: DictConfig) -> Iterator[tuple[str, str, str, str]]:
    """Each key: its name, default (??? if it must be given), type and description."""
    raw = OmegaConf.to_container(config, resolve=False)
    for name, key in vocabulary.keys.items():
        yield name, shown(lookup(raw, name)), key.expected, key.description


def help_text(vocabulary: Vocabulary, config: DictConfig) -> str:
    """The examples, groups and keys of a command."""
    width = min(shutil.get_terminal_size().columns, 120)
    lines = ["examples:", *(f"  {example}" for example in vocabulary.schema.examples)]
    if vocabulary.groups:
        lines += ["", "groups and their choices (group=choice):"]
        lines += [f"  {group}: {', '.join(vocabulary.choices(group))}" for group in vocabulary.groups]
    lines += ["", "keys and their defaults (key=value; ??? must be given; a path needs no quotes):"]
    for name, default, kind, description in rows(vocabulary, config):
        about = f"{textwrap.shorten(kind, 80, placeholder=' ...')}. {description}"
        lines += [f"  {name}={default}", textwrap.indent(textwrap.fill(about, width - 6), " " * 6)]
    return "\n".join(lines)
