"""Dataclasses that JSON files are made of. Each is checked when it is read, and has a JSON schema."""

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from impasto.configs.errors import CheckFailed

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter


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


def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # here, so that importing a card, a contract or a manifest does not load it

    return TypeAdapter(kind)
