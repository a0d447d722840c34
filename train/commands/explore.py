"""impasto-explore: choose layers by what VGG retains in them."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from impasto.configs.cli.app import run
from impasto.configs.schema.explore import ExploreConfig
from impasto.configs.terminal import show
from impasto.train.runtime import openmp

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.models.vgg.constants import Weights
    from impasto.train.evaluation.feature_inversion import Reconstruction
    from impasto.train.runtime.device import Hardware

ORIGINALS = {"content": "photo", "style": "painting"}
OnProgress = Callable[[float, str], bool]
"""Called with the number of finished pictures and a text; returns True to stop."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exploration:
    """The content of exploration.json: the settings, and the figures by picture and layer."""

    format: Literal["impasto-exploration-1"]
    config: dict[str, Any]
    style_sha256: str
    content: list[dict[str, Any]]
    style: list[dict[str, Any]]
    channels: dict[str, Any]


def main() -> None:
    """Show what layers keep."""
    openmp.limit_spinning()
    run("explore", task, extra="train")


def task(config: ExploreConfig) -> None:
    """Reconstruct the photo and the style image from layers, find their strongest channels, and write a sheet of each.

    Raises:
        UsageError: An input cannot be read, or the output cannot be written.
        KeyboardInterrupt: Ctrl-C stopped the work; the results so far were written.
    """
    from impasto.configs import atomic_file
    from impasto.models.image import color, decode
    from impasto.models.image.picture import resize
    from impasto.models.vgg import weights as vgg_weights
    from impasto.train.commands import output_folder
    from impasto.train.data import style_image
    from impasto.train.data.dataset import picture_to_pixels
    from impasto.train.evaluation import feature_inversion
    from impasto.train.runtime import device
    from impasto.train.runtime.progress import Display
    from impasto.train.runtime.signals import Interrupt

    decode.quiet_pillow()
    hardware = device.choose(config.device, config.precision)
    content = decode.read(Path(config.content))
    photo = resize(color.over_white(content.rgb, content.alpha), config.size)
    style = style_image.load(config.style)
    pictures = {"content": picture_to_pixels(photo), "style": style.pixels}
    weights = vgg_weights.load(config.loss.weights, config.loss.network)
    output = output_folder.create(config.output)
    device.keep_memory()
    count = len(feature_inversion.reconstruction_jobs(config)) + bool(config.explore.channel_layers)
    with Interrupt() as interrupt, Display(f"exploring {Path(config.content).stem}, {config.style.name}") as display:

        def on_progress(finished: float, text: str) -> bool:
            display.note(finished / count, text)
            return interrupt.stop_requested

        reconstructions = _reconstruct(config, pictures, weights, hardware, output, on_progress)
        channels = {}
        if not interrupt.stop_requested:
            channels = _channels(config, pictures, weights, hardware, output, len(reconstructions), on_progress)
    figures = {term: [result.to_json() for result in reconstructions if result.job.term == term] for term in ORIGINALS}
    report = asdict(Exploration("impasto-exploration-1", asdict(config), style.sha256, channels=channels, **figures))
    atomic_file.write_json(output / "exploration.json", report)
    if interrupt.stop_requested:
        raise KeyboardInterrupt(f"stopped before the end; the results so far are in {output}")
    sheets = [f"{name}.png" for name in (*ORIGINALS, "channels") if report[name]]
    show(f"{output}: {', '.join([*sheets, 'exploration.json'])}")


def _reconstruct(
    config: ExploreConfig,
    pictures: dict[str, "Tensor"],
    weights: "Weights",
    hardware: "Hardware",
    output: Path,
    on_progress: OnProgress,
) -> list["Reconstruction"]:
    """Write content.png and style.png, again after each reconstruction."""
    from impasto.train.evaluation import feature_inversion
    from impasto.train.image_optimization.optimizer import Iterate
    from impasto.train.runtime import contact_sheet

    results: list[Reconstruction] = []
    for job in feature_inversion.reconstruction_jobs(config):
        title = f"{ORIGINALS[job.term]} from {' + '.join(job.layers)}"

        def callback(iterate: Iterate, title: str = title, term: str = job.term) -> bool:
            number = iterate.iteration
            speed = f"{iterate.seconds / number:.2f} s/iteration"
            text = f"{title}, iteration {number}, {speed}, loss {iterate.losses[term] / feature_inversion.SCALE:.3g}"
            return on_progress(len(results) + number / config.iterations, text)

        result = feature_inversion.reconstruct(job, pictures[job.term], config, weights, hardware, callback)
        results.append(result)
        iterations, seconds = len(result.trajectory.rows), result.trajectory.seconds
        logger.info("%s: loss %.3g after %d iterations, %.0f s", title, result.loss, iterations, seconds)
        of_term = [result for result in results if result.job.term == job.term]
        row = [contact_sheet.to_bytes(pictures[job.term])[0], *(result.pixels for result in of_term)]
        captions = [ORIGINALS[job.term], *(f"{result.job.name}, loss {result.loss:.2g}" for result in of_term)]
        contact_sheet.write_sheet(output / f"{job.term}.png", [row], captions)
        if result.trajectory.stop_reason == "stopped":
            break
    return results


def _channels(
    config: ExploreConfig,
    pictures: dict[str, "Tensor"],
    weights: "Weights",
    hardware: "Hardware",
    output: Path,
    finished: int,
    on_progress: OnProgress,
) -> dict[str, Any]:
    """Write channels.png and return the units that it shows, by picture and layer."""
    from impasto.models.vgg.features import VGGFeatures
    from impasto.models.vgg.receptive_field import receptive_field
    from impasto.train.evaluation import feature_inversion
    from impasto.train.runtime import contact_sheet

    settings, layers = config.loss, config.explore.channel_layers
    if not layers:
        return {}
    on_progress(finished, "strongest channels")
    vgg = VGGFeatures(layers, weights, settings.network, settings.pooling).to(hardware.device)
    strongest = [
        feature_inversion.StrongestChannels(vgg, settings.network, pixels.to(hardware.device), config.explore.channels)
        for pixels in pictures.values()
    ]
    rows, captions = [], []
    for number, layer in enumerate(layers, 1):
        rows.append([channels.panel(layer) for channels in strongest])
        size = receptive_field(layer, settings.network).size
        captions.append(f"{layer}, {size} x {size} px: where each channel responds most, and its deconvnet projection")
        if on_progress(finished + number / len(layers), f"strongest channels of {layer}"):
            break
    contact_sheet.write_sheet(output / "channels.png", rows, [*ORIGINALS.values()], captions)
    return {name: channels.to_json() for name, channels in zip(ORIGINALS.values(), strongest, strict=True)}
