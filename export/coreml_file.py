"""The Core ML package for iOS: an ML program of a fixed size, RGB image in, RGB image out."""

import json
import site
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from impasto.configs.errors import CheckError
from impasto.export.label import INPUT, OUTPUT, SPECIFICATION, Label
from impasto.export.quiet import quiet
from impasto.models import networks

_SPECIFICATION_FILE = Path("Data", "com.apple.CoreML", "model.mlmodel")
_DATE = "com.github.apple.coremltools.conversion_date"


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
            # fp16 is what the Neural Engine computes in; it is enough since networks normalise in their first op
            compute_precision=ct.precision.FLOAT16,
            skip_model_load=True,
        )
        model.author = f"{label.artist} (style), impasto (network)"
        model.license = label.licence
        model.short_description = f"Paints a photo in the style {label.style}."
        model.version = label.version
        model.save(str(path))
        _settle(path)
    check(network, path, height, width)


def check(network: nn.Module, path: Path, height: int, width: int) -> None:
    """Raise CheckError unless the package at `path` is `network` with the promised interface, and names no path."""
    with quiet():
        import coremltools as ct
        from coremltools.converters.mil.frontend.milproto.load import load

        model = ct.models.MLModel(str(path), skip_model_load=True)
        spec = model.get_spec()
        program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    if spec.specificationVersion != SPECIFICATION or spec.WhichOneof("Type") != "mlProgram":
        kind = spec.WhichOneof("Type")
        raise CheckError(
            f"{path.name} is a {kind} of version {spec.specificationVersion}, not an mlProgram of {SPECIFICATION}"
        )
    for name, values in ((INPUT, spec.description.input), (OUTPUT, spec.description.output)):
        found = [(value.name, value.type.WhichOneof("Type")) for value in values]
        image = values[0].type.imageType
        promised = (height, width, image.ColorSpace.Value("RGB"))
        if found != [(name, "imageType")] or (image.height, image.width, image.colorSpace) != promised:
            raise CheckError(f"{path.name} has {found} where an RGB image {name}, {width}x{height}, is promised")
    _check_weights(network, program, path)
    _check_paths(path)


def _settle(path: Path) -> None:
    """Take out of a package what differs from one run to the next, and what is no part of it."""
    import coremltools as ct

    # Not listed in the package's manifest; maps operators to torch's debug handles.
    (path / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)
    file = path / _SPECIFICATION_FILE
    spec = ct.proto.Model_pb2.Model.FromString(file.read_bytes())
    spec.description.metadata.userDefined.pop(_DATE, None)
    file.unlink()  # made for the owner's eyes only (0600); the new file has the usual mode
    file.write_bytes(spec.SerializeToString(deterministic=True))
    manifest = path / "Manifest.json"
    text = manifest.read_text(encoding="utf-8")
    for key, item in json.loads(text)["itemInfoEntries"].items():
        text = text.replace(key, str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])))
    manifest.write_text(json.dumps(json.loads(text), indent=4, sort_keys=True) + "\n", encoding="utf-8")


def _check_weights(network: nn.Module, program: Any, path: Path) -> None:
    """Every weight of the network is in the package, as fp16."""
    stored = set()
    for operation in program.functions["main"].operations:
        for output in operation.outputs:
            if isinstance(output.val, np.ndarray):
                stored.add(output.val.astype(np.float16).tobytes())
    for name, weight in network.state_dict().items():
        if weight.numpy().astype(np.float16).tobytes() not in stored:
            raise CheckError(f"{path.name} does not hold the weights {name} of the network")


def _check_paths(path: Path) -> None:
    places = {str(Path.home()), str(Path.cwd()), sys.prefix, sys.base_prefix, *site.getsitepackages(), "site-packages"}
    for file in sorted(path.rglob("*")):
        content = file.read_bytes() if file.is_file() else b""
        for place in places:
            if len(place) > 1 and place.encode() in content:
                raise CheckError(f"{path.name}/{file.relative_to(path)} names {place}, a path of this machine")
