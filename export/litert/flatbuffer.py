"""Write a FlatBuffer that stores equal tables, vectors and texts once, so that a file is small and deterministic."""

from collections.abc import Mapping, Sequence
from typing import Any

from flatbuffers import Builder

from impasto.export.litert.schema import Field

Offset = int
"""Where a table, a vector or a text is, as the builder counts."""


class FlatBuffer:
    """A file that is written from its leaves to its root."""

    def __init__(self) -> None:
        self._builder: Any = Builder(0)
        self._written: dict[object, Offset] = {}

    def text(self, text: str) -> Offset:
        """Write a text."""
        return self._once(text, lambda: self._builder.CreateString(text))

    def integers(self, values: Sequence[int]) -> Offset:
        """Write a vector of 32-bit integers."""
        return self._vector("int", values, self._builder.PrependInt32)

    def offsets(self, offsets: Sequence[Offset]) -> Offset:
        """Write a vector of tables that are written."""
        return self._vector("offset", offsets, self._builder.PrependUOffsetTRelative)

    def data(self, data: bytes, alignment: int) -> Offset:
        """Write bytes that start at a multiple of `alignment`."""

        def write() -> Offset:
            self._builder.StartVector(1, len(data), alignment)
            head = self._builder.head = self._builder.Head() - len(data)
            self._builder.Bytes[head : head + len(data)] = data
            return self._builder.EndVector()

        return self._once((data, alignment), write)

    def table(self, fields: Mapping[Field, int]) -> Offset:
        """Write a table; a field of kind OFFSET is what another method returned. A field of 0 takes no bytes."""

        def write() -> Offset:
            self._builder.StartObject(1 + max((field.slot for field in fields), default=-1))
            for (slot, kind), value in fields.items():
                getattr(self._builder, f"Prepend{kind.value}Slot")(slot, value, 0)
            return self._builder.EndObject()

        return self._once(("table", *fields.items()), write)

    def finish(self, root: Offset, identifier: bytes) -> bytes:
        """Return the file."""
        self._builder.Finish(root, identifier)
        return bytes(self._builder.Output())

    def _vector(self, kind: str, values: Sequence[int], prepend: Any) -> Offset:
        def write() -> Offset:
            self._builder.StartVector(4, len(values), 4)
            for value in reversed(values):
                prepend(value)
            return self._builder.EndVector()

        return self._once((kind, *values), write)

    def _once(self, content: object, write: Any) -> Offset:
        if content not in self._written:
            self._written[content] = int(write())
        return self._written[content]
