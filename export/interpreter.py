"""A reference interpreter of Core ML packages, for machines without Core ML; and Core ML itself, on a Mac.

It runs the operations of the saved file, with the weights of the saved file, as Apple documents them. It is not Apple's
runtime: what a phone's Neural Engine or GPU does inside an operation is not known here.
"""

import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.configs.errors import CheckError, RequestError
from impasto.export.golden import Pixels
from impasto.export.label import INPUT, OUTPUT
from impasto.export.quiet import quiet

PRECISIONS = ("fp32", "fp16")
NAME = "reference interpreter, not Apple's runtime"


class Program:
    """One function of a package: pictures [height, width, 3] in, pictures of the same size out."""

    def __init__(self, path: Path, name: str, block: Any) -> None:
        self._path = path
        self._operations = [operation for operation in block.operations if operation.op_type != "const"]
        (self._input,) = block.inputs.values()
        (self._output,) = block.outputs
        self.height, self.width = self._input.shape[2:]
        self.function = name
        for operation in self._operations:
            if operation.op_type not in _OPERATIONS and not operation.op_type.startswith("constexpr_"):
                raise CheckError(f"{path.name} has the operation {operation.op_type}, which the {NAME}, does not know")

    def __call__(self, rgb: Pixels, precision: str = "fp32") -> Pixels:
        """The picture that the package makes of `rgb` uint8 [height, width, 3], rounded and clamped as Core ML does.

        "fp32" computes with the weights of the file in fp32. "fp16" rounds to fp16 what the file declares so: the
        result of each operation, which adds up in fp32. Raises CheckError where a result is no finite number.
        """
        if rgb.shape != (self.height, self.width, 3) or rgb.dtype != np.uint8:
            raise RequestError(
                f"{self._path.name} takes uint8 [{self.height}, {self.width}, 3] in {self.function}, "
                f"not {rgb.dtype} {list(rgb.shape)}"
            )
        if precision not in PRECISIONS:
            raise RequestError(f"precision={precision} is not known; choose one of {', '.join(PRECISIONS)}")
        values = {self._input.name: torch.from_numpy(rgb).permute(2, 0, 1)[None].float()}
        uses = Counter(given.name for operation in self._operations for given in _given(operation))
        with torch.inference_mode():
            for operation in self._operations:
                (output,) = operation.outputs
                if operation.op_type.startswith("constexpr_"):
                    values[output.name] = torch.tensor(operation.materialized_val_inference(), dtype=torch.float32)
                    continue
                inputs = {key: _value(given, values) for key, given in operation.inputs.items()}
                result = _OPERATIONS[operation.op_type](**inputs)
                if precision == "fp16" and output.dtype.__name__ == "fp16":
                    result = result.half().float()
                if not result.isfinite().all():
                    kind = "nan" if result.isnan().any() else "overflow"
                    raise CheckError(f"{self._path.name}: {kind} in {precision} at {operation.name}")
                values[output.name] = result
                for given in _given(operation):  # large pictures: keep what is still needed
                    uses[given.name] -= 1
                    if not uses[given.name]:
                        values.pop(given.name, None)
        stylized = values[self._output.name][0].permute(1, 2, 0)
        return stylized.round().clamp(0, 255).to(torch.uint8).numpy()


def load(path: Path, function: str = "main") -> Program:
    """Read a function of an .mlpackage; RequestError where it has no such function, CheckError for what is unknown."""
    with quiet():
        import coremltools as ct
        from coremltools.converters.mil.frontend.milproto.load import load as read

        model = ct.models.MLModel(str(path), skip_model_load=True)
        spec = model.get_spec()
        program = read(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    if function not in program.functions:
        raise RequestError(f"{path.name} has no function {function}; it has {', '.join(program.functions)}")
    return Program(path, function, program.functions[function])


def predict(path: Path, rgb: Pixels, function: str = "main") -> Pixels:
    """What Core ML makes of `rgb` uint8 [height, width, 3]; on a Mac alone."""
    import coremltools as ct
    from PIL import Image

    name = None if function == "main" else function  # coremltools takes names of multifunction packages only
    model = ct.models.MLModel(str(path), function_name=name)
    stylized: Image.Image = model.predict({INPUT: Image.fromarray(rgb)})[OUTPUT]
    return np.asarray(stylized.convert("RGB"))


def runtimes(path: Path, function: str = "main") -> dict[str, Callable[[Pixels], Pixels]]:
    """All that can run a function of a package on this machine, by name."""
    program = load(path, function)
    found: dict[str, Callable[[Pixels], Pixels]] = {
        f"{NAME}, {precision}": partial(program, precision=precision) for precision in PRECISIONS
    }
    if sys.platform == "darwin":
        found["Core ML"] = partial(predict, path, function=function)
    return found


def _given(operation: Any) -> list[Any]:
    """The inputs of an operation, those of a list one by one."""
    inputs = operation.inputs.values()
    return [part for given in inputs for part in (given if isinstance(given, list | tuple) else [given])]


def _value(given: Any, values: dict[str, Tensor]) -> Any:
    """What an operation gets for an input: results, a constant tensor of floats, or a plain constant."""
    if isinstance(given, list | tuple):
        return [_value(part, values) for part in given]
    if given.name in values:
        return values[given.name]
    value = given.val
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return torch.tensor(value, dtype=torch.float32)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _cast(x: Tensor, dtype: str) -> Tensor:
    if dtype not in PRECISIONS:
        raise CheckError(f"a cast to {dtype} is nothing that the {NAME}, knows")
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
        raise CheckError(f"a convolution with padding {pad_type} is nothing that the {NAME}, knows")
    padded = _pad(x, pad) if pad_type == "custom" else x
    return F.conv2d(padded, weight, bias, tuple(strides), 0, tuple(dilations), groups)


def _instance_norm(x: Tensor, epsilon: float = 1e-5, gamma: Tensor | None = None, beta: Tensor | None = None) -> Tensor:
    return F.instance_norm(x, weight=gamma, bias=beta, eps=epsilon)


def _pad(x: Tensor, pad: list[int], mode: str = "constant", constant_val: float = 0.0) -> Tensor:
    """`pad` is before and after each of the last sides, in their order; torch wants the last one first."""
    pairs = [*zip(pad[::2], pad[1::2], strict=True)]
    while len(pairs) > 2 and pairs[0] == (0, 0):  # torch reflects the last two sides alone
        pairs.pop(0)
    return F.pad(x, [side for pair in reversed(pairs) for side in pair], mode, constant_val)


def _upsample(x: Tensor, mode: str, align_corners: bool | None = None, **factors: float) -> Tensor:
    height, width = (factors.get(f"scale_factor_{side}", 1) for side in ("height", "width"))
    size = int(x.shape[2] * height), int(x.shape[3] * width)
    return F.interpolate(x, size, mode=mode, align_corners=align_corners)


_OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "add": lambda x, y: x + y,
    "cast": _cast,
    "clip": lambda x, alpha, beta: x.clamp(alpha, beta),
    "concat": lambda values, axis, interleave=False: torch.cat(values, axis),
    "conv": _conv,
    "instance_norm": _instance_norm,
    "mul": lambda x, y: x * y,
    "pad": _pad,
    "pixel_shuffle": lambda x, upscale_factor: F.pixel_shuffle(x, upscale_factor),
    "real_div": lambda x, y: x / y,
    "relu": lambda x: x.relu(),
    "sigmoid": lambda x: x.sigmoid(),
    "sub": lambda x, y: x - y,
    "upsample_bilinear": partial(_upsample, mode="bilinear"),
    "upsample_nearest_neighbor": partial(_upsample, mode="nearest"),
}
