"""Read a .tflite file, without LiteRT."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from flatbuffers.table import Table

from impasto.configs.errors import CheckFailed
from impasto.export.litert import schema

Ends = dict[str, dict[str, tuple[str, tuple[int, ...]]]]
"""`inputs` and `outputs`: by name, the type and the shape of each."""
_BYTES: dict[schema.Kind, int] = {
    **dict.fromkeys((schema.Kind.BOOL, schema.Kind.INT8, schema.Kind.UINT8), 1),
    **dict.fromkeys((schema.Kind.INT32, schema.Kind.UINT32), 4),
}
T = TypeVar("T")


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a subgraph; the content of a constant, empty for a result of an operator."""

    shape: tuple[int, ...]
    type: schema.Type
    content: bytes


@dataclass(frozen=True)
class StoredNode:
    """An operator of a subgraph, with the indices of its inputs and its output."""

    code: int
    """Its kind, as in `schema.Operator`."""
    inputs: tuple[int, ...]
    output: int
    option: Callable[[schema.Field], int]
    """Reads a field of its options."""


@dataclass(frozen=True)
class StoredSubgraph:
    """What one signature runs, in the order of execution."""

    tensors: tuple[StoredTensor, ...]
    nodes: tuple[StoredNode, ...]
    inputs: tuple[int, ...]
    output: int


def signatures(data: bytes, name: str) -> dict[str, Ends]:
    """Return the inputs and outputs of each signature by its key.

    Args:
        data: The file.
        name: Its name, for the error.

    Raises:
        CheckFailed: The file is not a .tflite file.
    """
    return _each_signature(data, name, _ends)


def subgraphs(data: bytes, name: str) -> dict[str, StoredSubgraph]:
    """Return the subgraph of each signature by its key, of a file whose signatures have one output.

    Args:
        data: The file.
        name: Its name, for the error.

    Raises:
        CheckFailed: The file is not a .tflite file.
    """
    return _each_signature(data, name, _subgraph)


def _each_signature(data: bytes, name: str, read: Callable[[Any, Any], T]) -> dict[str, T]:
    if data[4:8] != schema.IDENTIFIER:
        raise CheckFailed(f"{name} is not a .tflite file; export again")
    try:
        model = Table(data, int.from_bytes(data[:4], "little"))
        return {
            _text(signature, schema.Signature.KEY): read(model, signature)
            for signature in _tables(model, schema.Model.SIGNATURES)
        }
    except (IndexError, TypeError, UnicodeError, ValueError, struct.error) as error:
        raise CheckFailed(f"{name} is damaged; export again") from error


def _ends(model: Any, signature: Any) -> Ends:
    subgraph = _tables(model, schema.Model.SUBGRAPHS)[_number(signature, schema.Signature.SUBGRAPH)]
    tensors = _tables(subgraph, schema.Subgraph.TENSORS)
    return {
        end: {
            _text(entry, schema.TensorMap.NAME): _described(tensors[_number(entry, schema.TensorMap.TENSOR)])
            for entry in _tables(signature, field)
        }
        for end, field in (("inputs", schema.Signature.INPUTS), ("outputs", schema.Signature.OUTPUTS))
    }


def _described(tensor: Any) -> tuple[str, tuple[int, ...]]:
    return _type(tensor).name.lower(), _integers(tensor, schema.Tensor.SHAPE)


def _subgraph(model: Any, signature: Any) -> StoredSubgraph:
    subgraph = _tables(model, schema.Model.SUBGRAPHS)[_number(signature, schema.Signature.SUBGRAPH)]
    codes = [_number(code, schema.OperatorCode.CODE) for code in _tables(model, schema.Model.OPERATOR_CODES)]
    buffers = _tables(model, schema.Model.BUFFERS)
    (output,) = _integers(subgraph, schema.Subgraph.OUTPUTS)
    return StoredSubgraph(
        tuple(map(partial(_tensor, buffers), _tables(subgraph, schema.Subgraph.TENSORS))),
        tuple(map(partial(_node, codes), _tables(subgraph, schema.Subgraph.OPERATORS))),
        _integers(subgraph, schema.Subgraph.INPUTS),
        output,
    )


def _tensor(buffers: list[Any], tensor: Any) -> StoredTensor:
    start, count = _vector(buffers[_number(tensor, schema.Tensor.BUFFER)], schema.Buffer.DATA)
    content = bytes(tensor.Bytes[start : start + count])
    return StoredTensor(_integers(tensor, schema.Tensor.SHAPE), _type(tensor), content)


def _node(codes: list[int], node: Any) -> StoredNode:
    (output,) = _integers(node, schema.Node.OUTPUTS)
    position = _position(node, schema.Node.OPTIONS)
    options = Table(node.Bytes, node.Indirect(node.Pos + position)) if position else None
    return StoredNode(
        codes[_number(node, schema.Node.KIND)],
        _integers(node, schema.Node.INPUTS),
        output,
        lambda field: _number(options, field) if options else 0,
    )


def _type(tensor: Any) -> schema.Type:
    return schema.Type(_number(tensor, schema.Tensor.TYPE))


def _position(table: Any, field: schema.Field) -> int:
    """Where a field is, counted from its table; 0 for one that has its default."""
    return int(table.Offset(4 + 2 * field.slot))


def _number(table: Any, field: schema.Field) -> int:
    position = _position(table, field)
    return int.from_bytes(table.Bytes[table.Pos + position :][: _BYTES[field.kind]], "little") if position else 0


def _text(table: Any, field: schema.Field) -> str:
    return bytes(table.String(table.Pos + _position(table, field))).decode()


def _vector(table: Any, field: schema.Field) -> tuple[int, int]:
    """The start and the length of a vector."""
    position = _position(table, field)
    return (int(table.Vector(position)), int(table.VectorLen(position))) if position else (0, 0)


def _integers(table: Any, field: schema.Field) -> tuple[int, ...]:
    start, count = _vector(table, field)
    return struct.unpack_from(f"<{count}i", table.Bytes, start)


def _tables(table: Any, field: schema.Field) -> list[Any]:
    start, count = _vector(table, field)
    if count > len(table.Bytes) // 4:
        raise ValueError("a vector is longer than the file")
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(count)]
