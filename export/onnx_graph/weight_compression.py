"""Smaller files of the same network: weights stored in 16 or 8 bits, and ONNX Runtime's own format.

All of them compute in float32, since instance norm has no CPU kernel of fewer bits.
"""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from impasto.configs.errors import CheckFailed
from impasto.export.onnx_graph import ort_canonical, ort_tools
from impasto.models.contract import VARIANT
from impasto.models.ort_messages import reason

LARGE = 128  # elements; for a smaller tensor, the node that widens it takes the bytes that it saves

Store = Callable[[NDArray[np.float32], str], tuple[list[TensorProto], NodeProto]]
"""From values and their name in the graph to the stored tensors, and the node that widens them to float32."""


def fp16_stored(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of an fp32 model whose large float tensors are stored as float16: about half the size."""
    return _stored(model, "fp16", lambda values: _fp16 if values.size >= LARGE else None)


def int8_stored(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of an fp32 model whose convolution weights are stored as int8: about a quarter of the size.

    Quantization is symmetric, with a scale for each output channel; tensors smaller than LARGE stay. The first
    convolution, which sees the pixels, is stored as float16: int8 would cost 5 dB there, to save a thousand bytes. So
    are the tables of a store's norms.
    """

    def choose(values: NDArray[np.float32]) -> Store | None:
        if values.size < LARGE:
            return None
        if values.ndim == 2:  # the norms of a store's styles: a row for each
            return _fp16
        if values.ndim != 4:
            return None
        return _fp16 if values.shape[1] == 3 else _int8

    return _stored(model, "int8", choose)


def write_ort(onnx_path: Path, ort_path: Path, config_path: Path) -> None:
    """Write an ONNX file in ONNX Runtime's own format, and the list of operators and types that a build needs for it.

    The same file gives the same bytes.

    Raises:
        CheckFailed: ONNX Runtime's converter fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "model.onnx")
        source.write_bytes(onnx_path.read_bytes())
        options = "--optimization_style", "Fixed", "--target_platform", "arm", "--enable_type_reduction"
        done = ort_tools.run("convert_onnx_models_to_ort", Path(folder), *options, source.name)
        written, config = source.with_suffix(".ort"), source.with_suffix(".required_operators_and_types.config")
        if done.returncode or not (written.exists() and config.exists()):
            why = reason(done.stderr.strip() or done.stdout) or "it wrote no file"
            raise CheckFailed(
                f"{onnx_path.name} could not be converted to {ort_path.name}: {why}; use the tested version of "
                "onnxruntime"
            )
        ort_path.write_bytes(ort_canonical.canonical(written.read_bytes()))
        lines = config.read_text(encoding="utf-8").splitlines()
        # A comment of the converter may name its working folder.
        config_path.write_text("".join(f"{line}\n" for line in lines if line and line[0] != "#"), encoding="utf-8")


def _stored(
    model: onnx.ModelProto, variant: str, choose: Callable[[NDArray[np.float32]], Store | None]
) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    tensors: list[TensorProto] = []
    nodes: list[NodeProto] = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        store = choose(values) if tensor.data_type == TensorProto.FLOAT else None
        if store is not None:
            parts, node = store(values, tensor.name)
            tensors += parts
            nodes.append(node)
        else:
            tensors.append(tensor)
    nodes += graph.node
    tensors, nodes = copy.deepcopy((tensors, nodes))  # the next lines drop the originals
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensors)
    graph.node.extend(nodes)
    properties = {item.key: item.value for item in result.metadata_props} | {VARIANT: variant}
    helper.set_model_props(result, properties)
    onnx.checker.check_model(result, full_check=True)
    return result


def _fp16(values: NDArray[np.float32], name: str) -> tuple[list[TensorProto], NodeProto]:
    tensor = numpy_helper.from_array(values.astype(np.float16), f"{name}.fp16")
    return [tensor], helper.make_node("Cast", [tensor.name], [name], name, to=TensorProto.FLOAT)


def _int8(values: NDArray[np.float32], name: str) -> tuple[list[TensorProto], NodeProto]:
    scale = np.abs(values).max(axis=(1, 2, 3)) / np.float32(127)
    scale[scale == 0] = 1
    whole = np.rint(values / scale[:, None, None, None]).clip(-127, 127).astype(np.int8)
    tensors = [numpy_helper.from_array(whole, f"{name}.int8"), numpy_helper.from_array(scale, f"{name}.scale")]
    return tensors, helper.make_node("DequantizeLinear", [part.name for part in tensors], [name], name, axis=0)
