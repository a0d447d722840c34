"""Plots of losses, written to picture files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from impasto.models.image.encode import write
from impasto.models.image.picture import Picture


@contextmanager
def _own_style() -> Iterator[None]:
    """Draw with matplotlib's defaults: it reads a matplotlibrc in the current folder, which could even start TeX."""
    from matplotlib.style import context

    with context("default"):
        yield


@_own_style()
def write_curves(path: Path, training: Sequence[dict[str, float]], validation: Sequence[dict[str, float]]) -> None:
    """Plot content, style and total loss by step (dashed: validation photos) on logarithmic axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, color in (("total", "#1f2937"), ("content", "#2563eb"), ("style", "#d97706")):
        for rows, line, label in ((training, "-", name), (validation, "--", f"{name}, validation photos")):
            steps, values = [row["step"] for row in rows], [row[name] for row in rows]
            axes.plot(steps, values, line, color=color, label=label, linewidth=1.2)
    axes.set(xlabel="step", ylabel="weighted loss", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write(Picture(np.asarray(canvas.buffer_rgba())[..., :3].copy()), path, quality=92)


@_own_style()
def write_trajectories(path: Path, panels: Sequence[tuple[str, Sequence[float], float]]) -> None:
    """Plot the optimizer's loss by iteration, a panel for each (title, losses, the network's loss as a line)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
    for axes, (title, losses, network) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        axes.plot(range(1, len(losses) + 1), losses, color="#1f2937", label="optimizer")
        axes.axhline(network, color="#d97706", label="network, one pass")
        axes.set(title=title, xlabel="iteration", ylabel="total loss", yscale="log")
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write(Picture(np.asarray(canvas.buffer_rgba())[..., :3].copy()), path, quality=92)
