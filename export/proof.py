"""What proves a bundle: its files run in every runtime at hand, on golden pictures. No torch is needed for ONNX."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.configs.errors import CheckError
from impasto.export.golden import Golden, Stylize, extremes, make
from impasto.export.parity import Bound, Row, compare
from impasto.export.runtimes import OnnxRuntime, Runtime
from impasto.models import exported

Say = Callable[[str], None]


@dataclass(frozen=True)
class Shipped:
    """A model of a bundle: its file or package, how weights are stored, and what it is held to.

    `functions` are those of a Core ML package, with (height, width) of each.
    """

    file: str
    weights: str
    bound: Bound
    functions: dict[str, tuple[int, int]]

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        sizes = {name: {"width": width, "height": height} for name, (height, width) in self.functions.items()}
        return {"file": self.file, "weights": self.weights, "bound": self.bound.facts()} | (
            {"functions": sizes} if sizes else {}
        )

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Shipped":
        """From JSON."""
        functions = {name: (size["height"], size["width"]) for name, size in facts.get("functions", {}).items()}
        return cls(facts["file"], facts["weights"], Bound(**facts["bound"]), functions)


def onnx(
    folder: Path, files: Sequence[Shipped], pictures: Sequence[Golden], runtimes: Mapping[str, Runtime], say: Say
) -> tuple[list[Row], dict[str, str]]:
    """The differences of the ONNX files in a bundle's folder; and why a runtime did not run, by its key."""
    rows, lacking = [], {}
    for key, runtime in runtimes.items():
        if (missing := runtime.missing()) is not None:
            lacking[key] = missing
            continue
        for shipped in files:
            say(f"{runtime.name} runs {shipped.file}")
            found = runtime.run(folder / shipped.file, [golden.photo for golden in pictures])
            rows += [
                compare(golden, pixels, shipped.file, runtime.name, shipped.bound)
                for golden, pixels in zip(pictures, found, strict=True)
            ]
    return rows, lacking


def pair(folder: Path, facts: dict[str, Any], stylize: Stylize, reference: str, say: Say) -> list[Row]:
    """The difference of the pair for large pictures, `facts` as in the manifest, on a picture of several tiles.

    `stylize` makes what it is compared with, and `reference` says what that is.
    """
    from impasto.export import pair as files  # loads onnx

    runtime, cut = OnnxRuntime(), files.cut_of(facts)
    golden = make(stylize, *files.size(cut))
    say(f"{runtime.name} runs {facts['tile']} at {golden.name}")
    try:
        stats, tile = (exported.open_session(folder / facts[name]) for name in ("stats", "tile"))
        found = files.stylize(tile, golden.photo, files.measure(stats, golden.photo), cut)
    except Exception as error:  # ONNX Runtime's errors share no narrower base
        reason = " ".join(str(error).split(" : ")[-1].split())[:200]
        raise CheckError(f"{facts['tile']} does not run in {runtime.name}: {reason}") from error
    return [compare(golden, found, facts["tile"], runtime.name, Bound(**facts["bound"]), reference)]


def coreml(
    folder: Path, packages: Sequence[Shipped], pictures: Sequence[Golden], stylize: Stylize, reference: str, say: Say
) -> list[Row]:
    """The differences of the Core ML packages, on `pictures` where one has the size.

    For other sizes `stylize` makes one, and `reference` says what that is.
    """
    from impasto.export import interpreter  # loads torch and coremltools

    rows = []
    known = {picture.photo.shape[:2]: (picture, "PyTorch") for picture in pictures}
    for package in packages:
        for function, (height, width) in package.functions.items():
            if (height, width) not in known:
                known[height, width] = make(stylize, height, width), reference
            golden, source = known[height, width]
            for runtime, run in interpreter.runtimes(folder / package.file, function).items():
                say(f"{runtime} runs {package.file} at {golden.name}")
                found = run(golden.photo[..., :3])
                rows.append(compare(golden, found, package.file, runtime, package.bound, source))
    return rows


def withstand(folder: Path, packages: Sequence[Shipped], say: Say) -> None:
    """Raise CheckError where fp16 arithmetic gives no number on flat and saturated pictures, at the smallest size."""
    from impasto.export import interpreter

    height, width, function, file = min(
        (*size, name, package.file) for package in packages for name, size in package.functions.items()
    )
    say(f"{interpreter.NAME} runs {file} on flat and saturated pictures")
    program = interpreter.load(folder / file, function)
    for pixels in extremes(height, width):
        program(pixels, "fp16")


def hold(rows: Sequence[Row]) -> None:
    """Raise CheckError for the first row that is out of its bound."""
    for row in rows:
        if (failure := row.failure()) is not None:
            raise CheckError(failure)
