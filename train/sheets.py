"""What people look at while a network trains: sheets of pictures, and curves."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from impasto.models.pictures import Picture, write

GAP, CAPTION = 8, 26  # px


def to_bytes(pixels: Tensor) -> NDArray[np.uint8]:
    """Pixels [N, 3, H, W], 0..255, to bytes [N, H, W, 3]."""
    return pixels.detach().round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]], captions: Sequence[str], row_captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Pictures [H, W, 3] in rows and columns on white, a caption over each column and, if given, over each row."""
    font = ImageFont.load_default(15)
    texts = [ceil(font.getlength(caption)) for caption in captions]
    widths = [max(text, *(row[column].shape[1] for row in rows)) for column, text in enumerate(texts)]
    above = CAPTION if row_captions else 0
    heights = [max(picture.shape[0] for picture in row) + above for row in rows]
    width = max([sum(widths) + GAP * (len(widths) - 1), *(ceil(font.getlength(caption)) for caption in row_captions)])
    size = (width + 2 * GAP, sum(heights) + GAP * (len(heights) + 1) + CAPTION)
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    left = GAP
    for column, caption in enumerate(captions):
        draw.text((left, GAP), caption, fill="black", font=font)
        top = GAP + CAPTION
        for row, height in zip(rows, heights, strict=True):
            canvas.paste(Image.fromarray(row[column]), (left, top + above))
            top += height + GAP
        left += widths[column] + GAP
    for number, caption in enumerate(row_captions):
        top = GAP + CAPTION + sum(heights[:number]) + GAP * number
        draw.text((GAP, top), caption, fill="black", font=font)
    return np.asarray(canvas)


def cut(pixels: NDArray[np.uint8], captions: Sequence[str], side: int) -> list[list[NDArray[np.uint8]]]:
    """The pictures of a sheet of square ones, `side` px, without captions over rows: what `sheet` was given."""
    font = ImageFont.load_default(15)
    lefts = [GAP]
    for caption in captions[:-1]:
        lefts.append(lefts[-1] + max(ceil(font.getlength(caption)), side) + GAP)
    tops = range(GAP + CAPTION, len(pixels) - side, side + GAP)
    return [[pixels[top : top + side, left : left + side] for left in lefts] for top in tops]


def write_sheet(
    path: Path, rows: Sequence[Sequence[NDArray[np.uint8]]], captions: Sequence[str], row_captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Write a sheet as a picture file, and return it."""
    pixels = sheet(rows, captions, row_captions)
    write(Picture(pixels), path, quality=92)
    return pixels


def write_curves(path: Path, training: Sequence[dict[str, float]], validation: Sequence[dict[str, float]]) -> None:
    """Plot content, style and total loss by step (dashed: held-out photos) on logarithmic axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in (("total", "#1f2937"), ("content", "#2563eb"), ("style", "#d97706")):
        for rows, line, label in ((training, "-", name), (validation, "--", f"{name}, held-out photos")):
            steps, values = [row["step"] for row in rows], [row[name] for row in rows]
            axes.plot(steps, values, line, color=colour, label=label, linewidth=1.2)
    axes.set(xlabel="step", ylabel="weighted loss", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write(Picture(np.asarray(canvas.buffer_rgba())[..., :3].copy()), path, quality=92)


def write_trajectories(path: Path, ways: Sequence[tuple[str, Sequence[float], float]]) -> None:
    """Plot the optimizer's loss by iteration, a panel for each (title, losses, the network's loss as a line)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(ways), 4), layout="constrained")
    panels = figure.subplots(1, len(ways), squeeze=False)[0]
    for axes, (title, losses, network) in zip(panels, ways, strict=True):
        axes.plot(range(1, len(losses) + 1), losses, color="#1f2937", label="optimizer")
        axes.axhline(network, color="#d97706", label="network, one pass")
        axes.set(title=title, xlabel="iteration", ylabel="total loss", yscale="log")
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write(Picture(np.asarray(canvas.buffer_rgba())[..., :3].copy()), path, quality=92)
