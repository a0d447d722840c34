"""Make .ort files deterministic: ONNX Runtime writes one of their tables in the order of a random hash.

A .ort file is a FlatBuffer (onnxruntime/core/flatbuffers/schema/ort.fbs), written from its end to its start: the model,
then the table of types by which kernels are selected, then the root. The model stays as it is; the rest is
rewritten.
"""

from typing import Any

from flatbuffers import Builder
from flatbuffers.table import Table

_VERSION, _MODEL, _TYPES = 0, 1, 3  # fields of the root
_IDENTIFIER = b"ORTM"
_ALIGNMENT = 16  # of weights, the largest of the file

Types = dict[bytes, dict[bytes, list[tuple[int, int]]]]
"""Operator -> type name -> the inputs (0) or outputs (1) of that type, with the index of each."""


def canonical(data: bytes) -> bytes:
    """Return an equivalent .ort file whose table of types is in alphabetical order."""
    root = Table(data, int.from_bytes(data[:4], "little"))
    model = _table(root, _MODEL).Pos
    # The vtable precedes its table, unless the table shares the one of an earlier table.
    start = min(model, model - int.from_bytes(data[model : model + 4], "little", signed=True))
    builder = Builder(len(data))
    builder.Bytes[start:] = data[start:]
    builder.head, builder.minalign = start, _ALIGNMENT
    types = _write_types(builder, _read_types(_table(root, _TYPES)))
    version = builder.CreateString(_string(root, _VERSION))
    builder.StartObject(4)
    for field, offset in ((_VERSION, version), (_MODEL, len(data) - model), (_TYPES, types)):
        builder.PrependUOffsetTRelativeSlot(field, offset, 0)
    builder.Finish(builder.EndObject(), _IDENTIFIER)
    return bytes(builder.Output())


def _read_types(table: Any) -> Types:
    return {
        _string(operator, 0): {
            _string(kind, 0): [(_number(end, 0, 1), _number(end, 1, 4)) for end in _tables(kind, 1)]
            for kind in _tables(operator, 1)
        }
        for operator in _tables(table, 0)
    }


def _write_types(builder: Any, types: Types) -> int:
    operators = []
    for operator, kinds in sorted(types.items()):
        entries = []
        for kind, ends in sorted(kinds.items()):
            offsets = []
            for side, index in ends:
                builder.StartObject(2)
                builder.PrependInt8Slot(0, side, 0)
                builder.PrependUint32Slot(1, index, 0)
                offsets.append(builder.EndObject())
            entries.append(_write_entry(builder, kind, offsets))
        operators.append(_write_entry(builder, operator, entries))
    vector = _write_vector(builder, operators)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, vector, 0)
    return int(builder.EndObject())


def _write_entry(builder: Any, key: bytes, parts: list[int]) -> int:
    name, vector = builder.CreateSharedString(key), _write_vector(builder, parts)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    return int(builder.EndObject())


def _write_vector(builder: Any, parts: list[int]) -> int:
    builder.StartVector(4, len(parts), 4)
    for part in reversed(parts):
        builder.PrependUOffsetTRelative(part)
    return int(builder.EndVector())


def _field(table: Any, field: int) -> int:
    return int(table.Offset(4 + 2 * field))


def _string(table: Any, field: int) -> bytes:
    return bytes(table.String(table.Pos + _field(table, field)))


def _number(table: Any, field: int, size: int) -> int:
    start = _field(table, field)
    return int.from_bytes(table.Bytes[table.Pos + start : table.Pos + start + size], "little") if start else 0


def _table(table: Any, field: int) -> Any:
    return Table(table.Bytes, table.Indirect(table.Pos + _field(table, field)))


def _tables(table: Any, field: int) -> list[Any]:
    start, count = table.Vector(_field(table, field)), table.VectorLen(_field(table, field))
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(count)]
