"""Read the signatures of a .tflite file, without LiteRT."""

import struct
from typing import Any

from flatbuffers.table import Table

from impasto.configs.errors import CheckFailed
from impasto.export.litert import schema

Ends = dict[str, dict[str, tuple[str, tuple[int, ...]]]]
"""`inputs` and `outputs`: by name, the type and the shape of each."""


def signatures(data: bytes, name: str) -> dict[str, Ends]:
    """Return the inputs and outputs of each signature by its key.

    Args:
        data: The file.
        name: Its name, for the error.

    Raises:
        CheckFailed: The file is not a .tflite file.
    """
    if data[4:8] != schema.IDENTIFIER:
        raise CheckFailed(f"{name} is not a .tflite file; export again")
    try:
        model = Table(data, int.from_bytes(data[:4], "little"))
        subgraphs = _tables(model, schema.Model.SUBGRAPHS)
        return {
            _text(signature, schema.Signature.KEY): _ends(signature, subgraphs)
            for signature in _tables(model, schema.Model.SIGNATURES)
        }
    except (IndexError, TypeError, UnicodeError, ValueError, struct.error) as error:
        raise CheckFailed(f"{name} is damaged; export again") from error


def _ends(signature: Any, subgraphs: list[Any]) -> Ends:
    tensors = _tables(subgraphs[_number(signature, schema.Signature.SUBGRAPH, 4)], schema.Subgraph.TENSORS)
    return {
        end: {
            _text(entry, schema.TensorMap.NAME): _described(tensors[_number(entry, schema.TensorMap.TENSOR, 4)])
            for entry in _tables(signature, field)
        }
        for end, field in (("inputs", schema.Signature.INPUTS), ("outputs", schema.Signature.OUTPUTS))
    }


def _described(tensor: Any) -> tuple[str, tuple[int, ...]]:
    start, count = _vector(tensor, schema.Tensor.SHAPE)
    shape = struct.unpack_from(f"<{count}i", tensor.Bytes, start)
    return schema.Type(_number(tensor, schema.Tensor.TYPE, 1)).name.lower(), shape


def _position(table: Any, field: schema.Field) -> int:
    """Where a field is, counted from its table; 0 for one that has its default."""
    return int(table.Offset(4 + 2 * field.slot))


def _number(table: Any, field: schema.Field, size: int) -> int:
    position = _position(table, field)
    return int.from_bytes(table.Bytes[table.Pos + position :][:size], "little") if position else 0


def _text(table: Any, field: schema.Field) -> str:
    return bytes(table.String(table.Pos + _position(table, field))).decode()


def _vector(table: Any, field: schema.Field) -> tuple[int, int]:
    """The start and the length of a vector."""
    position = _position(table, field)
    return (int(table.Vector(position)), int(table.VectorLen(position))) if position else (0, 0)


def _tables(table: Any, field: schema.Field) -> list[Any]:
    start, count = _vector(table, field)
    if count > len(table.Bytes) // 4:
        raise ValueError("a vector is longer than the file")
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(count)]
