"""Instance norms whose statistics become an output of a graph, or an input of one.

An instance norm with a fixed mean and variance is a batch norm, which ONNX Runtime folds into the convolution before
it. So a tile is normalized with the statistics of the whole image (Thumbnail Instance Normalization of URST, Chen et
al. 2022).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from impasto.export.onnx_graph.contracts import STATISTICS

Floats = NDArray[np.float32]
Statistics = Sequence[tuple[Floats, Floats]]
"""For each norm, in the order of the graph: the mean and the variance [C] of each channel, over the whole image."""


def norms(model: onnx.ModelProto) -> list[NodeProto]:
    """Return the instance norms of a graph, in its order."""
    return [node for node in model.graph.node if node.op_type == "InstanceNormalization"]


def channels(model: onnx.ModelProto) -> list[int]:
    """Return the number of channels of each norm."""
    sizes = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    # A scale that is stored in 16 bits is widened by a node.
    sizes |= {node.output[0]: sizes[node.input[0]] for node in model.graph.node if node.input[0] in sizes}
    return [sizes[norm.input[1]] for norm in norms(model)]


def known(model: onnx.ModelProto, statistics: Statistics) -> onnx.ModelProto:
    """Return a copy whose first norms have these statistics as constants; the later norms stay."""
    result = _copy(model)
    for number, (norm, values) in enumerate(zip(norms(result), statistics, strict=False)):
        names = [f"norm{number}.{kind}" for kind in ("mean", "variance")]
        result.graph.initializer.extend(
            numpy_helper.from_array(value, name) for value, name in zip(values, names, strict=True)
        )
        _to_batch_norm(norm, names)
    return result


def before(model: onnx.ModelProto, number: int) -> str:
    """Return the name of the value that the norm of this number normalizes."""
    return norms(model)[number].input[0]


def part(model: onnx.ModelProto, outputs: Sequence[str], sources: Sequence[str] = ()) -> onnx.ModelProto:
    """Return the subgraph that computes `outputs`; float values of the graph named in `sources` become inputs."""
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
    result = _copy(model)
    result.graph.CopyFrom(graph)
    return result


def live(model: onnx.ModelProto, number: int) -> list[str]:
    """Return the values that the graph after the norm of this number takes from the graph before it.

    The inputs of the norms up to this one count as computed. Only the outputs of convolutions, and what depends on
    them, are listed: the pixels are available in any case.
    """
    graph, computed, deep = model.graph, {before(model, i) for i in range(number + 1)}, set[str]()
    for node in graph.node:
        if node.op_type == "Conv" or deep & {*node.input}:
            deep |= {*node.output}
    for node in reversed(graph.node):
        if computed & {*node.output}:
            computed |= {*node.input}
    later = {name for node in graph.node if not computed & {*node.output} for name in node.input}
    return [name for node in graph.node for name in node.output if name in computed & deep & later]


def statistics_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model from the image to its STATISTICS, for images of every size that the model takes."""
    result = _copy(model)
    axes = numpy_helper.from_array(np.array([2, 3]), f"{STATISTICS}.axes")
    rows: dict[str, list[str]] = {"mean": [], "variance": []}
    nodes: list[NodeProto] = []
    for number, norm in enumerate(norms(result)):
        x, name = norm.input[0], f"norm{number}"
        centered = f"{name}.centered"
        nodes += [
            helper.make_node("ReduceMean", [x, axes.name], [f"{name}.mean"]),
            helper.make_node("Sub", [x, f"{name}.mean"], [centered]),
            helper.make_node("Mul", [centered] * 2, [f"{name}.squared"]),
            helper.make_node("ReduceMean", [f"{name}.squared", axes.name], [f"{name}.variance"]),
        ]
        for kind, names in rows.items():
            names.append(f"{name}.{kind}")
    flat = numpy_helper.from_array(np.array([1, -1]), f"{STATISTICS}.shape")
    for kind, names in rows.items():
        nodes += [
            helper.make_node("Concat", names, [f"{kind}s"], axis=1),
            helper.make_node("Reshape", [f"{kind}s", flat.name], [f"{kind}s.flat"]),
        ]
    nodes.append(helper.make_node("Concat", ["means.flat", "variances.flat"], [STATISTICS], axis=0))
    result.graph.node.extend(nodes)
    result.graph.initializer.extend([axes, flat])
    del result.graph.output[:]
    result.graph.output.append(_value(STATISTICS, [2, sum(channels(model))]))
    return part(result, [STATISTICS])


def tile_model(model: onnx.ModelProto, side: int) -> onnx.ModelProto:
    """Return a model from a tile of `side` px a side, and STATISTICS, to the stylized tile."""
    result = _copy(model)
    sizes = channels(model)
    flat = [f"{STATISTICS}.{kind}" for kind in ("mean", "variance")]
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
    for number, norm in enumerate(norms(result)):
        _to_batch_norm(norm, [f"norm{number}.mean", f"norm{number}.variance"])
    _prepend(result, nodes)
    result.graph.initializer.extend([cuts, row])
    result.graph.input.append(_value(STATISTICS, [2, sum(sizes)]))
    for value in (result.graph.input[0], result.graph.output[0]):
        for dim in value.type.tensor_type.shape.dim[1:3]:
            dim.dim_value = side
    return result


def unpack(model: onnx.ModelProto, statistics: Floats) -> Statistics:
    """Split STATISTICS [2, channels] by norm."""
    ends = np.cumsum(channels(model))[:-1]
    means, variances = (np.split(row, ends) for row in statistics)
    return list(zip(means, variances, strict=True))


def _to_batch_norm(norm: NodeProto, names: Sequence[str]) -> None:
    norm.op_type = "BatchNormalization"
    norm.input.extend(names)


def _prepend(model: onnx.ModelProto, nodes: Iterable[NodeProto]) -> None:
    later = [*model.graph.node]
    copies = [*nodes, *(NodeProto.FromString(node.SerializeToString()) for node in later)]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _value(name: str, shape: Sequence[int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result
