"""Which keys, groups and choices a command knows, and one sentence for each way of getting one wrong."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from impasto.configs.errors import RequestError

_TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Setting:
    """A field of the schema: the dataclass that holds it, its name there, its type and its metadata."""

    holder: type
    name: str
    hint: Any
    rule: Mapping[str, Any]

    @property
    def is_path(self) -> bool:
        return "path" in self.rule

    @property
    def is_list(self) -> bool:
        return any(get_origin(kind) is list for kind in _alternatives(self.hint))

    @property
    def is_text(self) -> bool:
        return not self.rule and str in _alternatives(self.hint)

    @property
    def expected(self) -> str:
        """The type in words."""
        plain, *_ = (kind for kind in _alternatives(self.hint) if kind is not NoneType)
        if get_origin(plain) is list:
            words = f"a list [...], each element {_TYPES[get_args(plain)[0]]}"
        else:
            words = _TYPES[plain]
        return f"{words}, or null" if NoneType in _alternatives(self.hint) else words

    @property
    def placeholder(self) -> str:
        """What stands for a value in a message."""
        if "choices" in self.rule:
            return "|".join(map(str, self.rule["choices"]))
        return str(self.rule.get("path", "N" if "low" in self.rule else "TEXT"))


@dataclass(frozen=True)
class Vocabulary:
    """The keys of one command: its schema, its config groups, and how to list the choices of one (slow)."""

    schema: type
    groups: Sequence[str] = ()
    choices: Callable[[str], Sequence[str]] = lambda group: ()

    @property
    def keys(self) -> list[str]:
        return [item.name for item in fields(self.schema)]

    def find(self, key: str) -> Setting | None:
        """The setting that a dotted key names, None for a whole group; RequestError if there is none."""
        holder, above = self.schema, ""
        parts = key.split(".")
        if key in self.groups:
            return None
        for depth, part in enumerate(parts):
            rules = {item.name: item.metadata for item in fields(holder)}
            if part not in rules:
                raise RequestError(self._unknown(key, holder, above, part))
            hint, rest = get_type_hints(holder)[part], parts[depth + 1 :]
            if not (isinstance(hint, type) and is_dataclass(hint)):
                if rest:
                    raise RequestError(f"{key} is not known; {above}{part} is a single value")
                return Setting(holder, part, hint, rules[part])
            holder, above = hint, f"{above}{part}."
        return None

    def check(self, override: Override) -> None:
        """RequestError if a parsed `key=value` names a choice that is not there or a value of the wrong type."""
        key, value = override.key_or_group, override.value()
        if override.is_hydra_override() or override.package is not None:
            return
        if key in self.groups:
            if not override.is_delete() and not isinstance(value, dict):
                for name in value if isinstance(value, list) else [value]:
                    self._check_choice(key, "null" if name is None else str(name))
            return
        setting = self.find(key)
        if setting is None or override.is_delete() or (isinstance(value, str) and "${" in value):
            return
        try:
            OmegaConf.update(OmegaConf.structured(setting.holder), setting.name, value)
        except OmegaConfBaseException as error:
            typed = override.get_value_element_as_str()
            raise RequestError(f"{key}={typed} has the wrong type; it must be {setting.expected}") from error

    def missing(self, keys: Iterable[str]) -> str:
        """The sentence for mandatory keys that were not given."""
        keys, shown = sorted(keys), []
        for key in keys:
            setting = self.find(key)
            value = setting.placeholder if setting else "|".join(self.choices(key))
            shown.append(f"{key}={value}")
        return f"{' and '.join(keys)} {'is' if len(keys) == 1 else 'are'} missing; add {' '.join(shown)}"

    def _check_choice(self, group: str, name: str) -> None:
        choices = self.choices(group)
        if name not in choices:
            hint = suggestion(name, choices)
            raise RequestError(f"{group}={name} is not known{hint}; choose one of {', '.join(choices)}")

    def _unknown(self, key: str, holder: type, above: str, part: str) -> str:
        names = [item.name for item in fields(holder)]
        below = key.removeprefix(f"{above}{part}")
        if above:
            hint = suggestion(part, names, above, below)
            return f"{key} is not known{hint}; the keys of {above[:-1]} are {', '.join(names)}"
        hint = suggestion(part, [*names, *self.groups], below=below)
        groups = f"the groups are {', '.join(self.groups)} and " if self.groups else ""
        keys = [name for name in names if name not in self.groups]
        return f"{key} is not known{hint}; {groups}the keys are {', '.join(keys)}"


def suggestion(name: str, names: Iterable[str], above: str = "", below: str = "") -> str:
    """' (did you mean X?)' as a part of a sentence, or nothing where no name is close."""
    close = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {above}{close[0]}{below}?)" if close else ""


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return (hint,) if get_origin(hint) in (None, list) else get_args(hint)
