"""Contact sheets: pictures in rows and columns with captions."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from impasto.models.image.encode import write
from impasto.models.image.picture import Picture

GAP, CAPTION = 8, 26  # px
BLANK = np.full((1, 1, 3), 255, np.uint8)  # a picture for an empty place


def to_bytes(pixels: Tensor) -> NDArray[np.uint8]:
    """Pixels [N, 3, H, W], 0..255, to bytes [N, H, W, 3]."""
    return pixels.detach().round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def thumbnail(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture [H, W, 3] with sides of at most `side` px; a smaller one as it is."""
    if max(picture.shape) <= side:
        return picture
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    return np.asarray(image)


def sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]], captions: Sequence[str], row_captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Compose a contact sheet on a white background.

    Args:
        rows: Pictures [H, W, 3] by row and column.
        captions: A caption for each column.
        row_captions: A caption for each row, or none at all.

    Returns:
        The sheet [H, W, 3].
    """
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


def write_sheet(
    path: Path, rows: Sequence[Sequence[NDArray[np.uint8]]], captions: Sequence[str], row_captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Write a contact sheet to a picture file, and return it."""
    pixels = sheet(rows, captions, row_captions)
    write(Picture(pixels), path, quality=92)
    return pixels
