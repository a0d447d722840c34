"""A reference interpreter of Core ML packages, for machines without Core ML; and a call of Core ML, on a Mac.

It runs the operations of the saved file, with the weights of the saved file, as Apple documents them. It is not Apple's
runtime: how a phone's Neural Engine or GPU computes an operation is unknown.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.configs.errors import CheckFailed, UsageError
from impasto.export.coreml.contracts import MIL_INTERPRETER
from impasto.export.suppress_output import suppress_output
from impasto.export.test_images import Pixels
from impasto.models.card import STYLES
from impasto.models.contract import INPUT, OUTPUT

PRECISIONS = ("fp32", "fp16")


class Program:
    """One function of a package: from an image [height, width, 3] to an image of the same size.

    `blends` says whether it has the weights of styles as a second input.
    """

    def __init__(self, path: Path, name: str, block: Any) -> None:
        self._path = path
        self._operations = [operation for operation in block.operations if operation.op_type != "const"]
        self._input, *others = block.inputs.values()
        self.blends = [value.name for value in others] == [STYLES]
        (self._output,) = block.outputs
        self.height, self.width = self._input.shape[2:]
        self.function = name
        for operation in self._operations:
            if operation.op_type not in _OPERATIONS and not operation.op_type.startswith("constexpr_"):
                raise CheckFailed(
                    f"{path.name} has the operation {operation.op_type}, which the {MIL_INTERPRETER}, does not support"
                )

    def __call__(self, rgb: Pixels, precision: str = "fp32", weights: Sequence[float] = ()) -> Pixels:
        """Run the function on `rgb`, uint8 [height, width, 3]; round and clamp the result as Core ML does.

        Args:
            rgb: The image.
            precision: `fp32` computes in fp32. `fp16` rounds the result of each operation to fp16, where the file
                declares that type; within an operation, sums are in fp32.
            weights: The weights of the styles, of a function that blends them.

        Raises:
            CheckFailed: A result is not finite.
        """
        if rgb.shape != (self.height, self.width, 3) or rgb.dtype != np.uint8:
            raise UsageError(
                f"{self._path.name} takes uint8 [{self.height}, {self.width}, 3] in {self.function}, "
                f"not {rgb.dtype} {list(rgb.shape)}"
            )
        if precision not in PRECISIONS:
            raise UsageError(f"precision={precision} is not known; choose one of {', '.join(PRECISIONS)}")
        values = {self._input.name: torch.from_numpy(rgb).permute(2, 0, 1)[None].float()}
        if self.blends:
            values[STYLES] = torch.tensor([weights], dtype=torch.float32)
        uses = Counter(value.name for operation in self._operations for value in _inputs(operation))
        with torch.inference_mode():
            for operation in self._operations:
                (output,) = operation.outputs
                if operation.op_type.startswith("constexpr_"):
                    values[output.name] = torch.tensor(operation.materialized_val_inference(), dtype=torch.float32)
                    continue
                inputs = {key: _resolve(value, values) for key, value in operation.inputs.items()}
                result = _OPERATIONS[operation.op_type](**inputs)
                if precision == "fp16" and output.dtype.__name__ == "fp16":
                    result = result.half().float()
                if not result.isfinite().all():
                    kind = "nan" if result.isnan().any() else "overflow"
                    raise CheckFailed(f"{self._path.name}: {kind} in {precision} at {operation.name}")
                values[output.name] = result
                for value in _inputs(operation):  # free what is no longer needed: images may be large
                    uses[value.name] -= 1
                    if not uses[value.name]:
                        values.pop(value.name, None)
        stylized = values[self._output.name][0].permute(1, 2, 0)
        return stylized.round().clamp(0, 255).to(torch.uint8).numpy()


def load(path: Path, function: str = "main") -> Program:
    """Load a function of an .mlpackage; UsageError where it is missing, CheckFailed for an unknown operation."""
    with suppress_output():
        import coremltools as ct
        from coremltools.converters.mil.frontend.milproto.load import load as read

        model = ct.models.MLModel(str(path), skip_model_load=True)
        spec = model.get_spec()
        program = read(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    if function not in program.functions:
        raise UsageError(f"{path.name} has no function {function}; it has {', '.join(program.functions)}")
    return Program(path, function, program.functions[function])


def predict(path: Path, rgb: Pixels, function: str = "main", weights: Sequence[float] = ()) -> Pixels:
    """Run a function in Core ML on `rgb`, uint8 [height, width, 3], and weights of styles; on a Mac only."""
    import coremltools as ct
    from PIL import Image

    name = None if function == "main" else function  # coremltools accepts names for multifunction packages only
    model = ct.models.MLModel(str(path), function_name=name)
    styles = {STYLES: np.array([weights], np.float32)} if weights else {}
    stylized: Image.Image = model.predict({INPUT: Image.fromarray(rgb)} | styles)[OUTPUT]
    return np.asarray(stylized.convert("RGB"))


def _inputs(operation: Any) -> list[Any]:
    """The inputs of an operation, with lists flattened."""
    inputs = operation.inputs.values()
    return [part for value in inputs for part in (value if isinstance(value, list | tuple) else [value])]


def _resolve(value: Any, results: dict[str, Tensor]) -> Any:
    """The argument for an input: earlier results, a constant tensor of floats, or a plain constant."""
    if isinstance(value, list | tuple):
        return [_resolve(part, results) for part in value]
    if value.name in results:
        return results[value.name]
    constant = value.val
    if isinstance(constant, np.ndarray) and constant.dtype.kind == "f":
        return torch.tensor(constant, dtype=torch.float32)
    return constant.tolist() if isinstance(constant, np.ndarray | np.generic) else constant


def _cast(x: Tensor, dtype: str) -> Tensor:
    if dtype not in PRECISIONS:
        raise CheckFailed(f"the {MIL_INTERPRETER}, does not support a cast to {dtype}")
    return x


def _conv(
    x: Tensor,
    weight: Tensor,
    strides: list[int],
    pad_type: str,
    pad: list[int],
    dilations: list[int],
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    if pad_type not in ("valid", "custom"):
        raise CheckFailed(f"the {MIL_INTERPRETER}, does not support a convolution with padding {pad_type}")
    padded = _pad(x, pad) if pad_type == "custom" else x
    return F.conv2d(padded, weight, bias, tuple(strides), 0, tuple(dilations), groups)


def _instance_norm(x: Tensor, epsilon: float = 1e-5, gamma: Tensor | None = None, beta: Tensor | None = None) -> Tensor:
    return F.instance_norm(x, weight=gamma, bias=beta, eps=epsilon)


def _pad(x: Tensor, pad: list[int], mode: str = "constant", constant_val: float = 0.0) -> Tensor:
    """`pad` lists before and after for each of the last axes in order; torch expects the last axis first."""
    pairs = [*zip(pad[::2], pad[1::2], strict=True)]
    while len(pairs) > 2 and pairs[0] == (0, 0):  # torch reflects the last two axes only
        pairs.pop(0)
    return F.pad(x, [side for pair in reversed(pairs) for side in pair], mode, constant_val)


def _upsample(x: Tensor, mode: str, align_corners: bool | None = None, **factors: float) -> Tensor:
    height, width = (factors.get(f"scale_factor_{side}", 1) for side in ("height", "width"))
    size = int(x.shape[2] * height), int(x.shape[3] * width)
    return F.interpolate(x, size, mode=mode, align_corners=align_corners)


def _pool(
    x: Tensor, kernel_sizes: list[int], strides: list[int], pad_type: str, pool: Callable[..., Tensor], **rest: Any
) -> Tensor:
    pad = rest.get("pad") or [0] * 4
    if pad_type not in ("valid", "custom") or rest.get("ceil_mode") or pad[::2] != pad[1::2]:
        raise CheckFailed(f"the {MIL_INTERPRETER}, does not support a pooling with padding {pad_type}")
    padding = tuple(pad[::2]) if pad_type == "custom" else (0, 0)
    average = {"count_include_pad": not rest.get("exclude_padding_from_average")} if pool is F.avg_pool2d else {}
    return pool(x, tuple(kernel_sizes), tuple(strides), padding, **average)


_OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "abs": lambda x: x.abs(),
    "add": lambda x, y: x + y,
    "avg_pool": partial(_pool, pool=F.avg_pool2d),
    "cast": _cast,
    "clip": lambda x, alpha, beta: x.clamp(alpha, beta),
    "concat": lambda values, axis, interleave=False: torch.cat(values, axis),
    "conv": _conv,
    "instance_norm": _instance_norm,
    "linear": lambda x, weight, bias=None: F.linear(x, weight, bias),
    "inverse": lambda x, epsilon=1e-4: 1 / (x + epsilon),
    "max_pool": partial(_pool, pool=F.max_pool2d),
    "mul": lambda x, y: x * y,
    "pad": _pad,
    "pixel_shuffle": lambda x, upscale_factor: F.pixel_shuffle(x, upscale_factor),
    "real_div": lambda x, y: x / y,
    "relu": lambda x: x.relu(),
    "reshape": lambda x, shape: x.reshape(shape),
    "sigmoid": lambda x: x.sigmoid(),
    "sub": lambda x, y: x - y,
    "upsample_bilinear": partial(_upsample, mode="bilinear"),
    "upsample_nearest_neighbor": partial(_upsample, mode="nearest"),
}
