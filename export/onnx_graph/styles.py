"""One style of a store, or a blend of several, as an ONNX model of its own."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from impasto.models.card import STYLES


def blended(model: onnx.ModelProto, weights: Sequence[float] | NDArray[np.float32]) -> onnx.ModelProto:
    """Return the model of a blend of styles: its norms have constants, and it has no input of weights.

    Args:
        model: The model of a store, whose tables may be stored in 16 bits.
        weights: The weight of each style.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    tensors |= {node.output[0]: tensors[node.input[0]] for node in graph.node if _widens(node, tensors)}
    replaced = [node for node in graph.node if node.op_type == "MatMul" and node.input[0] == STYLES]
    for node in replaced:
        table = numpy_helper.to_array(tensors[node.input[1]]).astype(np.float32)
        row = np.asarray(weights, np.float32) @ table
        graph.initializer.append(numpy_helper.from_array(row, node.output[0]))
        graph.node.remove(node)
    unused = {node.input[1] for node in replaced}
    for node in [node for node in graph.node if unused & {*node.output}]:
        unused.add(node.input[0])
        graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name in unused]:
        graph.initializer.remove(tensor)
    for value in [value for value in graph.input if value.name == STYLES]:
        graph.input.remove(value)
    return result


def _widens(node: onnx.NodeProto, tensors: dict[str, onnx.TensorProto]) -> bool:
    """Whether a node widens a tensor that is stored in 16 bits."""
    return node.op_type == "Cast" and node.input[0] in tensors
