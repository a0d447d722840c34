"""The Core ML packages for iOS: ML programs of fixed sizes, RGB image in, RGB image out."""

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from impasto.configs.errors import CheckFailed
from impasto.export import fp16_rescale
from impasto.export.coreml.contracts import MULTIFUNCTION, SPECIFICATION
from impasto.export.coreml.machine_paths import json_texts, machine_path, proto_texts
from impasto.export.suppress_output import suppress_output
from impasto.export.test_images import Pixels
from impasto.models import transform_net
from impasto.models.card import STYLE_NAMES
from impasto.models.contract import INPUT, OUTPUT, Label, defaults

Shape = tuple[int, int]
"""(height, width)."""

IOS18 = "Model_ios18.mlpackage"
_SPECIFICATION_FILE = Path("Data", "com.apple.CoreML", "model.mlmodel")
_DATE = "com.github.apple.coremltools.conversion_date"
_MIN_QUANTIZED = 256  # elements: smaller weights save less than their scales take; coremltools' default is 2048


@dataclass(frozen=True)
class Package:
    """A written package: its file name, default size, weights (`fp16` or `int8`), and the size of each function."""

    name: str
    height: int
    width: int
    weights: str
    functions: dict[str, Shape]


def write_all(
    network: transform_net.TransformNet,
    folder: Path,
    sizes: Sequence[Shape],
    label: Label,
    pictures: Sequence[Pixels] = (),
) -> list[Package]:
    """Write all Core ML packages of a network; the same network gives the same bytes.

    For each size there is one with fp16 weights for iOS 16, and one with 8-bit weights. For iOS 18 there is one with a
    function for each size (`function`); they share their weights.

    Args:
        network: A network in evaluation mode, on the CPU.
        folder: The folder to write into.
        sizes: (height, width) of each package, multiples of the network's stride.
        label: The style and version for the metadata.
        pictures: Photos [H, W, 3] to calibrate the fp16 rescaling on, beside its own images.

    Raises:
        CheckFailed: A written package differs from the network.
    """
    safe = fp16_rescale.fp16_safe(network, [*fp16_rescale.calibration_images(), *pictures])
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
    """Return the name of the function for a size in a package of several sizes."""
    return f"size_{width}x{height}"


def write(network: transform_net.TransformNet, path: Path, height: int, width: int, label: Label) -> None:
    """Write a network, in evaluation mode and on the CPU, as an .mlpackage; the same network gives the same bytes.

    `height` and `width` are multiples of its stride. The package is read back; CheckFailed where it differs from the
    network.
    """
    with suppress_output():
        import coremltools as ct

        program = torch.export.export(network, (torch.zeros(1, 3, height, width),)).run_decompositions({})
        model = ct.convert(
            program,
            inputs=[ct.ImageType(INPUT, shape=(1, 3, height, width), color_layout=ct.colorlayout.RGB)],
            outputs=[ct.ImageType(OUTPUT, color_layout=ct.colorlayout.RGB)],
            minimum_deployment_target=ct.target.iOS16,
            # the Neural Engine computes in fp16
            compute_precision=ct.precision.FLOAT16,
            skip_model_load=True,
        )
        model.save(str(path))
        finish(path, label)
    check(network, path, {"main": (height, width)})


def compress(source: Path, path: Path, label: Label) -> None:
    """Write the package `source` with the weights of its convolutions in 8 bits, with a scale for each channel.

    The first one, which sees the pixels, stays in 16 bits: 8 would cost 5 dB there, to save a thousand bytes.
    """
    with suppress_output():
        import coremltools as ct
        from coremltools.optimize import coreml

        model = ct.models.MLModel(str(source), skip_model_load=True)
        weights = coreml.get_weights_metadata(model, weight_threshold=_MIN_QUANTIZED)
        config = coreml.OptimizationConfig(
            global_config=coreml.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=_MIN_QUANTIZED),
            op_name_configs={name: None for name, weight in weights.items() if _sees_pixels(weight.val)},
        )
        coreml.linear_quantize_weights(model, config).save(str(path))
        finish(path, label)


def combine(sources: Mapping[str, Path], path: Path, default: str, label: Label) -> None:
    """Write one package for iOS 18 whose functions, by name, are the packages `sources`; they share equal weights."""
    with suppress_output():
        import coremltools as ct

        descriptor = ct.utils.MultiFunctionDescriptor()
        for name, source in sources.items():
            descriptor.add_function(str(source), "main", name)
        descriptor.default_function_name = default
        ct.utils.save_multifunction(descriptor, str(path))
        finish(path, label)


def check(
    network: nn.Module,
    path: Path,
    functions: Mapping[str, Shape],
    weights: str = "fp16",
    only: Collection[str] | None = None,
) -> None:
    """Read a package back, and check it.

    Args:
        network: The network that it was written from.
        path: The package.
        functions: The size of each function; for iOS 16, the one of `main`.
        weights: How the weights of convolutions are stored: `fp16` or `int8`.
        only: The functions that have the weights of this network; all by default.

    Raises:
        CheckFailed: The package has other functions, sizes or weights, or contains a path of this machine.
    """
    with suppress_output():
        import coremltools as ct
        from coremltools.converters.mil.frontend.milproto.load import load

        model = ct.models.MLModel(str(path), skip_model_load=True)
        spec = model.get_spec()
        program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    version = SPECIFICATION if [*functions] == ["main"] else MULTIFUNCTION
    if spec.specificationVersion != version or spec.WhichOneof("Type") != "mlProgram":
        kind = spec.WhichOneof("Type")
        raise CheckFailed(
            f"{path.name} is a {kind} of version {spec.specificationVersion}, not an mlProgram of {version}"
        )
    described = {item.name: item for item in spec.description.functions} or {"main": spec.description}
    if {*described} != {*functions} or {*program.functions} != {*functions}:
        raise CheckFailed(f"{path.name} has the functions {', '.join(described)}, not {', '.join(functions)}")
    for name, shape in functions.items():
        _check_interface(described[name], path, shape)
        if only is None or name in only:
            _check_weights(network, program.functions[name], path, weights)
    manifest = Path("Manifest.json")
    for file, texts in ((_SPECIFICATION_FILE, proto_texts(spec)), (manifest, json_texts(path / manifest))):
        if (found := machine_path(texts)) is not None:
            raise CheckFailed(f"{path.name}/{file} contains {found}, a path of this machine")


def finish(path: Path, label: Label) -> None:
    """Write the metadata of a package; remove what differs between runs, and files that do not belong to it."""
    import coremltools as ct

    # Not listed in the manifest of the package; it maps operators to torch's debug handles.
    (path / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)
    file = path / _SPECIFICATION_FILE
    spec = ct.proto.Model_pb2.Model.FromString(file.read_bytes())
    metadata = spec.description.metadata
    metadata.author = f"{label.artist} (style), impasto (network)"
    metadata.license = f"{label.license} (network), {label.style_license} (style)"
    metadata.shortDescription = f"Paints a photo in the style {label.style}."
    metadata.versionString = label.version
    metadata.userDefined.pop(_DATE, None)
    if label.styles:
        metadata.userDefined[STYLE_NAMES] = "\n".join(style.name for style in label.styles)
    metadata.userDefined.update(defaults(label))
    file.unlink()  # its mode is 0600; the new file has the default mode
    file.write_bytes(spec.SerializeToString(deterministic=True))
    for folder in (folder for folder in path.rglob("*") if folder.is_dir()):
        folder.chmod(path.stat().st_mode)  # the mode of folders is 0700
    manifest = path / "Manifest.json"
    text = manifest.read_text(encoding="utf-8")
    for key, item in json.loads(text)["itemInfoEntries"].items():
        text = text.replace(key, str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])))
    manifest.write_text(json.dumps(json.loads(text), indent=4, sort_keys=True) + "\n", encoding="utf-8")


def _check_interface(description: Any, path: Path, shape: Shape) -> None:
    height, width = shape
    for name, values in ((INPUT, description.input), (OUTPUT, description.output)):
        actual = [(value.name, value.type.WhichOneof("Type")) for value in values]
        image = values[0].type.imageType
        promised = (height, width, image.ColorSpace.Value("RGB"))
        if actual != [(name, "imageType")] or (image.height, image.width, image.colorSpace) != promised:
            raise CheckFailed(f"{path.name} has {actual} instead of an RGB image {name} of {width}x{height}")


def _check_weights(network: nn.Module, block: Any, path: Path, weights: str) -> None:
    """Check that the package has every weight, as fp16 or within half a step of 8 bits, and every epsilon."""
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
        error = np.float32(2**-24)  # the converter preserves the sign of values that fp16 rounds to 0
        if weights == "int8" and weight.ndim == 4 and weight.size > _MIN_QUANTIZED and not _sees_pixels(weight):
            step = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / 127
            error = error + 0.51 * step + 128 * np.maximum(step * 2**-10, 2**-24)  # the step itself is fp16
        differences = (np.abs(values.astype(np.float32) - weight) for values in stored if values.shape == weight.shape)
        if not any((difference <= error).all() for difference in differences):
            raise CheckFailed(f"{path.name} does not contain the weights {name} of the network")
    if epsilons != [np.float16(epsilon) for epsilon in _epsilons(network)]:
        raise CheckFailed(f"{path.name} does not contain the epsilons of the network")


def _sees_pixels(weight: NDArray[np.floating]) -> bool:
    return weight.ndim == 4 and weight.shape[1] == 3


def _epsilons(network: nn.Module) -> list[float]:
    """The epsilon of each instance norm, repeated for each time that the network runs it."""
    epsilons: list[float] = []
    norms = [part for part in network.modules() if isinstance(part, nn.InstanceNorm2d)]
    hooks = [norm.register_forward_hook(lambda norm, *_: epsilons.append(norm.eps)) for norm in norms]
    with torch.inference_mode():
        network(torch.zeros(1, 3, 128, 128))
    for hook in hooks:
        hook.remove()
    return epsilons
