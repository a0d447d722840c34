"""Write a network as an ONNX file: image in, image out, standard operators, no trace of the machine that wrote it.

Each module becomes the operators of its `forward`, without running it: that takes a hundredth of a second, where
torch.onnx.export takes seconds, so training writes a file with every checkpoint.
"""

import copy
from collections import Counter
from collections.abc import Callable
from functools import partial, singledispatch
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from impasto.models import onnx_passes, transform_net
from impasto.models.card import STYLES
from impasto.models.contract import INPUT, IR, OPSET, OUTPUT, Label, TensorSpec, metadata, onnx_contract
from impasto.models.graph_builder import GraphBuilder
from impasto.models.network_blocks import Eighth, InstanceNorm, Recurrent, Residual, Subpixel
from impasto.models.store import Store
from impasto.models.style_file import NETWORK

# operator -> the name of its layers in the file, and of its weights
_WEIGHTS = {"Conv": ("conv", "weight", "bias"), "InstanceNormalization": ("norm", "scale", "bias")}
_TYPES = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}
_Network = Callable[[str], str]  # from the name of RGB 0..255 to that of the result


class _StyledNorm(nn.InstanceNorm2d):
    """An instance norm of a store, whose scale and shift are the values of these names."""

    def __init__(self, norm: InstanceNorm, scale: str, shift: str) -> None:
        super().__init__(norm.num_features, eps=norm.eps)
        self.scale, self.shift = scale, shift


def write(
    network: transform_net.TransformNet | Store,
    path: Path,
    io: str,
    label: Label,
    size: tuple[int, int] | None = None,
    fold_scale: bool = True,
) -> None:
    """Write a network as an ONNX file; the same network gives the same bytes.

    Args:
        network: A network, or a store, whose file has the weights of the styles as a second input.
        path: The file to write.
        io: The kind of input and output, as in onnx.io: `uint8_rgba` or `float32_rgb`.
        label: The style and version for the metadata.
        size: (height, width), multiples of the network's stride, of a file for images of this size only, whose graph
            has no shape arithmetic; None for one that takes any size.
        fold_scale: Whether to fold the scale of the pixels into the first convolution, which saves a pass over the
            image. In fp16, the weights of that convolution would be subnormal then.

    Raises:
        TypeError: A module of the network has no `_emit`.
    """
    contract = onnx_contract(io, size, len(network.networks) if isinstance(network, Store) else 0)
    graph, properties = GraphBuilder(), metadata(label, contract, "fp32")
    if isinstance(network, Store):
        properties[NETWORK] = network.trunk_sha256
        network = _with_styles(graph, network)
    assert size is None or not any(side % network.stride for side in size)
    one_pass = partial(_fused if fold_scale else _normalized, graph, network)
    stylize = partial(onnx_passes.write, graph, one_pass, network.passes)
    (_uint8_rgba if io == "uint8_rgba" else _float32_rgb)(graph, stylize, network.stride, size)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "impasto",
            [_value(spec) for spec in contract.inputs],
            [_value(contract.output)],
            [*graph.weights.values(), *graph.constants.values()],
        ),
        producer_name="impasto",
        producer_version=label.version,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
    )
    _rename(model.graph)
    helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _with_styles(graph: GraphBuilder, store: Store) -> transform_net.TransformNet:
    """A network of the store whose norms take the mean of those of the styles, weighted by the input STYLES."""
    network = copy.deepcopy(store.network(0))
    tables = store.state_dict()
    for name, norm in [*network.named_modules()]:
        if isinstance(norm, InstanceNorm):
            scale, shift = (
                graph.add("MatMul", STYLES, graph.weight(tables[f"{name}.{part}"])) for part in ("weight", "bias")
            )
            network.set_submodule(name, _StyledNorm(norm, scale, shift))
    return network


def _uint8_rgba(graph: GraphBuilder, network: _Network, stride: int, size: tuple[int, int] | None) -> None:
    """RGBA bytes [1, H, W, 4], H and W from 16 on; alpha is passed through."""
    sides = [] if size else [_side(graph, axis) for axis in (1, 2)]
    # At both ends of the graph, where runtimes separate channels fastest.
    planes = graph.add("Transpose", INPUT, perm=[0, 3, 1, 2])
    # ONNX Runtime would move a Slice before the Transpose, where alpha is every fourth byte: 6 % of the time of `tiny`.
    colors, alpha = (graph.add("Gather", planes, graph.constant(channels), axis=1) for channels in ([0, 1, 2], [3]))
    rgb = graph.add("Cast", colors, to=TensorProto.FLOAT)
    stylized = graph.add("Round", network(_pad(graph, rgb, sides, stride)))
    # Values in 0..255 need no clamp, and cropping bytes takes a quarter of the time of cropping floats.
    stylized = _crop(graph, graph.add("Cast", stylized, to=TensorProto.UINT8), sides)
    graph.add("Transpose", graph.add("Concat", stylized, alpha, axis=1), perm=[0, 2, 3, 1])


def _float32_rgb(graph: GraphBuilder, network: _Network, stride: int, size: tuple[int, int] | None) -> None:
    """Float RGB [1, 3, H, W], 0..255, H and W from 16 on."""
    sides = [] if size else [_side(graph, axis) for axis in (2, 3)]
    _crop(graph, network(_pad(graph, INPUT, sides, stride)), sides)


def _side(graph: GraphBuilder, axis: int) -> tuple[str, str]:
    """A side of the input, as a vector of one number and as a scalar."""
    vector = graph.add("Shape", INPUT, end=axis + 1, start=axis)
    return vector, graph.add("Squeeze", vector)


def _rest(graph: GraphBuilder, side: str, stride: int) -> str:
    """What a side lacks to a multiple of the stride."""
    return graph.add("Mod", graph.add("Mul", graph.constant(-1), side), graph.constant(stride))


def _pad(graph: GraphBuilder, x: str, sides: list[tuple[str, str]], stride: int) -> str:
    """Pad x at the bottom and right with its edge, as `transform_net.pad` does; not at all without sides."""
    if not sides:
        return x
    zero = graph.constant([0])
    pads = [graph.add("Reshape", _rest(graph, side, stride), graph.constant([-1])) for _, side in sides]
    return graph.add("Pad", x, graph.add("Concat", *[zero] * 6, *pads, axis=0), mode="edge")


def _crop(graph: GraphBuilder, x: str, sides: list[tuple[str, str]]) -> str:
    """Crop x to the sides of the input; not at all without sides."""
    for axis, (side, _) in enumerate(sides, 2):
        x = graph.add("Slice", x, graph.constant([0]), side, graph.constant([axis]), graph.constant([1]))
    return x


def _fused(graph: GraphBuilder, network: transform_net.TransformNet, rgb: str) -> str:
    """The network from RGB 0..255 to RGB 0..255, with the scale of its input folded into the first convolution.

    The offset of the input is dropped, since the instance norm after that convolution subtracts the mean. This saves a
    pass over the whole image.
    """
    body = copy.deepcopy(network.body)
    first, norm = (
        next(module for module in body.modules() if isinstance(module, kind)) for kind in (nn.Conv2d, nn.InstanceNorm2d)
    )
    assert first.bias is None and norm.num_features == first.out_channels
    with torch.no_grad():
        first.weight.div_(transform_net.PIXEL_SCALE)
    return _bounded(graph, body, rgb)


def _normalized(graph: GraphBuilder, network: transform_net.TransformNet, rgb: str) -> str:
    """The network from RGB 0..255 to RGB 0..255, in operators that are exact in fp16 before the first convolution."""
    pixels = graph.add("Sub", rgb, graph.constant(transform_net.PIXEL_MEAN))
    scaled = graph.add("Mul", pixels, graph.constant(1 / transform_net.PIXEL_SCALE))
    return _bounded(graph, network.body, scaled)


def _bounded(graph: GraphBuilder, body: nn.Module, normalized: str) -> str:
    """The body, applied to the photo with its border, and the bounds of its output."""
    x = _emit(body, graph, _emit(nn.ReflectionPad2d(transform_net.BORDER), graph, normalized))
    return graph.add("Mul", graph.add("Sigmoid", x), graph.constant(255.0))


@singledispatch
def _emit(module: nn.Module, graph: GraphBuilder, x: str) -> str:
    """Add the operators of a module that is applied to x; its output."""
    raise TypeError(f"no ONNX operators are known for {type(module).__name__}; register an _emit for it")


@_emit.register
def _(module: nn.Sequential, graph: GraphBuilder, x: str) -> str:
    for child in module:
        x = _emit(child, graph, x)
    return x


@_emit.register
def _(module: nn.Identity, graph: GraphBuilder, x: str) -> str:
    return x


@_emit.register
def _(module: nn.ReflectionPad2d, graph: GraphBuilder, x: str) -> str:
    left, right, top, bottom = module.padding
    return graph.add("Pad", x, graph.constant([0, 0, top, left, 0, 0, bottom, right]), mode="reflect")


@_emit.register
def _(module: nn.Conv2d, graph: GraphBuilder, x: str) -> str:
    weights = [graph.weight(weight) for weight in (module.weight, module.bias) if weight is not None]
    group = {"group": module.groups} if module.groups > 1 else {}
    strides = {"strides": module.stride} if set(module.stride) != {1} else {}
    return graph.add("Conv", x, *weights, **group, **strides, kernel_shape=module.kernel_size)


@_emit.register
def _(module: nn.InstanceNorm2d, graph: GraphBuilder, x: str) -> str:
    weights = graph.weight(module.weight), graph.weight(module.bias)
    return graph.add("InstanceNormalization", x, *weights, epsilon=module.eps)


@_emit.register
def _(module: _StyledNorm, graph: GraphBuilder, x: str) -> str:
    return graph.add("InstanceNormalization", x, module.scale, module.shift, epsilon=module.eps)


@_emit.register
def _(module: nn.ReLU, graph: GraphBuilder, x: str) -> str:
    return graph.add("Relu", x)


@_emit.register
def _(module: nn.Upsample, graph: GraphBuilder, x: str) -> str:
    assert isinstance(module.scale_factor, float)
    return graph.upsample(x, module.scale_factor, module.mode)


@_emit.register
def _(module: Residual | Eighth, graph: GraphBuilder, x: str) -> str:
    return graph.add("Add", x, _emit(module.body, graph, x))


@_emit.register
def _(module: Recurrent, graph: GraphBuilder, x: str) -> str:
    for _ in range(module.times):
        x = _emit(module.body, graph, x)
    return x


@_emit.register
def _(module: Subpixel, graph: GraphBuilder, x: str) -> str:
    return graph.add("DepthToSpace", _emit(module.conv, graph, x), mode="CRD", blocksize=2)


@_emit.register
def _(module: transform_net.Hourglass, graph: GraphBuilder, x: str) -> str:
    skip = _emit(module.entrance, graph, x)
    both = graph.add("Concat", _emit(module.inner, graph, skip), skip, axis=1)
    return _emit(module.exit, graph, _emit(module.wide, graph, both))


def _value(spec: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, _TYPES[spec.type], spec.shape)


def _rename(graph: onnx.GraphProto) -> None:
    """Name weights by layer (conv3.weight), and other values by number; the last node's output is OUTPUT."""
    names = {name: name for name in (INPUT, STYLES, "")} | {graph.node[-1].output[0]: OUTPUT}
    layers: Counter[str] = Counter()
    for node in graph.node:
        if node.op_type in _WEIGHTS:
            layer, *parts = _WEIGHTS[node.op_type]
            for value, part in zip(node.input[1:], parts, strict=False):
                names.setdefault(value, f"{layer}{layers[layer]}.{part}")
            layers[layer] += 1
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[0] == STYLES:
            names[node.input[1]] = f"{names[node.output[0]]}s"  # a row for each style
    for value in (value for node in graph.node for value in (*node.input, *node.output)):
        names.setdefault(value, str(len(names)))
    for node in graph.node:
        node.input[:] = [names[value] for value in node.input]
        node.output[:] = [names[value] for value in node.output]
        node.name = node.output[0]
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
