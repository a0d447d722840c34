"""The nodes, weights and constants of an ONNX graph, as a writer adds them."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor

_Content = tuple[str, tuple[int, ...], bytes]  # of a tensor: type, shape, values


class GraphBuilder:
    """Nodes in the order of their execution, and weights and constants, each stored once."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[_Content, onnx.TensorProto] = {}
        self.constants: dict[_Content, onnx.TensorProto] = {}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; its output."""
        output = f"value {len(self.nodes)}"
        node = helper.make_node(operator, inputs, [output])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return output

    def constant(self, value: int | float | list[int] | list[float]) -> str:
        """Store integers as int64 and other numbers as float32; the tensor's name."""
        array = np.array(value)
        return _store(self.constants, array.astype(np.int64 if array.dtype.kind == "i" else np.float32), "constant")

    def weight(self, weight: Tensor) -> str:
        """Store a weight; its name."""
        return _store(self.weights, weight.detach().float().cpu().contiguous().numpy(), "weight")

    def upsample(self, x: str, factor: float, mode: str) -> str:
        """Add an enlargement by a factor, `bilinear` or `nearest`; its output."""
        scales = self.constant([1.0, 1.0, factor, factor])
        # OpenCV reads the mode of a Resize only if its coordinates are named; asymmetric ones are ONNX Runtime's fast
        # path.
        linear = {"mode": "linear"} if mode == "bilinear" else {}
        coordinates = "half_pixel" if linear else "asymmetric"
        return self.add(
            "Resize", x, "", scales, **linear, nearest_mode="floor", coordinate_transformation_mode=coordinates
        )


def _store(tensors: dict[_Content, onnx.TensorProto], array: NDArray[Any], prefix: str) -> str:
    """Store an array unless an equal one is stored; its name."""
    content = array.dtype.str, array.shape, array.tobytes()
    return tensors.setdefault(content, numpy_helper.from_array(array, f"{prefix} {len(tensors)}")).name
