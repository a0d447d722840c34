"""The operators of a network: each module becomes those of its `forward`, on NHWC tensors."""

import copy
from functools import partial, singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from impasto.export.litert import passes
from impasto.export.litert.graph import Graph, Value
from impasto.export.litert.schema import (
    ADD,
    CAST,
    CONV_2D,
    DEPTH_TO_SPACE,
    DEPTHWISE_CONV_2D,
    LOGISTIC,
    MEAN,
    MUL,
    RELU_LAYER,
    ROUND,
    RSQRT,
    SQUARE,
    SUB,
    VALID,
    Cast,
    Conv2D,
    DepthToSpace,
    DepthwiseConv2D,
    Reducer,
    Type,
)
from impasto.models import transform_net
from impasto.models.network_blocks import Eighth, InstanceNorm, Recurrent, Residual, Subpixel
from impasto.models.store import Store

_BLOCK = 2  # the factor of a Subpixel
_RGB = 3  # channels


class _StyledNorm(nn.InstanceNorm2d):
    """An instance norm of a store, whose scale and shift are results of operators."""

    def __init__(self, norm: InstanceNorm, scale: Value, shift: Value) -> None:
        super().__init__(norm.num_features, eps=norm.eps)
        self.scale, self.shift = scale, shift


def with_styles(store: Store, graph: Graph, weights: Value) -> transform_net.TransformNet:
    """Return a network of a store whose norms take the mean of those of the styles.

    Args:
        store: The store.
        graph: The graph, which gets the operators of the means.
        weights: The weights of the styles, [1, 1, 1, styles].
    """
    network = copy.deepcopy(store.network(0))
    tables = store.state_dict()
    for name, norm in [*network.named_modules()]:
        if isinstance(norm, InstanceNorm):
            scale, shift = (_blended(graph, weights, _array(tables[f"{name}.{part}"])) for part in ("weight", "bias"))
            network.set_submodule(name, _StyledNorm(norm, scale, shift))
    return network


def _blended(graph: Graph, weights: Value, table: NDArray[np.float32]) -> Value:
    """The product of the weights with a table [styles, channels], as a convolution: all backends take that whole."""
    channels = table.shape[1]
    kernel = graph.constant(np.ascontiguousarray(table.T[:, None, None]))
    options: dict[Any, int] = {Conv2D.PADDING: VALID, Conv2D.STRIDE_W: 1, Conv2D.STRIDE_H: 1}
    bias = graph.constant(np.zeros(channels, np.float32))
    return graph.add(CONV_2D, [weights, kernel, bias], (1, 1, 1, channels), options)


def stylize(network: transform_net.TransformNet, graph: Graph, image: Value) -> Value:
    """Add a network from RGBA bytes [1, H, W, 4] to the same; alpha is passed through.

    Raises:
        TypeError: A module of the network has no `_emit`.
    """
    values = _cast(graph, image, Type.FLOAT32)  # of alpha, too: LiteRT cuts and joins floats faster than bytes
    rgb, alpha = graph.slice(values, 3, 0, 3), graph.slice(values, 3, 3)
    one_pass = partial(_one_pass, network, graph)
    stylized = graph.add(ROUND, [passes.write(graph, one_pass, network.passes, rgb)])
    return _cast(graph, graph.concatenate([stylized, alpha], 3), Type.UINT8)


def _one_pass(network: transform_net.TransformNet, graph: Graph, rgb: Value) -> Value:
    # Exact in fp16 in this order. Folded into the first weights, as in ONNX, the scale would make them subnormal there,
    # which hardware may flush to 0.
    pixels = graph.add(SUB, [rgb, graph.number(transform_net.PIXEL_MEAN)])
    normalized = graph.add(MUL, [pixels, graph.number(1 / transform_net.PIXEL_SCALE)])
    mirrored = _emit(nn.ReflectionPad2d(transform_net.BORDER), graph, normalized)
    bounded = graph.add(LOGISTIC, [_emit(network.body, graph, mirrored)])
    return graph.add(MUL, [bounded, graph.number(255)])


def _cast(graph: Graph, x: Value, type: Type) -> Value:
    return graph.add(CAST, [x], options={Cast.FROM: x.type, Cast.TO: type}, type=type)


@singledispatch
def _emit(module: nn.Module, graph: Graph, x: Value) -> Value:
    """Add the operators of a module that is applied to x; its output."""
    raise TypeError(f"no LiteRT operators are known for {type(module).__name__}; register an _emit for it")


@_emit.register
def _(module: nn.Sequential, graph: Graph, x: Value) -> Value:
    for child in module:
        x = _emit(child, graph, x)
    return x


@_emit.register
def _(module: nn.Identity, graph: Graph, x: Value) -> Value:
    return x


@_emit.register
def _(module: nn.ReflectionPad2d, graph: Graph, x: Value) -> Value:
    left, right, top, bottom = module.padding
    return graph.reflect(x, ((top, bottom), (left, right)))


@_emit.register
def _(module: nn.Conv2d, graph: Graph, x: Value) -> Value:
    bias = np.zeros(module.out_channels, np.float32) if module.bias is None else _array(module.bias)
    return _convolve(module, graph, x, _array(module.weight), bias)


@_emit.register
def _(module: nn.InstanceNorm2d, graph: Graph, x: Value) -> Value:
    return _normalize(module, graph, x, graph.constant(_array(module.weight)), graph.constant(_array(module.bias)))


@_emit.register
def _(module: _StyledNorm, graph: Graph, x: Value) -> Value:
    return _normalize(module, graph, x, module.scale, module.shift)


def _normalize(module: nn.InstanceNorm2d, graph: Graph, x: Value, weight: Value, bias: Value) -> Value:
    # XNNPACK broadcasts slowly over few channels, so the mean is subtracted once; SQUARED_DIFFERENCE would repeat it.
    centered = graph.add(SUB, [x, _mean(graph, x)])
    variance = _mean(graph, graph.add(SQUARE, [centered]))
    inverse = graph.add(RSQRT, [graph.add(ADD, [variance, graph.number(module.eps)])])
    scale = graph.add(MUL, [inverse, weight])
    # The scale of a flat channel is large: x * scale, which would save a pass over x, overflows fp16 there.
    scaled = graph.add(MUL, [centered, scale])
    return graph.add(ADD, [scaled, bias])


@_emit.register
def _(module: nn.ReLU, graph: Graph, x: Value) -> Value:
    return x if graph.relu(x) else graph.add(RELU_LAYER, [x])


@_emit.register
def _(module: nn.Upsample, graph: Graph, x: Value) -> Value:
    factor = module.scale_factor
    assert isinstance(factor, float) and factor.is_integer()
    return graph.upsample(x, int(factor), module.mode)


@_emit.register
def _(module: Residual | Eighth, graph: Graph, x: Value) -> Value:
    return graph.add(ADD, [x, _emit(module.body, graph, x)])


@_emit.register
def _(module: Recurrent, graph: Graph, x: Value) -> Value:
    for _ in range(module.times):
        x = _emit(module.body, graph, x)
    return x


@_emit.register
def _(module: Subpixel, graph: Graph, x: Value) -> Value:
    *pads, convolution = module.conv
    for pad in pads:
        x = _emit(pad, graph, x)
    assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
    # torch stores the subpixels of a channel side by side, LiteRT the channels of a subpixel.
    order = np.arange(convolution.out_channels).reshape(-1, _BLOCK**2).T.ravel()
    y = _convolve(convolution, graph, x, _array(convolution.weight)[order], _array(convolution.bias)[order])
    batch, height, width, channels = y.shape
    shape = batch, _BLOCK * height, _BLOCK * width, channels // _BLOCK**2
    return graph.add(DEPTH_TO_SPACE, [y], shape, {DepthToSpace.BLOCK_SIZE: _BLOCK})


@_emit.register
def _(module: transform_net.Hourglass, graph: Graph, x: Value) -> Value:
    skip = _emit(module.entrance, graph, x)
    both = graph.concatenate([_emit(module.inner, graph, skip), skip], 3)
    return _emit(module.exit, graph, _emit(module.wide, graph, both))


def _array(weight: Tensor) -> NDArray[np.float32]:
    return weight.detach().float().cpu().numpy()


def _mean(graph: Graph, x: Value) -> Value:
    """The mean of each channel."""
    shape = x.shape[0], 1, 1, x.shape[3]
    return graph.add(MEAN, [x, graph.integers(1, 2)], shape, {Reducer.KEEP_DIMS: True})


def _convolve(
    module: nn.Conv2d, graph: Graph, x: Value, weight: NDArray[np.float32], bias: NDArray[np.float32]
) -> Value:
    """A convolution without padding: dense, or of each channel by itself."""
    assert module.padding == (0, 0) and module.dilation == (1, 1)
    batch, *sides, channels = x.shape
    strides: tuple[int, ...] = module.stride
    height, width = (
        (side - kernel) // stride + 1 for side, kernel, stride in zip(sides, module.kernel_size, strides, strict=True)
    )
    shape = batch, height, width, module.out_channels
    options: dict[Any, int]
    if module.groups == 1:
        kernel, operator = weight.transpose(0, 2, 3, 1), CONV_2D
        options = {Conv2D.PADDING: VALID, Conv2D.STRIDE_W: strides[1], Conv2D.STRIDE_H: strides[0]}
    else:
        assert module.groups == channels == module.out_channels
        kernel, operator = weight.transpose(1, 2, 3, 0), DEPTHWISE_CONV_2D
        options = {
            DepthwiseConv2D.PADDING: VALID,
            DepthwiseConv2D.STRIDE_W: strides[1],
            DepthwiseConv2D.STRIDE_H: strides[0],
            DepthwiseConv2D.DEPTH_MULTIPLIER: 1,
        }
    # Filters of pixels nearly sum to 0. On a smooth picture a norm enlarges what is left, and with it any rounding.
    store = graph.constant if channels == _RGB else graph.weight
    inputs = [x, store(np.ascontiguousarray(kernel)), graph.constant(bias)]
    return graph.add(operator, inputs, shape, options)
