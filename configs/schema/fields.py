"""What the schema says of a key: description, type, default, range or choices. Validates a whole configuration."""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from impasto.configs.errors import UsageError

T = TypeVar("T")
REQUIRED = "???"  # OmegaConf's default of a key that must be given
_WORDS = {int: "an integer", float: "a number", str: "text", bool: "true or false", NoneType: "null"}
CONFIG = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False, defer_build=True)


@dataclass(frozen=True)
class Key:
    """The metadata of an annotated field. Limits of a list hold for each element; null needs a type with None."""

    description: str
    low: float | None = None
    high: float = math.inf
    step: int = 1
    choices: tuple[str | float, ...] = ()
    path: str = ""  # FILE, DIR or PATH, and what names no file, as in FILE|auto|zoo/*
    hint: Any = None
    default: Any = REQUIRED

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(replace(self, hint=source)._validate, handler(source))

    def _validate(self, value: Any, parse: Callable[[Any], Any]) -> Any:
        parsed = parse(value)
        parts, given = (one if isinstance(one, list) else [one] for one in (parsed, value))
        if not all(map(self._allows, parts, given)):
            raise ValueError(self.expected)
        return parsed

    def _allows(self, value: Any, given: Any) -> bool:
        if self.low is None or value is None:
            return not self.choices or value is None or value in self.choices
        in_range = self.low <= value <= self.high and (self.step == 1 or value % self.step == 0)
        return in_range and not isinstance(given, bool)  # pydantic reads true as 1

    @property
    def expected(self) -> str:
        """The type and the limits in words."""
        return self._words(self.hint)

    def _words(self, hint: Any) -> str:
        if get_origin(hint) is list:
            return f"a list, each element {self._words(get_args(hint)[0])}"
        if kinds := get_args(hint):
            return " or ".join(map(self._words, kinds))
        if hint is not NoneType and (self.path or self.choices):
            return self.path or f"one of {', '.join(map(str, self.choices))}"
        if hint is NoneType or self.low is None:
            return _WORDS[hint]
        limits = (
            f"of at least {self.low:.10g}" if self.high == math.inf else f"from {self.low:.10g} to {self.high:.10g}"
        )
        return f"{_WORDS[hint]} {limits}" + (f" and a multiple of {self.step}" if self.step > 1 else "")


@cache
def keys(schema: type, prefix: str = "") -> dict[str, Key]:
    """Every key of a schema by its dotted name, in the schema's order."""
    result: dict[str, Key] = {}
    hints = get_type_hints(schema, include_extras=True)
    for item in fields(schema):
        hint, name = hints[item.name], f"{prefix}{item.name}"
        if is_dataclass(hint):
            result |= keys(cast(type, hint), f"{name}.")
        else:
            default = item.default if item.default_factory is MISSING else item.default_factory()
            result[name] = replace(
                hint.__metadata__[0], hint=get_args(hint)[0], default=REQUIRED if default is MISSING else default
            )
    return result


def validate(schema: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """An instance of `schema`; UsageError for the first value that is wrong. `prefix` stands before its keys."""
    try:
        return schema(**values)
    except ValidationError as error:
        problem, known = error.errors()[0], keys(cast(type, schema))
    name = ".".join(map(str, problem["loc"]))
    key = next((key for key in known if f"{name}.".startswith(f"{key}.")), None)  # the index in a list may follow
    if key is None:
        what = "not known" if problem["type"] == "unexpected_keyword_argument" else "a group of keys; set one of them"
        raise UsageError(f"{prefix}{name} is {what}")
    what = " is missing" if problem["type"] == "missing" else f"={shown(lookup(values, key))} is invalid"
    raise UsageError(f"{prefix}{key}{what}; it must be {known[key].expected}")


def lookup(tree: Any, name: str) -> Any:
    """The value of a dotted name in nested dictionaries, None if there is none."""
    for part in name.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def shown(value: Any) -> str:
    """A value as a user writes it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(shown, value))}]"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
