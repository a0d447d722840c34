"""Write a network as a .tflite file: RGBA bytes in and out, a signature for each size, weights once."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from impasto.export.litert import network as operators
from impasto.export.litert import schema
from impasto.export.litert.contracts import METADATA, litert_contract, signature
from impasto.export.litert.flatbuffer import FlatBuffer, Offset
from impasto.export.litert.graph import Buffers, Graph, Node, Tensor, Value
from impasto.models.card import STYLES
from impasto.models.contract import INPUT, OUTPUT, Label, metadata
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet

_LAST_BYTE = 127  # the largest code in the byte that old readers know


def write(network: TransformNet | Store, path: Path, sizes: Sequence[tuple[int, int]], label: Label) -> None:
    """Write a network as a .tflite file; the same network gives the same bytes.

    Args:
        network: A network, or a store, whose file has the weights of the styles as a second input; rescaled for fp16
            (`fp16_safe`) if a GPU is to run it.
        path: The file to write.
        sizes: (height, width) of each signature, multiples of the network's stride; the first one runs where no
            signature is named.
        label: The style and version for the metadata.

    Raises:
        TypeError: A module of the network has no LiteRT operators.
    """
    assert not any(side % network.stride for size in sizes for side in size)
    file, buffers = FlatBuffer(), Buffers()
    kinds: list[schema.Operator] = []
    subgraphs: list[Offset] = []
    signatures: list[Offset] = []
    for height, width in sizes:
        graph, key = Graph(buffers), signature(height, width)
        inputs = {INPUT: graph.tensor((1, height, width, 4), schema.Type.UINT8)}
        if isinstance(network, Store):
            inputs[STYLES] = graph.tensor((1, 1, 1, len(network.networks)))
            styled = operators.with_styles(network, graph, inputs[STYLES])
            stylized = operators.stylize(styled, graph, inputs[INPUT])
        else:
            stylized = operators.stylize(network, graph, inputs[INPUT])
        for name, value in (*inputs.items(), (OUTPUT, stylized)):
            graph.name(value, name)
        signatures.append(_signature(file, key, len(subgraphs), inputs, stylized))
        subgraphs.append(_subgraph(file, graph, key, inputs, stylized, kinds))
    entry = {
        schema.Metadata.NAME: file.text(METADATA),
        schema.Metadata.BUFFER: buffers.add(json.dumps(_properties(network, label), sort_keys=True).encode()),
    }
    root = {
        schema.Model.VERSION: schema.VERSION,
        schema.Model.OPERATOR_CODES: file.offsets([_code(file, kind) for kind in kinds]),
        schema.Model.SUBGRAPHS: file.offsets(subgraphs),
        schema.Model.DESCRIPTION: file.text("impasto"),
        schema.Model.BUFFERS: file.offsets([_buffer(file, content) for content in buffers.contents]),
        schema.Model.METADATA: file.offsets([file.table(entry)]),
        schema.Model.SIGNATURES: file.offsets(signatures),
    }
    path.write_bytes(file.finish(file.table(root), schema.IDENTIFIER))


def _properties(network: TransformNet | Store, label: Label) -> dict[str, str]:
    styles = len(network.networks) if isinstance(network, Store) else 0
    return metadata(label, litert_contract(styles), "fp16")


def _subgraph(
    file: FlatBuffer,
    graph: Graph,
    name: str,
    inputs: Mapping[str, Value],
    stylized: Value,
    kinds: list[schema.Operator],
) -> Offset:
    return file.table(
        {
            schema.Subgraph.TENSORS: file.offsets([_tensor(file, tensor) for tensor in graph.tensors]),
            schema.Subgraph.INPUTS: file.integers([value.index for value in inputs.values()]),
            schema.Subgraph.OUTPUTS: file.integers([stylized.index]),
            schema.Subgraph.OPERATORS: file.offsets([_node(file, node, kinds) for node in graph.nodes]),
            schema.Subgraph.NAME: file.text(name),
        }
    )


def _tensor(file: FlatBuffer, tensor: Tensor) -> Offset:
    return file.table(
        {
            schema.Tensor.SHAPE: file.integers(tensor.shape),
            schema.Tensor.TYPE: tensor.type,
            schema.Tensor.BUFFER: tensor.buffer,
            schema.Tensor.NAME: file.text(tensor.name),
        }
    )


def _node(file: FlatBuffer, node: Node, kinds: list[schema.Operator]) -> Offset:
    if node.operator not in kinds:
        kinds.append(node.operator)
    fields = {
        schema.Node.KIND: kinds.index(node.operator),
        schema.Node.INPUTS: file.integers(node.inputs),
        schema.Node.OUTPUTS: file.integers([node.output]),
    }
    if node.operator.options:
        fields |= {
            schema.Node.OPTIONS_TYPE: node.operator.options,
            schema.Node.OPTIONS: file.table(node.options),
        }
    return file.table(fields)


def _signature(file: FlatBuffer, key: str, subgraph: int, inputs: Mapping[str, Value], stylized: Value) -> Offset:
    *ends, output = (
        file.table({schema.TensorMap.NAME: file.text(name), schema.TensorMap.TENSOR: value.index})
        for name, value in (*inputs.items(), (OUTPUT, stylized))
    )
    return file.table(
        {
            schema.Signature.INPUTS: file.offsets(ends),
            schema.Signature.OUTPUTS: file.offsets([output]),
            schema.Signature.KEY: file.text(key),
            schema.Signature.SUBGRAPH: subgraph,
        }
    )


def _code(file: FlatBuffer, kind: schema.Operator) -> Offset:
    return file.table(
        {
            schema.OperatorCode.DEPRECATED_CODE: min(kind.code, _LAST_BYTE),
            schema.OperatorCode.VERSION: kind.version,
            schema.OperatorCode.CODE: kind.code,
        }
    )


def _buffer(file: FlatBuffer, content: bytes) -> Offset:
    data = {schema.Buffer.DATA: file.data(content, schema.BUFFER_ALIGNMENT)} if content else {}
    return file.table(data)
