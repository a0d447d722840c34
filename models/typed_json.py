"""Dataclasses that JSON files are made of. Each is checked when it is read, and has a JSON schema."""

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from impasto.configs.errors import CheckFailed
from impasto.configs.terminal import printable

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter


LONGEST = 4096  # characters of a text in a file that anyone may have written


class TypedJson:
    """Base of such a dataclass. The string below a field is the field's description in the schema."""

    __pydantic_config__: ClassVar["ConfigDict"] = {"extra": "forbid", "use_attribute_docstrings": True}

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values: every key is present, an unset field is None."""
        values: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json")
        return values

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Return the object that `to_json` turned into these values.

        Raises:
            CheckFailed: A key is missing or unknown, or its value has another type.
        """
        from pydantic import ValidationError

        try:
            result: Self = _adapter(cls).validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"]) or "value"
            message = " ".join(first["msg"].split())
            raise CheckFailed(f"the JSON of {cls.__name__} has an invalid {key} ({message})") from error
        return result

    @classmethod
    def schema(cls, mode: Literal["serialization", "validation"] = "serialization") -> dict[str, Any]:
        """Return the JSON schema of what `to_json` returns, or of what `from_json` accepts (`validation`)."""
        return _adapter(cls).json_schema(mode=mode)


class ForeignJson(TypedJson):
    """Base of such a dataclass that is read from files which anyone may have written, and shown or written again.

    Texts are one line of at most LONGEST characters; control characters, and surrogates that stand alone, are escaped.
    """

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Return the object that `to_json` turned into these values.

        Raises:
            CheckFailed: A key is missing or unknown, or its value has another type; a text is too long.
        """
        try:
            return super().from_json(_one_line(values))
        except RecursionError as error:
            raise CheckFailed(f"the JSON of {cls.__name__} is nested too deeply") from error


def _one_line(value: Any) -> Any:
    if isinstance(value, dict):
        return {_one_line(key): _one_line(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_one_line(item) for item in value]
    if not isinstance(value, str):
        return value
    if len(value) > LONGEST:
        start = printable(value[:20])
        raise CheckFailed(f"its text {start}... has {len(value):,} characters, more than {LONGEST:,}")
    return value if value == printable(value) else printable(" ".join(value.split()))


_ADAPTERS: dict[Any, "TypeAdapter[Any]"] = {}  # building one of a manifest takes a tenth of a second


def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # here, so that importing a card, a contract or a manifest does not load it

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
