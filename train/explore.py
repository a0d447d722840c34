"""impasto-explore: choose layers by looking."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.configs.app import run
from impasto.configs.errors import RequestError
from impasto.configs.schema import ExploreConfig

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.models.vgg_weights import Weights
    from impasto.train.exploration import Rebuilt
    from impasto.train.hardware import Hardware

ORIGINALS = {"content": "photo", "style": "painting"}
Note = Callable[[float, str], bool]
"""Shows how much is done, in pictures, and of what; True where the user wants to stop."""


def main() -> None:
    """Show what layers keep."""
    run("explore", task)


def task(config: ExploreConfig) -> None:
    """Rebuild photo and painting from layers, find their strongest channels, and write a sheet of each.

    Ctrl-C writes what there is and raises KeyboardInterrupt with a sentence that says so.
    """
    import torch

    from impasto.models import files, pictures, vgg_weights
    from impasto.train import exploration, hardware, style
    from impasto.train.display import Display
    from impasto.train.interrupt import Interrupt

    place = hardware.choose(config.device, config.precision)
    photo = pictures.resize(pictures.read(Path(config.content)).rgb, config.size)
    painting = style.load(config.style)
    given = {"content": torch.from_numpy(photo).permute(2, 0, 1)[None].float(), "style": painting.pixels}
    weights = vgg_weights.load(config.loss.weights, config.loss.network)
    output = Path(config.output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"output={output} is no folder that can be written; name another place") from error
    hardware.keep_memory()
    count = len(exploration.jobs(config)) + bool(config.explore.channel_layers)
    with Interrupt() as interrupt, Display(f"exploring {Path(config.content).stem}, {config.style.name}") as display:

        def note(done: float, text: str) -> bool:
            display.note(done / count, text)
            return interrupt.asked

        rebuilt = _rebuild(config, given, weights, place, output, note, display.say)
        channels = {} if interrupt.asked else _channels(config, given, weights, place, output, len(rebuilt), note)
    facts = {
        "config": asdict(config),
        "style_sha256": painting.sha256,
        **{term: [one.as_json() for one in rebuilt if one.job.term == term] for term in ORIGINALS},
        "channels": channels,
    }
    files.write_json(output / "exploration.json", facts)
    if interrupt.asked:
        raise KeyboardInterrupt(f"stopped before the end; what there was by then is in {output}")
    sheets = [f"{name}.png" for name in (*ORIGINALS, "channels") if facts[name]]
    print(f"{output}: {', '.join([*sheets, 'exploration.json'])}")


def _rebuild(
    config: ExploreConfig,
    given: dict[str, "Tensor"],
    weights: "Weights",
    place: "Hardware",
    output: Path,
    note: Note,
    say: Callable[[str], None],
) -> list["Rebuilt"]:
    """Write content.png and style.png, anew with each picture that is done."""
    from impasto.train import exploration, sheets
    from impasto.train.optimizer import Iterate

    done: list[Rebuilt] = []
    for job in exploration.jobs(config):
        what = f"{ORIGINALS[job.term]} from {' + '.join(job.layers)}"

        def watch(iterate: Iterate, what: str = what, term: str = job.term) -> bool:
            number = iterate.iteration
            speed = f"{iterate.seconds / number:.2f} s/iteration"
            text = f"{what}, iteration {number}, {speed}, loss {iterate.losses[term] / exploration.SCALE:.3g}"
            return note(len(done) + number / config.iterations, text)

        done.append(exploration.rebuild(job, given[job.term], config, weights, place, watch))
        trajectory = done[-1].trajectory
        say(f"{what}: loss {done[-1].loss:.3g} after {len(trajectory.rows)} iterations, {trajectory.seconds:.0f} s")
        shown = [one for one in done if one.job.term == job.term]
        row = [sheets.to_bytes(given[job.term])[0], *(one.pixels for one in shown)]
        captions = [ORIGINALS[job.term], *(f"{one.job.name}, loss {one.loss:.2g}" for one in shown)]
        sheets.write_sheet(output / f"{job.term}.png", [row], captions)
        if trajectory.ended == "stopped":
            break
    return done


def _channels(
    config: ExploreConfig,
    given: dict[str, "Tensor"],
    weights: "Weights",
    place: "Hardware",
    output: Path,
    before: int,
    note: Note,
) -> dict[str, Any]:
    """Write channels.png and return the units that it shows, by picture and layer."""
    from impasto.models.deconvnet import receptive_field
    from impasto.models.vgg import VGGFeatures
    from impasto.train import exploration, sheets

    settings, layers = config.loss, config.explore.channel_layers
    if not layers:
        return {}
    note(before, "strongest channels")
    vgg = VGGFeatures(layers, weights, settings.network, settings.pooling).to(place.device)
    strongest = [
        exploration.Channels(vgg, settings.network, pixels.to(place.device), config.explore.channels)
        for pixels in given.values()
    ]
    rows, captions = [], []
    for number, layer in enumerate(layers):
        rows.append([channels.panel(layer) for channels in strongest])
        size = receptive_field(layer, settings.network).size
        captions.append(f"{layer}, {size} x {size} px: where each channel responds most, and its deconvnet projection")
        if note(before + (number + 1) / len(layers), f"strongest channels of {layer}"):
            break
    sheets.write_sheet(output / "channels.png", rows, [*ORIGINALS.values()], captions)
    return {name: channels.as_json() for name, channels in zip(ORIGINALS.values(), strongest, strict=True)}
