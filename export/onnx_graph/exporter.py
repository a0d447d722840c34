"""Write a network as an ONNX file: image in, image out, standard operators, no trace of the machine that wrote it."""

import copy
import importlib.metadata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from impasto.export.contract import INPUT, OUTPUT, Label, sentence
from impasto.export.onnx_graph.contracts import IR, OPSET, VARIANT, onnx_contract
from impasto.export.suppress_output import suppress_output
from impasto.models import transform_net
from impasto.models.onnx_model import CARD, STROKE_RESOLUTION

# operator -> the name of its layers in the file, and of its weights
_WEIGHTS = {"Conv": ("conv", "weight", "bias"), "InstanceNormalization": ("norm", "scale", "bias")}


class FusedNetwork(nn.Module):
    """A network whose input scale is folded into the first convolution, from RGB 0..255 to RGB 0..255.

    The offset of the input is dropped, since the instance norm after that convolution subtracts the mean. This saves a
    pass over the whole image. A `size` (height, width) that is a multiple of the stride needs no padding.
    """

    def __init__(self, network: transform_net.TransformNet, size: tuple[int, int] | None = None) -> None:
        super().__init__()
        needs_padding = size is None or any(side % network.stride for side in size)
        self.stride = network.stride if needs_padding else 1
        self.body = copy.deepcopy(network.body)
        first, norm = (
            next(module for module in self.body.modules() if isinstance(module, kind))
            for kind in (nn.Conv2d, nn.InstanceNorm2d)
        )
        assert first.bias is None and norm.num_features == first.out_channels
        with torch.no_grad():
            first.weight.div_(transform_net.PIXEL_SCALE)

    def forward(self, pixels: Tensor) -> Tensor:
        return 255 * self.body(pixels).float().sigmoid()


class Uint8Rgba(nn.Module):
    """A fused network on RGBA bytes [1, H, W, 4], H and W from 16 on; alpha is passed through."""

    def __init__(self, network: FusedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[1:3]
        planes = image.permute(0, 3, 1, 2)  # at both ends of the graph, where runtimes separate channels fastest
        rgb = transform_net.pad(planes[:, :3].float(), self.network.stride)
        # Values in 0..255 need no clamp, and cropping bytes takes a quarter of the time of cropping floats.
        stylized = self.network(rgb).round().to(torch.uint8)[..., :height, :width]
        return torch.cat([stylized, planes[:, 3:]], dim=1).permute(0, 2, 3, 1)


class Float32Rgb(nn.Module):
    """A fused network on float RGB [1, 3, H, W], 0..255, H and W from 16 on."""

    def __init__(self, network: FusedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        return self.network(transform_net.pad(image, self.network.stride))[:, :, :height, :width]


def write(
    network: transform_net.TransformNet, path: Path, io: str, label: Label, size: tuple[int, int] | None = None
) -> None:
    """Write a network as an ONNX file; the same network gives the same bytes.

    Args:
        network: A network in evaluation mode, on the CPU.
        path: The file to write.
        io: The kind of input and output, as in onnx.io: `uint8_rgba` or `float32_rgb`.
        label: The style and version for the metadata.
        size: (height, width) of a file for images of this size only, whose graph has no shape arithmetic; None for one
            that takes any size.
    """
    contract = onnx_contract(io, size)
    model = _torch_export(network, io, size)
    _strip(model)
    _rename(model.graph)
    for value in (model.graph.input[0], model.graph.output[0]):
        # torch's exporter writes formulas with its own symbols, such as s62.
        for dim, name in zip(value.type.tensor_type.shape.dim, contract.inputs[0].shape, strict=True):
            if isinstance(name, str):
                dim.dim_param = name
    model.ir_version = IR
    model.graph.name = "impasto"
    model.producer_name, model.producer_version = "impasto", label.version
    # A network without a stroke resolution has no such key, so that its file stays as it was.
    optional = {STROKE_RESOLUTION: str(label.stroke_resolution)} if label.stroke_resolution else {}
    onnx.helper.set_model_props(
        model,
        {
            "style": label.style,
            "artist": label.artist,
            "style_license": label.style_license,
            "license": label.license,
            "impasto": label.version,
            "torch": importlib.metadata.version("torch"),
            "contract": sentence(contract),
            VARIANT: "fp32",
            CARD: label.card,
            **optional,
        },
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _torch_export(network: transform_net.TransformNet, io: str, size: tuple[int, int] | None) -> onnx.ModelProto:
    height, width = size or (34, 45)
    shape = (1, height, width, 4) if io == "uint8_rgba" else (1, 3, height, width)
    sides = (1, 2) if io == "uint8_rgba" else (2, 3)
    module = (Uint8Rgba if io == "uint8_rgba" else Float32Rgb)(FusedNetwork(network, size))
    with suppress_output():
        program = torch.onnx.export(
            module.eval(),
            (torch.zeros(shape, dtype=torch.uint8 if io == "uint8_rgba" else torch.float32),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            # AUTO: a named dimension fails on padding that depends on it ("Constraints violated", torch 2.14)
            dynamic_shapes=(dict.fromkeys(sides, torch.export.Dim.AUTO),) if size is None else None,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # dynamo=True always returns one
    model: onnx.ModelProto = program.model_proto
    return model


def _strip(model: onnx.ModelProto) -> None:
    """Drop debug information, which has paths and source lines of this machine, and attributes at their defaults."""
    graph = model.graph
    del graph.value_info[:]
    parts: Iterable[onnx.ModelProto | onnx.GraphProto | onnx.NodeProto | onnx.ValueInfoProto | onnx.TensorProto]
    parts = [model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer]
    for part in parts:
        del part.metadata_props[:]
        part.ClearField("doc_string")
    for node in graph.node:
        defaults = onnx.defs.get_schema(node.op_type, OPSET).attributes
        explicit = []
        for attribute in node.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            is_default = value in (_default(defaults[attribute.name]), _undeclared_default(attribute))
            # OpenCV reads the mode of a Resize only if this attribute is there.
            if not is_default or attribute.name == "coordinate_transformation_mode":
                explicit.append(attribute)
        del node.attribute[:]
        node.attribute.extend(explicit)


def _undeclared_default(attribute: onnx.AttributeProto) -> list[int] | None:
    """A default of Conv that its schema describes in prose only (onnx.ai, Conv)."""
    value = {"dilations": 1, "strides": 1, "pads": 0}.get(attribute.name)
    return None if value is None else [value] * len(attribute.ints)


def _default(attribute: onnx.defs.OpSchema.Attribute) -> object:
    value = attribute.default_value
    return onnx.helper.get_attribute_value(value) if value.type else None


def _rename(graph: onnx.GraphProto) -> None:
    """Name weights by layer (conv3.weight), and other values by number, since torch's names are long."""
    names = {name: name for name in (INPUT, OUTPUT, "")}
    layers: Counter[str] = Counter()
    for node in graph.node:
        if node.op_type in _WEIGHTS:
            layer, *parts = _WEIGHTS[node.op_type]
            for value, part in zip(node.input[1:], parts, strict=False):
                names.setdefault(value, f"{layer}{layers[layer]}.{part}")
            layers[layer] += 1
    for value in (value for node in graph.node for value in (*node.input, *node.output)):
        names.setdefault(value, str(len(names)))
    for node in graph.node:
        node.input[:] = [names[value] for value in node.input]
        node.output[:] = [names[value] for value in node.output]
        node.name = node.output[0]
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
