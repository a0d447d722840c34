"""The ONNX file for Android: pixels in, pixels out, plain operators, and nothing of the machine that wrote it."""

import copy
import importlib.metadata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from impasto.export.label import INPUT, IR, OPSET, OUTPUT, VARIANT, Label, onnx_contract, sentence
from impasto.export.quiet import quiet
from impasto.models import networks
from impasto.models.exported import CARD, STRENGTH

# of an operator: what its layers are called in the file, and its weights
_WEIGHTS = {"Conv": ("conv", "weight", "bias"), "InstanceNormalization": ("norm", "scale", "bias")}


class Lean(nn.Module):
    """A network without the passes over whole pictures that its convolutions and the mix with the photo can take over.

    The scale of the pixels moves into the weights of the first convolution; their offset goes, since an instance norm
    takes the mean away in any case. Pictures come out as 0..1.
    """

    def __init__(self, network: networks.Transformer) -> None:
        super().__init__()
        self.body = copy.deepcopy(network.body)
        first, norm = (
            next(module for module in self.body.modules() if isinstance(module, kind))
            for kind in (nn.Conv2d, nn.InstanceNorm2d)
        )
        assert first.bias is None and norm.num_features == first.out_channels
        with torch.no_grad():
            first.weight.div_(networks.SPREAD)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.body(pixels).float().sigmoid()


class Pixels(nn.Module):
    """A lean network on RGBA bytes [1, H, W, 4], any H and W from 16 on; alpha is passed through."""

    def __init__(self, network: Lean) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, strength: Tensor) -> Tensor:
        height, width = image.shape[1:3]
        planes = image.permute(0, 3, 1, 2)  # first and last of all, since runtimes take channels apart fastest there
        rgb = networks.pad(planes[:, :3].float())
        # A mix of what lies in 0..255 needs no clamp, and bytes are cut in a quarter of the time of floats.
        stylized = blend(self.network(rgb), rgb, strength).round().to(torch.uint8)[..., :height, :width]
        return torch.cat([stylized, planes[:, 3:]], dim=1).permute(0, 2, 3, 1)


class Floats(nn.Module):
    """A lean network on float RGB [1, 3, H, W], 0..255, any H and W from 16 on."""

    def __init__(self, network: Lean) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, strength: Tensor) -> Tensor:
        height, width = image.shape[2:]
        rgb = networks.pad(image)
        return blend(self.network(rgb), rgb, strength)[:, :, :height, :width]


def blend(stylized: Tensor, photo: Tensor, strength: Tensor) -> Tensor:
    """A stylized picture, 0..1, and its photo, 0..255, both [1, 3, H, W], mixed by `strength` [], 0..1.

    At 0 and 1 it is exactly one of them; 0..255.
    """
    strength = strength.clamp(0, 1)
    return stylized * (255 * strength) + photo * (1 - strength)


def write(network: networks.Transformer, path: Path, io: str, label: Label) -> None:
    """Write a network, in evaluation mode and on the CPU, as an ONNX file; the same network gives the same bytes.

    `io` is `pixels` or `float`, as in onnx.io.
    """
    contract = onnx_contract(io)
    model = _exported(network, io)
    # An initializer that is an input too is what a caller may leave out; the exporter would fold it away.
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1, np.float32), STRENGTH))
    _strip(model)
    _rename(model.graph)
    for value in (model.graph.input[0], model.graph.output[0]):
        # The exporter writes formulas of its own symbols, s62 and the like.
        for dim, name in zip(value.type.tensor_type.shape.dim, contract["input"]["shape"], strict=True):
            if isinstance(name, str):
                dim.dim_param = name
    model.ir_version = IR
    model.graph.name = "impasto"
    model.producer_name, model.producer_version = "impasto", label.version
    onnx.helper.set_model_props(
        model,
        {
            "style": label.style,
            "artist": label.artist,
            "licence": label.licence,
            "impasto": label.version,
            "torch": importlib.metadata.version("torch"),
            "contract": sentence(contract),
            VARIANT: "fp32",
            CARD: label.card,
        },
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _exported(network: networks.Transformer, io: str) -> onnx.ModelProto:
    shape = (1, 34, 45, 4) if io == "pixels" else (1, 3, 34, 45)
    sides = (1, 2) if io == "pixels" else (2, 3)
    module = Pixels(Lean(network)) if io == "pixels" else Floats(Lean(network))
    with quiet():
        program = torch.onnx.export(
            module.eval(),
            (torch.zeros(shape, dtype=torch.uint8 if io == "pixels" else torch.float32), torch.tensor(1.0)),
            input_names=[INPUT, STRENGTH],
            output_names=[OUTPUT],
            # AUTO: a named dimension fails on padding that depends on it ("Constraints violated", torch 2.14)
            dynamic_shapes=(dict.fromkeys(sides, torch.export.Dim.AUTO), None),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # as it is with dynamo=True
    model: onnx.ModelProto = program.model_proto
    return model


def _strip(model: onnx.ModelProto) -> None:
    """Drop what the exporter adds for debugging, with paths and source lines of this machine, and what goes unsaid."""
    graph = model.graph
    del graph.value_info[:]
    parts: Iterable[onnx.ModelProto | onnx.GraphProto | onnx.NodeProto | onnx.ValueInfoProto | onnx.TensorProto]
    parts = [model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer]
    for part in parts:
        del part.metadata_props[:]
        part.ClearField("doc_string")
    for node in graph.node:
        defaults = onnx.defs.get_schema(node.op_type, OPSET).attributes
        said = []
        for attribute in node.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            if value != _default(defaults[attribute.name]) and value != _unsaid(attribute):
                said.append(attribute)
        del node.attribute[:]
        node.attribute.extend(said)


def _unsaid(attribute: onnx.AttributeProto) -> list[int] | None:
    """What a convolution does where nothing is said (onnx.ai, Conv), which its schema tells in words alone."""
    value = {"dilations": 1, "strides": 1, "pads": 0}.get(attribute.name)
    return None if value is None else [value] * len(attribute.ints)


def _default(attribute: onnx.defs.OpSchema.Attribute) -> object:
    value = attribute.default_value
    return onnx.helper.get_attribute_value(value) if value.type else None


def _rename(graph: onnx.GraphProto) -> None:
    """Name weights by layer (conv3.weight), and all else inside by a number: the exporter's names are long."""
    names = {name: name for name in (INPUT, STRENGTH, OUTPUT, "")}
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
