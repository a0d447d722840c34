"""Dataclasses that JSON files are made of. Each is checked when it is read, and has a JSON schema."""

import json
from typing import TYPE_CHECKING, Any, ClassVar, Self

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
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the object that `to_json` turned into these values.

        Raises:
            CheckFailed: A key is missing or unknown, or its value has another type.
        """
        from pydantic import ValidationError

        try:
            result: Self = _adapter(cls).validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise CheckFailed(f"the JSON of {cls.__name__} has a wrong {key or 'value'}: {first['msg']}") from error
        return result

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON schema of what `to_json` returns."""
        return _adapter(cls).json_schema(mode="serialization")


def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # here, so that importing a contract or a manifest does not load it

    return TypeAdapter(kind)
