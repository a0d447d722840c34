"""Style pictures of our own: impasto strokes laid along a flow field and lit from one side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]

SUPERSAMPLING = 2
TRACE_STEPS = 24
STREAK_TILE = 1024
LIGHT = (-0.55, -0.83)
RELIEF = 0.62


@dataclass(frozen=True)
class Brush:
    """One layer of strokes; width and length are fractions of the picture's side."""

    width: float
    length: float
    coverage: float


@dataclass(frozen=True)
class Scene:
    """What a painter decides: unit directions [n, 2] and colours [n, 3] in 0..1 at points [n, 2], brushes."""

    flow: Callable[[Floats], Floats]
    colour: Callable[[Floats], Floats]
    brushes: tuple[Brush, ...]


def paint(painter: str, size: int, seed: int) -> NDArray[np.uint8]:
    """Paint a style picture of our own: uint8 [size, size, 3] RGB, the same for the same arguments.

    The composition depends on painter and seed only; size (at least 16) sets how finely it is rendered.
    Raises ValueError for an unknown painter or a size below 16.
    """
    if painter not in PAINTERS:
        raise ValueError(f"unknown painter {painter!r}: choose one of {', '.join(sorted(PAINTERS))}")
    if size < 16:
        raise ValueError(f"size must be at least 16, got {size}")
    rng = np.random.default_rng(seed)
    scene = PAINTERS[painter](rng)
    side = size * SUPERSAMPLING
    canvas = np.zeros((side * side, 3), dtype=np.float32)
    height = np.zeros(side * side, dtype=np.float32)
    streaks = _streaks(rng)
    for brush in scene.brushes:
        _lay(canvas, height, side, scene, brush, streaks, rng)
    lit = _light(canvas.reshape(side, side, 3), height.reshape(side, side))
    pixels = Image.fromarray((np.clip(lit, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    return np.asarray(pixels.resize((size, size), Image.Resampling.LANCZOS)).copy()


def _streaks(rng: np.random.Generator) -> NDArray[np.float32]:
    """Bristle marks, a tile [across, along] of unit variance: fine across the stroke, long along it."""
    across, along = np.meshgrid(np.fft.fftfreq(STREAK_TILE), np.fft.rfftfreq(STREAK_TILE), indexing="ij")
    noise = np.fft.rfft2(rng.standard_normal((STREAK_TILE, STREAK_TILE)))
    fine = np.exp(-((across * 11.0) ** 2) - (along * 330.0) ** 2)
    broad = 4.0 * np.exp(-((across * 34.0) ** 2) - (along * 500.0) ** 2)
    tile = np.fft.irfft2(noise * (fine + broad), s=(STREAK_TILE, STREAK_TILE))
    return np.asarray(tile / tile.std(), dtype=np.float32)


def _trace(flow: Callable[[Floats], Floats], middle: Floats, length: Floats) -> Floats:
    """Follow the flow both ways from middle [n, 2] over length [n]: paths [n, TRACE_STEPS + 1, 2]."""
    halves = []
    for way in (-1.0, 1.0):
        step = (way * length / TRACE_STEPS)[:, None]
        points = [middle]
        for _ in range(TRACE_STEPS // 2):
            halfway = points[-1] + 0.5 * step * flow(points[-1])
            points.append(points[-1] + step * flow(halfway))
        halves.append(points)
    return np.stack(halves[0][:0:-1] + halves[1], axis=1)


def _lay(
    canvas: NDArray[np.float32],
    height: NDArray[np.float32],
    side: int,
    scene: Scene,
    brush: Brush,
    streaks: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Lay one layer of strokes on canvas [side * side, 3] and height [side * side], in place."""
    rows_of = int(1.2 * (brush.coverage / (brush.width * brush.length)) ** 0.5)
    count = rows_of * rows_of
    # One stroke from each cell of a grid, in random order: chance alone would leave bare canvas.
    cells = np.stack(np.divmod(rng.permutation(count), rows_of), axis=1)
    middle = (cells + rng.uniform(0.0, 1.0, (count, 2))) / rows_of * 1.2 - 0.1
    length = brush.length * rng.uniform(0.55, 1.35, count)
    width = brush.width * rng.uniform(0.6, 1.3, count)
    offset = rng.integers(0, STREAK_TILE, (count, 2))
    level = rng.uniform(0.0, 0.5, count)
    paths = _trace(scene.flow, middle, length)
    tangents = np.gradient(paths, axis=1)
    tangents /= np.linalg.norm(tangents, axis=2, keepdims=True) + 1e-9
    # A stroke wider than its bend would fold over itself at the heart of a swirl.
    turning = np.linalg.norm(np.diff(tangents, axis=1), axis=2).sum(axis=1)
    width = np.minimum(width, 1.5 * length / (turning + 1e-9))
    first, second = scene.colour(middle), scene.colour(middle)
    for i in range(count):
        # Two samples per pixel in both directions leave no holes where a stroke bends.
        along = np.linspace(0.0, 1.0, max(8, int(length[i] * side * 2.2)))
        across = np.linspace(-1.0, 1.0, max(4, int(width[i] * side * 2.0)))
        at = np.linspace(0.0, 1.0, TRACE_STEPS + 1)
        spine = np.stack([np.interp(along, at, paths[i, :, k]) for k in (0, 1)], axis=1)
        ahead = [np.interp(along, at, tangents[i, :, k]) for k in (0, 1)]
        normal = np.stack([-ahead[1], ahead[0]], axis=1)
        taper = np.minimum(1.0, 0.45 + 4.0 * along) * np.minimum(1.0, 0.25 + 2.5 * (1.0 - along))
        reach = 0.5 * width[i] * taper[:, None] * across[None, :]
        column = ((spine[:, :1] + normal[:, :1] * reach) * side).astype(np.int64)
        row = ((spine[:, 1:] + normal[:, 1:] * reach) * side).astype(np.int64)
        rows = (offset[i, 0] + across * 0.5 * width[i] * STREAK_TILE).astype(np.int64) % STREAK_TILE
        columns = (offset[i, 1] + along * length[i] * STREAK_TILE).astype(np.int64) % STREAK_TILE
        streak = streaks[rows[None, :], columns[:, None]]
        # Each bristle touches down and lifts off at its own place, so the ends are ragged.
        ragged = 0.05 * np.clip(streak, -1.5, 1.5)
        ends = (along[:, None] > 0.06 + ragged) & (along[:, None] < 0.93 + ragged)
        inside = ends & (column >= 0) & (column < side) & (row >= 0) & (row < side)
        place = (row * side + column)[inside]
        mark = streak[inside][:, None]
        pick = 1.0 / (1.0 + np.exp(-2.2 * mark))
        loaded = first[i] * (1.0 - pick) + second[i] * pick
        wet = np.broadcast_to((0.06 + 0.3 * along**3)[:, None], inside.shape)[inside][:, None]
        canvas[place] = loaded * (1.0 + 0.16 * mark) * (1.0 - wet) + canvas[place] * wet
        edge = np.abs(across)
        profile = np.sqrt(1.0 - 0.95 * edge**2) + 0.35 * np.exp(-(((edge - 0.8) / 0.13) ** 2))
        thick = (profile[None, :] + level[i] + 0.3 * along[:, None] ** 4 + 0.3 * streak)[inside]
        height[place] = 0.25 * height[place] + thick * (0.35 * width[i] + 0.004)


def _light(canvas: NDArray[np.float32], height: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shade canvas [side, side, 3] by the slope of height [side, side], in units of the side."""
    side = height.shape[0]
    # A little blur rounds the ridges; the raw steps between strokes would read as engraved lines.
    soft = np.pad(height.astype(np.float64) * side, 1, mode="edge")
    soft = 0.25 * soft[:-2] + 0.5 * soft[1:-1] + 0.25 * soft[2:]
    soft = 0.25 * soft[:, :-2] + 0.5 * soft[:, 1:-1] + 0.25 * soft[:, 2:]
    down, right = np.gradient(soft)
    slope = np.tanh(-RELIEF * (LIGHT[0] * right + LIGHT[1] * down))
    shaded = canvas * (1.0 + 0.42 * slope)[:, :, None] + 0.30 * np.clip(slope, 0.0, 1.0)[:, :, None] ** 2
    return np.asarray(shaded, dtype=np.float32)


def _palette(*codes: str) -> Floats:
    return np.array([[int(code[k : k + 2], 16) / 255.0 for k in (0, 2, 4)] for code in codes])


def _swirls(rng: np.random.Generator) -> Scene:
    """A night of vortices over rolling bands: blues and teals against ochre, lemon and orange."""
    cool = _palette("0a1030", "14257a", "1d3fae", "2a6cc4", "1f8f9c", "7cc4c8", "1b4a8c", "0f1c55")
    warm = _palette("fff3cf", "ffe14d", "f7b21e", "e8781a", "c98a1e", "f3d25a")
    centre: list[Floats] = []
    while len(centre) < 7:
        options = rng.uniform(0.04, 0.96, (24, 2))
        gaps = [min([float(np.hypot(*(o - c))) for c in centre], default=1.0) for o in options]
        centre.append(options[int(np.argmax(gaps))])
    centres = np.array(centre)
    radius = rng.uniform(0.09, 0.19, 7)
    spin = np.where(rng.uniform(size=7) < 0.65, 1.0, -1.0) * rng.uniform(1.2, 1.9, 7)
    phase = rng.uniform(0.0, 2.0 * np.pi, 3)

    def stream(points: Floats) -> Floats:
        x, y = points[:, 0], points[:, 1]
        gap = np.linalg.norm(points[:, None] - centres[None], axis=2) / radius
        bumps = (spin * radius * np.exp(-0.5 * gap**2)).sum(axis=1)
        waves = 0.05 * np.sin(7.0 * x + 2.0 * y + phase[0]) + 0.03 * np.sin(13.0 * x - 5.0 * y + phase[1])
        return np.asarray(0.55 * y + waves + bumps)

    def flow(points: Floats) -> Floats:
        right, down = np.array([1e-3, 0.0]), np.array([0.0, 1e-3])
        dx = stream(points + right) - stream(points - right)
        dy = stream(points + down) - stream(points - down)
        heading = np.stack([dy, -dx], axis=1)
        return np.asarray(heading / (np.linalg.norm(heading, axis=1, keepdims=True) + 1e-9))

    def colour(points: Floats) -> Floats:
        count = len(points)
        level = stream(points)
        gap = np.linalg.norm(points[:, None] - centres[None], axis=2) / radius
        glow = np.exp(-0.5 * (gap / 0.7) ** 2).max(axis=1) + 0.25 * np.sin(level * 21.0 + phase[2])
        hot = glow + rng.normal(0.0, 0.1, count) > 0.52
        # Now and then a stroke of the other family, so that each colour meets its complement everywhere.
        hot ^= rng.uniform(size=count) < 0.05
        band = np.floor(level * 18.0 + rng.normal(0.0, 0.45, count)).astype(np.int64) % len(cool)
        ring = gap.min(axis=1) * 4.0 + rng.normal(0.0, 0.6, count)
        return np.asarray(np.where(hot[:, None], warm[np.clip(ring, 0, 5).astype(np.int64)], cool[band]))

    brushes = (Brush(0.09, 0.08, 5.0), Brush(0.08, 0.26, 2.4), Brush(0.05, 0.26, 1.3), Brush(0.03, 0.2, 0.5))
    return Scene(flow, colour, brushes)


def _facets(rng: np.random.Generator) -> Scene:
    """Straight knife strokes in tilted planes: crimson, rose and cream against viridian, dark seams."""
    reds = _palette("b3122f", "e2385a", "f6a6a0", "5a0f2c", "e8613c")
    hues = np.concatenate([reds, _palette("f4ead2", "0e6b58", "3fa37c", "0b3b3c", "d8c13a")])
    dark = np.array([0.05, 0.04, 0.07])
    centres = rng.uniform(-0.1, 1.1, (34, 2))
    angles = rng.choice(np.pi * np.arange(6) / 6.0, 34) + rng.normal(0.0, 0.12, 34)
    paints = rng.permutation(np.arange(68) % len(hues)).reshape(34, 2)

    def gaps(points: Floats) -> Floats:
        apart = np.abs(points[:, None] - centres[None])
        return np.asarray(apart.sum(axis=2) + 0.3 * apart.max(axis=2))

    def flow(points: Floats) -> Floats:
        gap = gaps(points)
        # Planes meet softly: a sudden change of direction would make strokes zigzag along the seam.
        weight = np.exp(-(gap - gap.min(axis=1, keepdims=True)) / 0.015)
        heading = np.stack([weight @ np.cos(angles), weight @ np.sin(angles)], axis=1)
        return np.asarray(heading / (np.linalg.norm(heading, axis=1, keepdims=True) + 1e-9))

    def colour(points: Floats) -> Floats:
        gap = gaps(points)
        nearest = np.sort(gap, axis=1)
        margin = nearest[:, 1] - nearest[:, 0]
        inner = (margin / 0.2 + rng.normal(0.0, 0.25, len(points)) > 0.5).astype(np.int64)
        return np.asarray(np.where(margin[:, None] < 0.012, dark, hues[paints[gap.argmin(axis=1), inner]]))

    brushes = (Brush(0.09, 0.09, 5.0), Brush(0.07, 0.15, 2.5), Brush(0.04, 0.13, 1.0), Brush(0.02, 0.1, 0.2))
    return Scene(flow, colour, brushes)


PAINTERS: dict[str, Callable[[np.random.Generator], Scene]] = {"swirls": _swirls, "facets": _facets}
