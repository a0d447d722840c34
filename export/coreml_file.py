"""The Core ML packages for iOS: ML programs of fixed sizes, RGB image in, RGB image out."""

import json
import site
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from impasto.configs.errors import CheckError
from impasto.export import half
from impasto.export.golden import Pixels
from impasto.export.label import INPUT, MULTIFUNCTION, OUTPUT, SPECIFICATION, Label
from impasto.export.quiet import quiet
from impasto.models import networks

Shape = tuple[int, int]
"""(height, width)."""

IOS18 = "Model_ios18.mlpackage"
_SPECIFICATION_FILE = Path("Data", "com.apple.CoreML", "model.mlmodel")
_DATE = "com.github.apple.coremltools.conversion_date"
_FEWEST = 256  # numbers of a weight that 8 bits are worth their scales for; coremltools would leave out 2048


@dataclass(frozen=True)
class Package:
    """A package that was written: its file name, default size, weights (fp16 or int8), and each function's size."""

    name: str
    height: int
    width: int
    weights: str
    functions: dict[str, Shape]


def write_all(
    network: networks.Transformer,
    folder: Path,
    sizes: Sequence[Shape],
    label: Label,
    pictures: Sequence[Pixels] = (),
) -> list[Package]:
    """Write into `folder` all packages of a network in evaluation mode, on the CPU; the same network, the same bytes.

    For each of `sizes`, multiples of 4: one with fp16 weights for iOS 16, and one with 8-bit weights. For iOS 18: one
    with a function for each size (`function`), which share their weights. The numbers inside are those of
    half.fp16_safe, by its own pictures and `pictures`. CheckError where what was written is not as it should be.
    """
    safe = half.fp16_safe(network, [*half.calibration(), *pictures])
    packages = []
    for height, width in sizes:
        whole, small = (f"Model_{width}x{height}{ending}.mlpackage" for ending in ("", "_int8"))
        write(safe, folder / whole, height, width, label)
        compress(folder / whole, folder / small, label)
        check(safe, folder / small, {"main": (height, width)}, "int8")
        for name, weights in ((whole, "fp16"), (small, "int8")):
            packages.append(Package(name, height, width, weights, {"main": (height, width)}))
    functions = {function(*shape): shape for shape in sizes}
    middle = sorted(sizes, key=lambda shape: shape[0] * shape[1])[len(sizes) // 2]
    default = (512, 512) if (512, 512) in sizes else middle
    combine(
        {name: folder / f"Model_{shape[1]}x{shape[0]}.mlpackage" for name, shape in functions.items()},
        folder / IOS18,
        function(*default),
        label,
    )
    check(safe, folder / IOS18, functions)
    return [*packages, Package(IOS18, *default, "fp16", functions)]


def function(height: int, width: int) -> str:
    """The name of a size in a package of several."""
    return f"size_{width}x{height}"


def write(network: networks.Transformer, path: Path, height: int, width: int, label: Label) -> None:
    """Write a network, in evaluation mode and on the CPU, as an .mlpackage; the same network gives the same bytes.

    `height` and `width` are multiples of 4. What was written is read back; CheckError where it is not as it should be.
    """
    with quiet():
        import coremltools as ct

        program = torch.export.export(network, (torch.zeros(1, 3, height, width),)).run_decompositions({})
        model = ct.convert(
            program,
            inputs=[ct.ImageType(INPUT, shape=(1, 3, height, width), color_layout=ct.colorlayout.RGB)],
            outputs=[ct.ImageType(OUTPUT, color_layout=ct.colorlayout.RGB)],
            minimum_deployment_target=ct.target.iOS16,
            # fp16 is what the Neural Engine computes in
            compute_precision=ct.precision.FLOAT16,
            skip_model_load=True,
        )
        model.save(str(path))
        _settle(path, label)
    check(network, path, {"main": (height, width)})


def compress(source: Path, path: Path, label: Label) -> None:
    """Write the package `source` with the weights of its convolutions in 8 bits, with a scale for each channel.

    The first one, which sees the pixels, keeps its 16: in 8 it would cost 5 dB, for a thousand bytes.
    """
    with quiet():
        import coremltools as ct
        from coremltools.optimize import coreml

        model = ct.models.MLModel(str(source), skip_model_load=True)
        weights = coreml.get_weights_metadata(model, weight_threshold=_FEWEST)
        how = coreml.OptimizationConfig(
            global_config=coreml.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_FEWEST),
            op_name_configs={name: None for name, weight in weights.items() if _sees_pixels(weight.val)},
        )
        coreml.linear_quantize_weights(model, how).save(str(path))
        _settle(path, label)


def combine(sources: Mapping[str, Path], path: Path, default: str, label: Label) -> None:
    """Write one package for iOS 18 whose functions, by name, are the packages `sources`; equal weights stand once."""
    with quiet():
        import coremltools as ct

        several = ct.utils.MultiFunctionDescriptor()
        for name, source in sources.items():
            several.add_function(str(source), "main", name)
        several.default_function_name = default
        ct.utils.save_multifunction(several, str(path))
        _settle(path, label)


def check(network: nn.Module, path: Path, functions: Mapping[str, Shape], weights: str = "fp16") -> None:
    """Raise CheckError unless the package at `path` is `network` with the promised functions, and names no path.

    `functions`: the size of each; of main alone, for iOS 16. `weights`: how convolutions' are stored, fp16 or int8.
    """
    with quiet():
        import coremltools as ct
        from coremltools.converters.mil.frontend.milproto.load import load

        model = ct.models.MLModel(str(path), skip_model_load=True)
        spec = model.get_spec()
        program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    version = SPECIFICATION if [*functions] == ["main"] else MULTIFUNCTION
    if spec.specificationVersion != version or spec.WhichOneof("Type") != "mlProgram":
        kind = spec.WhichOneof("Type")
        raise CheckError(
            f"{path.name} is a {kind} of version {spec.specificationVersion}, not an mlProgram of {version}"
        )
    described = {item.name: item for item in spec.description.functions} or {"main": spec.description}
    if {*described} != {*functions} or {*program.functions} != {*functions}:
        raise CheckError(f"{path.name} has the functions {', '.join(described)}, not {', '.join(functions)}")
    for name, shape in functions.items():
        _check_interface(described[name], path, shape)
        _check_weights(network, program.functions[name], path, weights)
    _check_paths(path)


def _settle(path: Path, label: Label) -> None:
    """Say what a package is; take out of it what differs from one run to the next, and what is no part of it."""
    import coremltools as ct

    # Not listed in the package's manifest; maps operators to torch's debug handles.
    (path / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)
    file = path / _SPECIFICATION_FILE
    spec = ct.proto.Model_pb2.Model.FromString(file.read_bytes())
    metadata = spec.description.metadata
    metadata.author = f"{label.artist} (style), impasto (network)"
    metadata.license = label.licence
    metadata.shortDescription = f"Paints a photo in the style {label.style}."
    metadata.versionString = label.version
    metadata.userDefined.pop(_DATE, None)
    file.unlink()  # made for the owner's eyes only (0600); the new file has the usual mode
    file.write_bytes(spec.SerializeToString(deterministic=True))
    for folder in (folder for folder in path.rglob("*") if folder.is_dir()):
        folder.chmod(path.stat().st_mode)  # the same of folders (0700)
    manifest = path / "Manifest.json"
    text = manifest.read_text(encoding="utf-8")
    for key, item in json.loads(text)["itemInfoEntries"].items():
        text = text.replace(key, str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])))
    manifest.write_text(json.dumps(json.loads(text), indent=4, sort_keys=True) + "\n", encoding="utf-8")


def _check_interface(description: Any, path: Path, shape: Shape) -> None:
    height, width = shape
    for name, values in ((INPUT, description.input), (OUTPUT, description.output)):
        found = [(value.name, value.type.WhichOneof("Type")) for value in values]
        image = values[0].type.imageType
        promised = (height, width, image.ColorSpace.Value("RGB"))
        if found != [(name, "imageType")] or (image.height, image.width, image.colorSpace) != promised:
            raise CheckError(f"{path.name} has {found} where an RGB image {name}, {width}x{height}, is promised")


def _check_weights(network: nn.Module, block: Any, path: Path, weights: str) -> None:
    """Every weight and epsilon of the network is in the package: as fp16, or within half a step of 8 bits."""
    stored, epsilons = [], []
    for operation in block.operations:
        if operation.op_type.startswith("constexpr_"):
            stored.append(operation.materialized_val_inference())
        elif operation.op_type == "const" and isinstance(operation.val.val, np.ndarray):
            stored.append(operation.val.val)
        elif operation.op_type == "instance_norm":
            epsilons.append(np.float16(operation.epsilon.val))
    for name, tensor in network.state_dict().items():
        weight = tensor.numpy().astype(np.float16).astype(np.float32)
        error = np.float32(2**-24)  # the converter keeps the sign of what fp16 would round to 0
        if weights == "int8" and weight.ndim == 4 and weight.size > _FEWEST and not _sees_pixels(weight):
            step = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / 127
            error = error + 0.51 * step + 128 * np.maximum(step * 2**-10, 2**-24)  # the step itself is fp16
        found = (np.abs(values.astype(np.float32) - weight) for values in stored if values.shape == weight.shape)
        if not any((difference <= error).all() for difference in found):
            raise CheckError(f"{path.name} does not hold the weights {name} of the network")
    if epsilons != [np.float16(epsilon) for epsilon in _epsilons(network)]:
        raise CheckError(f"{path.name} does not hold the epsilons of the network")


def _sees_pixels(weight: NDArray[np.floating]) -> bool:
    return weight.ndim == 4 and weight.shape[1] == 3


def _epsilons(network: nn.Module) -> list[float]:
    """The epsilon of each instance norm, as often as the network runs it."""
    run: list[float] = []
    norms = [part for part in network.modules() if isinstance(part, nn.InstanceNorm2d)]
    hooks = [norm.register_forward_hook(lambda norm, *_: run.append(norm.eps)) for norm in norms]
    with torch.inference_mode():
        network(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return run


def _check_paths(path: Path) -> None:
    places = {str(Path.home()), str(Path.cwd()), sys.prefix, sys.base_prefix, *site.getsitepackages(), "site-packages"}
    for file in sorted(path.rglob("*")):
        content = file.read_bytes() if file.is_file() else b""
        for place in places:
            if len(place) > 1 and place.encode() in content:
                raise CheckError(f"{path.name}/{file.relative_to(path)} names {place}, a path of this machine")
