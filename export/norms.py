"""Instance norms taken apart: their statistics as what a graph gives, or as what it is given.

An instance norm whose mean and variance are known is a batch norm, which ONNX Runtime folds into the convolution before
it. So a tile is normalised as the whole picture is (Thumbnail Instance Normalization of URST, Chen et al. 2022).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from impasto.export.label import STATISTICS

Floats = NDArray[np.float32]
Statistics = Sequence[tuple[Floats, Floats]]
"""For each norm, in the order of the graph: the mean and the variance [C] of each channel, over the whole picture."""


def norms(model: onnx.ModelProto) -> list[NodeProto]:
    """The instance norms of a graph, in its order."""
    return [node for node in model.graph.node if node.op_type == "InstanceNormalization"]


def channels(model: onnx.ModelProto) -> list[int]:
    """The number of channels of each norm."""
    sizes = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    # A scale that is stored in 16 bits is widened by a node.
    sizes |= {node.output[0]: sizes[node.input[0]] for node in model.graph.node if node.input[0] in sizes}
    return [sizes[norm.input[1]] for norm in norms(model)]


def known(model: onnx.ModelProto, statistics: Statistics) -> onnx.ModelProto:
    """A copy whose first norms have these statistics, as constants; the norms after them stay."""
    made = _copy(model)
    for number, (norm, values) in enumerate(zip(norms(made), statistics, strict=False)):
        names = [f"norm{number}.{what}" for what in ("mean", "variance")]
        made.graph.initializer.extend(
            numpy_helper.from_array(value, name) for value, name in zip(values, names, strict=True)
        )
        _give(norm, names)
    return made


def before(model: onnx.ModelProto, number: int) -> str:
    """The name of what the norm of this number normalises."""
    return norms(model)[number].input[0]


def part(model: onnx.ModelProto, outputs: Sequence[str], sources: Sequence[str] = ()) -> onnx.ModelProto:
    """What of a graph leads to these values; it starts from `sources`, float values inside it, where they stand."""
    needed, nodes = {*outputs}, []
    for node in reversed(model.graph.node):
        if needed & ({*node.output} - {*sources}):
            nodes.append(node)
            needed |= {*node.input}
    graph = helper.make_graph(
        [*reversed(nodes)],
        model.graph.name,
        [value for value in model.graph.input if value.name in needed]
        + [_value(name, [None] * 4) for name in sources if name in needed],
        [
            next((value for value in model.graph.output if value.name == name), _value(name, [None] * 4))
            for name in outputs
        ],
        [tensor for tensor in model.graph.initializer if tensor.name in needed],
    )
    made = _copy(model)
    made.graph.CopyFrom(graph)
    return made


def live(model: onnx.ModelProto, number: int) -> list[str]:
    """Once the inputs of the norms up to this one are known: what the rest of the graph takes from that part.

    Only what has been through a convolution counts; the pixels themselves are at hand anyway.
    """
    graph, known_, deep = model.graph, {before(model, i) for i in range(number + 1)}, set[str]()
    for node in graph.node:
        if node.op_type == "Conv" or deep & {*node.input}:
            deep |= {*node.output}
    for node in reversed(graph.node):
        if known_ & {*node.output}:
            known_ |= {*node.input}
    later = {name for node in graph.node if not known_ & {*node.output} for name in node.input}
    return [name for node in graph.node for name in node.output if name in known_ & deep & later]


def measuring(model: onnx.ModelProto) -> onnx.ModelProto:
    """From the image to its STATISTICS, for images of every size that the model takes."""
    made = _copy(model)
    axes = numpy_helper.from_array(np.array([2, 3]), f"{STATISTICS}.axes")
    rows: dict[str, list[str]] = {"mean": [], "variance": []}
    nodes: list[NodeProto] = []
    for number, norm in enumerate(norms(made)):
        x, name = norm.input[0], f"norm{number}"
        nodes += [
            helper.make_node("ReduceMean", [x, axes.name], [f"{name}.mean"]),
            helper.make_node("Sub", [x, f"{name}.mean"], [f"{name}.centred"]),
            helper.make_node("Mul", [f"{name}.centred"] * 2, [f"{name}.squared"]),
            helper.make_node("ReduceMean", [f"{name}.squared", axes.name], [f"{name}.variance"]),
        ]
        for what, names in rows.items():
            names.append(f"{name}.{what}")
    flat = numpy_helper.from_array(np.array([1, -1]), f"{STATISTICS}.shape")
    for what, names in rows.items():
        nodes += [
            helper.make_node("Concat", names, [f"{what}s"], axis=1),
            helper.make_node("Reshape", [f"{what}s", flat.name], [f"{what}s.flat"]),
        ]
    nodes.append(helper.make_node("Concat", ["means.flat", "variances.flat"], [STATISTICS], axis=0))
    made.graph.node.extend(nodes)
    made.graph.initializer.extend([axes, flat])
    del made.graph.output[:]
    made.graph.output.append(_value(STATISTICS, [2, sum(channels(model))]))
    _settle(made)
    return part(made, [STATISTICS])


def given(model: onnx.ModelProto, side: int) -> onnx.ModelProto:
    """From a tile, of `side` px a side, and STATISTICS to the stylized tile; a strength is left at its default."""
    made = _copy(model)
    sizes = channels(model)
    flat = [f"{STATISTICS}.{what}" for what in ("mean", "variance")]
    cuts = numpy_helper.from_array(np.array(sizes), f"{STATISTICS}.channels")
    row = numpy_helper.from_array(np.array([0]), f"{STATISTICS}.row")
    nodes = [
        helper.make_node("Split", [STATISTICS], [f"{name}s" for name in flat], axis=0, num_outputs=2),
        *(helper.make_node("Squeeze", [f"{name}s", row.name], [name]) for name in flat),
        *(
            helper.make_node("Split", [name, cuts.name], [f"norm{i}.{name.split('.')[1]}" for i in range(len(sizes))])
            for name in flat
        ),
    ]
    for number, norm in enumerate(norms(made)):
        _give(norm, [f"norm{number}.mean", f"norm{number}.variance"])
    _before(made, nodes)
    made.graph.initializer.extend([cuts, row])
    _settle(made)
    made.graph.input.append(_value(STATISTICS, [2, sum(sizes)]))
    for value in (made.graph.input[0], made.graph.output[0]):
        for dim in value.type.tensor_type.shape.dim[1:3]:
            dim.dim_value = side
    return made


def unpacked(model: onnx.ModelProto, statistics: Floats) -> Statistics:
    """STATISTICS norm by norm."""
    ends = np.cumsum(channels(model))[:-1]
    means, variances = (np.split(row, ends) for row in statistics)
    return list(zip(means, variances, strict=True))


def _give(norm: NodeProto, names: Sequence[str]) -> None:
    norm.op_type = "BatchNormalization"
    norm.input.extend(names)


def _settle(model: onnx.ModelProto) -> None:
    """Leave the image as the only input, and what else a caller could give as constants."""
    del model.graph.input[1:]


def _before(model: onnx.ModelProto, nodes: Iterable[NodeProto]) -> None:
    later = [*model.graph.node]
    kept = [*nodes, *(NodeProto.FromString(node.SerializeToString()) for node in later)]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _value(name: str, shape: Sequence[int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    return made
