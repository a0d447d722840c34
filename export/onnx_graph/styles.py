"""One style of a store, a blend of several, or the style of a file, as a separate ONNX model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from impasto.models import style_file
from impasto.models.card import STYLE_NAMES, STYLES
from impasto.models.contract import onnx_contract, sentence

Norms = NDArray[np.float32]
"""The scale and the shift of each norm in turn, float32 [values], as a style file has them."""


def norms(model: onnx.ModelProto, weights: Sequence[float] | Norms) -> Norms:
    """Return the norms of a blend of styles.

    Args:
        model: The model of a store, whose tables may be stored in 16 bits.
        weights: The weight of each style.
    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    tensors |= {node.output[0]: tensors[node.input[0]] for node in model.graph.node if _widens(node, tensors)}
    tables = [numpy_helper.to_array(tensors[node.input[1]]).astype(np.float32) for node in _blends(model)]
    return np.concatenate([np.asarray(weights, np.float32) @ table for table in tables])


def with_norms(model: onnx.ModelProto, values: Norms) -> onnx.ModelProto:
    """Return the model of a single style: its norms have constants, and it has no input of weights."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    tensors, blends = {tensor.name: tensor for tensor in graph.initializer}, _blends(result)
    tensors |= {node.output[0]: tensors[node.input[0]] for node in graph.node if _widens(node, tensors)}
    ends = np.cumsum([tensors[node.input[1]].dims[1] for node in blends])[:-1]
    unused = {node.input[1] for node in blends}
    for node, part in zip(blends, np.split(values, ends), strict=True):
        graph.initializer.append(numpy_helper.from_array(part, node.output[0]))
        graph.node.remove(node)
    for node in [node for node in graph.node if unused & {*node.output}]:
        unused.add(node.input[0])
        graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name in unused]:
        graph.initializer.remove(tensor)
    for value in [value for value in graph.input if value.name == STYLES]:
        graph.input.remove(value)
    return result


def blended(model: onnx.ModelProto, weights: Sequence[float] | Norms) -> onnx.ModelProto:
    """Return the model of a blend of styles; `weights` has the weight of each."""
    return with_norms(model, norms(model, weights))


def with_files(
    model: onnx.ModelProto, path: Path, weights: Norms, files: Mapping[str, float]
) -> tuple[onnx.ModelProto, list[int | None]]:
    """Return the model of a blend with styles of files.

    Args:
        model: The model of a store.
        path: Its file, for messages.
        weights: The weight of each style of the store.
        files: The weight of each style file, by its path.

    Returns:
        The model, and the stroke resolution of each file's style.

    Raises:
        UsageError: A file cannot be read, or is a style of another network.
    """
    values = norms(model, weights)
    network = {item.key: item.value for item in model.metadata_props}.get(style_file.NETWORK, "")
    resolutions = []
    for name, weight in files.items():
        file = Path(name).expanduser()
        loaded = style_file.load(file)
        loaded.check_network(file, network, len(values), str(path))
        values = values + np.float32(weight) * loaded.norms
        resolutions.append(loaded.style.stroke_resolution)
    return with_norms(model, values), resolutions


def layout(model: onnx.ModelProto, values: Norms) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the file of a single style of a store, and where its norms are, so that an app can write another style.

    Args:
        model: The model of a store.
        values: The norms of the style.

    Returns:
        The bytes of the file; and for each part of the norms in turn, the offset of its little-endian float32 values
        in the file, and their number.
    """
    single = with_norms(model, values)
    properties = {item.key: item.value for item in single.metadata_props if item.key not in (STYLES, STYLE_NAMES)}
    io = "uint8_rgba" if single.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8 else "float32_rgb"
    onnx.helper.set_model_props(single, properties | {"contract": sentence(onnx_contract(io))})
    marked, random = onnx.ModelProto(), np.random.default_rng(0)
    marked.CopyFrom(single)
    names = {node.output[0] for node in _blends(model)}
    marks = []
    for tensor in (tensor for tensor in marked.graph.initializer if tensor.name in names):
        marks.append(random.bytes(len(tensor.raw_data)))
        tensor.raw_data = marks[-1]
    content = marked.SerializeToString(deterministic=True)
    places = [(content.index(mark), len(mark) // 4) for mark in marks]
    return single.SerializeToString(deterministic=True), places


def _blends(model: onnx.ModelProto) -> list[NodeProto]:
    """The nodes that blend a table of norms by the weights of the styles."""
    return [node for node in model.graph.node if node.op_type == "MatMul" and node.input[0] == STYLES]


def _widens(node: NodeProto, tensors: dict[str, onnx.TensorProto]) -> bool:
    """Whether a node widens a tensor that is stored in 16 bits."""
    return node.op_type == "Cast" and node.input[0] in tensors
