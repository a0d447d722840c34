"""What the schema says of a key: description, type, default, range or choices. Validates a whole configuration."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, is_dataclass, replace
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin

from pydantic import ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from impasto.configs.errors import UsageError

T = TypeVar("T")
REQUIRED = "???"  # OmegaConf's default of a key that must be given
CONFIG = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False, defer_build=True)
_WORDS = {int: "an integer", float: "a number", str: "text", bool: "true or false", NoneType: "null"}
_PROBLEMS = {  # pydantic's types of errors that concern no value
    "unexpected_keyword_argument": "is not known",
    "missing": "is missing",
    "dataclass_type": "is a group of keys; set one of them",
}


@dataclass(frozen=True)
class Key:
    """The metadata of an annotated field. Limits of a list hold for each element; null needs a type with None.

    A number with limits may have choices, too, if its type includes str: words that stand for a number.
    """

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
        with suppress(ValidationError):
            parsed = parse(value)
            parts, given = (one if isinstance(one, list) else [one] for one in (parsed, value))
            if all(map(self._allows, parts, given)):
                return parsed
        raise PydanticCustomError("key", "{expected}", {"expected": self.expected})

    def _allows(self, value: Any, given: Any) -> bool:
        if value is None or value in self.choices or (self.low is None and not self.choices):
            return True
        if self.low is None or isinstance(value, str) or isinstance(given, bool):  # pydantic reads true as 1
            return False
        return self.low <= value <= self.high and (self.step == 1 or value % self.step == 0)

    @property
    def expected(self) -> str:
        """The type and the limits in words."""
        return self._words(self.hint)

    def _words(self, hint: Any) -> str:
        if get_origin(hint) is list:
            return f"a list, each element {self._words(get_args(hint)[0])}"
        if kinds := get_args(hint):
            return " or ".join(map(self._words, kinds))
        if hint is not NoneType and self.path:
            return self.path
        if hint is not NoneType and self.choices and (hint is str or self.low is None):
            return f"one of {', '.join(map(str, self.choices))}"
        if hint is NoneType or self.low is None:
            return _WORDS[hint]
        bounded = f"from {self.low:.10g} to {self.high:.10g}"
        limits = bounded if self.high < math.inf else f"of at least {self.low:.10g}"
        return f"{_WORDS[hint]} {limits}" + (f" and a multiple of {self.step}" if self.step > 1 else "")


@cache
def keys(schema: type, prefix: str = "") -> dict[str, Key]:
    """Every key of a schema by its dotted name, in the schema's order."""
    result: dict[str, Key] = {}
    for name, field in cast(Any, schema).__pydantic_fields__.items():
        if is_dataclass(field.annotation):
            result |= keys(cast(type, field.annotation), f"{prefix}{name}.")
        else:
            default = REQUIRED if field.is_required() else field.get_default(call_default_factory=True)
            result[f"{prefix}{name}"] = replace(field.metadata[0], hint=field.annotation, default=default)
    return result


def validate(schema: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """An instance of `schema`; UsageError for the first value that is wrong. `prefix` stands before its keys."""
    try:
        return schema(**values)
    except ValidationError as error:
        problem = error.errors()[0]
    wrong = f"={shown(problem['input'])} is invalid; it must be {problem['msg']}"
    about = _PROBLEMS.get(problem["type"])
    raise UsageError(prefix + ".".join(map(str, problem["loc"])) + (f" {about}" if about else wrong))


def shown(value: Any) -> str:
    """A value as a user writes it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(shown, value))}]"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
