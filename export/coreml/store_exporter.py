"""The Core ML packages of a store: a function for each style, and packages that blend styles by a second input."""

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.export import fp16_rescale
from impasto.export.contract import style_function
from impasto.export.coreml import exporter
from impasto.export.coreml.exporter import IOS18, Package, Shape
from impasto.export.suppress_output import suppress_output
from impasto.export.test_images import Pixels
from impasto.models.card import STYLES
from impasto.models.contract import INPUT, OUTPUT, Label
from impasto.models.network_blocks import InstanceNorm
from impasto.models.store import Store
from impasto.models.transform_net import TransformNet


class _BlendedNorm(nn.Module):
    """An instance norm whose scale and shift are blends of those of the styles. `chosen` holds their weights."""

    def __init__(self, norms: Sequence[InstanceNorm], chosen: list[Tensor]) -> None:
        super().__init__()
        self.eps, self.chosen = norms[0].eps, chosen
        for name in ("weight", "bias"):
            tables = [getattr(norm, name).detach() for norm in norms]
            self.register_buffer(name, torch.stack(tables, 1).contiguous())  # [channels, styles]

    def forward(self, x: Tensor) -> Tensor:
        """Normalize features [1, C, H, W]."""
        scale, shift = (
            F.linear(self.chosen[0], self.get_buffer(name)).reshape(1, -1, 1, 1) for name in ("weight", "bias")
        )
        return F.instance_norm(x, eps=self.eps) * scale + shift


class _Blend(nn.Module):
    """A store as a network of two inputs: pixels [1, 3, H, W], and the weights of the styles [1, styles]."""

    def __init__(self, networks: Sequence[TransformNet]) -> None:
        super().__init__()
        self.chosen: list[Tensor] = []
        self.network = copy.deepcopy(networks[0])
        modules = [dict(network.named_modules()) for network in networks]
        for name in [name for name, module in modules[0].items() if isinstance(module, InstanceNorm)]:
            self.network.set_submodule(name, _BlendedNorm([each[name] for each in modules], self.chosen))

    def forward(self, pixels: Tensor, weights: Tensor) -> Tensor:
        """Stylize pixels, 0..255."""
        self.chosen[:] = [weights]
        stylized: Tensor = self.network(pixels)
        return stylized


def write_all(
    store: Store, folder: Path, sizes: Sequence[Shape], label: Label, pictures: Sequence[Pixels] = ()
) -> list[Package]:
    """Write the Core ML packages of a store.

    IOS18 has a function for each style and size (`function`), which share their convolutions. For each size there is a
    package for iOS 16 that blends styles, with the weights of the styles, float32 [1, styles], as its second input.

    Args:
        store: The store, in evaluation mode, on the CPU.
        folder: The folder to write into.
        sizes: (height, width) of each function and package, multiples of 4.
        label: The styles and the version for the metadata.
        pictures: Photos [H, W, 3] to calibrate the fp16 rescaling on, beside its own images.

    Raises:
        CheckFailed: A written package differs from the store.
    """
    networks = [store.network(index) for index in range(len(store.networks))]
    safe = fp16_rescale.fp16_safe_all(networks, [*fp16_rescale.calibration_images(), *pictures])
    packages = [_write_blend(safe, folder, shape, label) for shape in sizes]
    functions = {function(index, *shape): (index, shape) for index in range(len(safe)) for shape in sizes}
    with tempfile.TemporaryDirectory() as name:
        sources: dict[str, Path] = {}
        for key, (index, (height, width)) in functions.items():
            sources[key] = Path(name, f"{key}.mlpackage")
            exporter.write(safe[index], sources[key], height, width, label)
        exporter.combine(sources, folder / IOS18, next(iter(functions)), label)
    for index, network in enumerate(safe):
        own = {key: shape for key, (number, shape) in functions.items() if number == index}
        exporter.check(network, folder / IOS18, {key: shape for key, (_, shape) in functions.items()}, only=own)
    shapes = {key: shape for key, (_, shape) in functions.items()}
    return [*packages, Package(IOS18, *sizes[0], "fp16", shapes)]


def function(index: int, height: int, width: int) -> str:
    """Return the name of the function of a style, by its number, and a size."""
    return f"{style_function(index)}{exporter.function(height, width)}"


def _write_blend(networks: Sequence[TransformNet], folder: Path, shape: Shape, label: Label) -> Package:
    """Write the package of a size that blends styles."""
    height, width = shape
    path = folder / f"Model_blend_{width}x{height}.mlpackage"
    with suppress_output():
        import coremltools as ct

        example = torch.zeros(1, 3, height, width), torch.full((1, len(networks)), 1 / len(networks))
        program = torch.export.export(_Blend(networks).eval(), example).run_decompositions({})
        model = ct.convert(
            program,
            inputs=[
                ct.ImageType(INPUT, shape=(1, 3, height, width), color_layout=ct.colorlayout.RGB),
                ct.TensorType(STYLES, shape=(1, len(networks))),
            ],
            outputs=[ct.ImageType(OUTPUT, color_layout=ct.colorlayout.RGB)],
            minimum_deployment_target=ct.target.iOS16,
            compute_precision=ct.precision.FLOAT16,
            skip_model_load=True,
        )
        model.save(str(path))
        exporter.finish(path, label)
    return Package(path.name, height, width, "fp16", {"main": shape})
