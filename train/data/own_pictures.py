"""Pictures that impasto itself wrote, which nobody wants to train on."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

# The files that mark a folder as a result of a command, and the pictures in it that the command wrote.
_RESULTS = {
    ("metrics.csv", ".hydra"): ("curves.png", "samples"),  # impasto-train
    ("sweep.csv", ".jobs"): ("sheet.png",),
    ("evaluation.json",): ("curves.png", "sheet.png"),
    ("exploration.json",): ("content.png", "style.png", "channels.png"),
    ("manifest.json", "golden"): ("golden",),  # a bundle
}
_TRACE = ".trace.json"  # of impasto-optimize, beside its picture
_DEPTH = 3  # a data set and the folders above it that are searched, as for data.root=RUN/samples/step_00000100


def own_pictures(root: Path, pictures: Iterable[Path]) -> set[Path]:
    """Return those of the pictures below `root` that a command of impasto wrote: samples, sheets, curves."""
    written, traced = cache(_written), cache(_traced)
    top = root.resolve()
    highest = [top, *top.parents][:_DEPTH][-1]

    @cache
    def results(folder: Path) -> set[Path]:
        folders = [folder, *folder.parents]
        return {path for parent in folders if parent.is_relative_to(highest) for path in written(parent)}

    def is_own(picture: Path) -> bool:
        path = top / picture.relative_to(root)
        folder, written_here = path.parent, results(path.parent)
        frames = folder.suffix == ".frames" and folder.stem in traced(folder.parent)
        return frames or path.stem in traced(folder) or not written_here.isdisjoint([path, *path.parents])

    return {picture for picture in pictures if is_own(picture)}


def _written(folder: Path) -> list[Path]:
    """The pictures, or folders of them, in one folder that a command wrote."""
    names = [written for marks, written in _RESULTS.items() if all((folder / mark).exists() for mark in marks)]
    return [folder / name for each in names for name in each]


def _traced(folder: Path) -> set[str]:
    """The stems of the pictures in one folder that impasto-optimize wrote."""
    return {trace.name.removesuffix(_TRACE) for trace in folder.glob(f"*{_TRACE}")}
