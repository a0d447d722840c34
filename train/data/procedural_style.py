"""Procedural style images: impasto strokes along a flow field, lit from one side."""

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
    """The brush of one layer of strokes; width and length are fractions of the image's side."""

    width: float
    length: float
    coverage: float


@dataclass(frozen=True)
class Scene:
    """The composition of one image.

    Attributes:
        flow: Maps points [n, 2] to unit directions [n, 2].
        color: Maps points [n, 2] to colors [n, 3], 0..1.
        brushes: One for each layer, the lowest layer first.
    """

    flow: Callable[[Floats], Floats]
    color: Callable[[Floats], Floats]
    brushes: tuple[Brush, ...]


@dataclass(frozen=True)
class Stroke:
    """One stroke.

    Attributes:
        path: Points along its center line, [TRACE_STEPS + 1, 2].
        tangents: Unit directions at these points, [TRACE_STEPS + 1, 2].
        length: As a fraction of the image's side.
        width: As a fraction of the image's side.
        colors: The two colors that its bristles carry, each [3].
        streak_offset: Where its bristle marks start in the streak tile, [2].
        thickness: Of the paint, added to its profile.
    """

    path: Floats
    tangents: Floats
    length: float
    width: float
    colors: tuple[Floats, Floats]
    streak_offset: NDArray[np.int64]
    thickness: float


def paint(painter: str, size: int, seed: int) -> NDArray[np.uint8]:
    """Render a procedural style image. The same arguments give the same image.

    Args:
        painter: One of PAINTERS.
        size: The side of the image in pixels, at least 16. It changes the rendering, not the composition.
        seed: The seed of the composition.

    Returns:
        RGB, uint8 [size, size, 3].

    Raises:
        ValueError: The painter is unknown, or the size is below 16.
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
        _draw_layer(canvas, height, side, scene, brush, streaks, rng)
    lit = _light(canvas.reshape(side, side, 3), height.reshape(side, side))
    pixels = Image.fromarray((np.clip(lit, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    return np.asarray(pixels.resize((size, size), Image.Resampling.LANCZOS)).copy()


def _streaks(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a tile [across, along] of bristle marks with unit variance: fine across the stroke, long along it."""
    across, along = np.meshgrid(np.fft.fftfreq(STREAK_TILE), np.fft.rfftfreq(STREAK_TILE), indexing="ij")
    noise = np.fft.rfft2(rng.standard_normal((STREAK_TILE, STREAK_TILE)))
    fine = np.exp(-((across * 11.0) ** 2) - (along * 330.0) ** 2)
    broad = 4.0 * np.exp(-((across * 34.0) ** 2) - (along * 500.0) ** 2)
    tile = np.fft.irfft2(noise * (fine + broad), s=(STREAK_TILE, STREAK_TILE))
    return np.asarray(tile / tile.std(), dtype=np.float32)


def _trace(flow: Callable[[Floats], Floats], middle: Floats, length: Floats) -> Floats:
    """Integrate the flow in both directions from middle [n, 2] over length [n]: paths [n, TRACE_STEPS + 1, 2]."""
    halves = []
    for sign in (-1.0, 1.0):
        step = (sign * length / TRACE_STEPS)[:, None]
        points = [middle]
        for _ in range(TRACE_STEPS // 2):
            halfway = points[-1] + 0.5 * step * flow(points[-1])
            points.append(points[-1] + step * flow(halfway))
        halves.append(points)
    return np.stack(halves[0][:0:-1] + halves[1], axis=1)


def _draw_layer(
    canvas: NDArray[np.float32],
    height: NDArray[np.float32],
    side: int,
    scene: Scene,
    brush: Brush,
    streaks: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Draw one layer of strokes on canvas [side * side, 3] and height [side * side], in place."""
    cells_per_side = int(1.2 * (brush.coverage / (brush.width * brush.length)) ** 0.5)
    count = cells_per_side * cells_per_side
    # One stroke per cell of a grid, in random order: uniformly random positions would leave bare canvas.
    cells = np.stack(np.divmod(rng.permutation(count), cells_per_side), axis=1)
    middle = (cells + rng.uniform(0.0, 1.0, (count, 2))) / cells_per_side * 1.2 - 0.1
    length = brush.length * rng.uniform(0.55, 1.35, count)
    width = brush.width * rng.uniform(0.6, 1.3, count)
    offset = rng.integers(0, STREAK_TILE, (count, 2))
    thickness = rng.uniform(0.0, 0.5, count)
    paths = _trace(scene.flow, middle, length)
    tangents = np.gradient(paths, axis=1)
    tangents /= np.linalg.norm(tangents, axis=2, keepdims=True) + 1e-9
    # A stroke wider than its bend would fold over itself in the center of a swirl.
    turning = np.linalg.norm(np.diff(tangents, axis=1), axis=2).sum(axis=1)
    width = np.minimum(width, 1.5 * length / (turning + 1e-9))
    first, second = scene.color(middle), scene.color(middle)
    for i in range(count):
        colors = first[i], second[i]
        stroke = Stroke(paths[i], tangents[i], length[i], width[i], colors, offset[i], thickness[i])
        _draw_stroke(canvas, height, side, stroke, streaks)


def _draw_stroke(
    canvas: NDArray[np.float32],
    height: NDArray[np.float32],
    side: int,
    stroke: Stroke,
    streaks: NDArray[np.float32],
) -> None:
    """Draw one stroke on canvas [side * side, 3] and height [side * side], in place."""
    # Two samples per pixel in both directions leave no holes where a stroke bends.
    along = np.linspace(0.0, 1.0, max(8, int(stroke.length * side * 2.2)))
    across = np.linspace(-1.0, 1.0, max(4, int(stroke.width * side * 2.0)))
    knots = np.linspace(0.0, 1.0, TRACE_STEPS + 1)
    spine = np.stack([np.interp(along, knots, stroke.path[:, axis]) for axis in (0, 1)], axis=1)
    tangent = [np.interp(along, knots, stroke.tangents[:, axis]) for axis in (0, 1)]
    normal = np.stack([-tangent[1], tangent[0]], axis=1)
    taper = np.minimum(1.0, 0.45 + 4.0 * along) * np.minimum(1.0, 0.25 + 2.5 * (1.0 - along))
    distance = 0.5 * stroke.width * taper[:, None] * across[None, :]
    column = ((spine[:, :1] + normal[:, :1] * distance) * side).astype(np.int64)
    row = ((spine[:, 1:] + normal[:, 1:] * distance) * side).astype(np.int64)
    rows = (stroke.streak_offset[0] + across * 0.5 * stroke.width * STREAK_TILE).astype(np.int64) % STREAK_TILE
    columns = (stroke.streak_offset[1] + along * stroke.length * STREAK_TILE).astype(np.int64) % STREAK_TILE
    streak = streaks[rows[None, :], columns[:, None]]
    # Each bristle starts and ends at a different point, so the ends of a stroke are ragged.
    ragged = 0.05 * np.clip(streak, -1.5, 1.5)
    ends = (along[:, None] > 0.06 + ragged) & (along[:, None] < 0.93 + ragged)
    inside = ends & (column >= 0) & (column < side) & (row >= 0) & (row < side)
    index = (row * side + column)[inside]
    mark = streak[inside][:, None]
    mix = 1.0 / (1.0 + np.exp(-2.2 * mark))
    paint = stroke.colors[0] * (1.0 - mix) + stroke.colors[1] * mix
    wet = np.broadcast_to((0.06 + 0.3 * along**3)[:, None], inside.shape)[inside][:, None]
    canvas[index] = paint * (1.0 + 0.16 * mark) * (1.0 - wet) + canvas[index] * wet
    edge = np.abs(across)
    profile = np.sqrt(1.0 - 0.95 * edge**2) + 0.35 * np.exp(-(((edge - 0.8) / 0.13) ** 2))
    thick = (profile[None, :] + stroke.thickness + 0.3 * along[:, None] ** 4 + 0.3 * streak)[inside]
    height[index] = 0.25 * height[index] + thick * (0.35 * stroke.width + 0.004)


def _light(canvas: NDArray[np.float32], height: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shade canvas [side, side, 3] by the slope of height [side, side], in units of the side."""
    side = height.shape[0]
    # A slight blur rounds the ridges; sharp steps between strokes would look like engraved lines.
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
    center: list[Floats] = []
    while len(center) < 7:
        options = rng.uniform(0.04, 0.96, (24, 2))
        gaps = [min([float(np.hypot(*(o - c))) for c in center], default=1.0) for o in options]
        center.append(options[int(np.argmax(gaps))])
    centers = np.array(center)
    radius = rng.uniform(0.09, 0.19, 7)
    spin = np.where(rng.uniform(size=7) < 0.65, 1.0, -1.0) * rng.uniform(1.2, 1.9, 7)
    phase = rng.uniform(0.0, 2.0 * np.pi, 3)

    def stream(points: Floats) -> Floats:
        x, y = points[:, 0], points[:, 1]
        gap = np.linalg.norm(points[:, None] - centers[None], axis=2) / radius
        bumps = (spin * radius * np.exp(-0.5 * gap**2)).sum(axis=1)
        waves = 0.05 * np.sin(7.0 * x + 2.0 * y + phase[0]) + 0.03 * np.sin(13.0 * x - 5.0 * y + phase[1])
        return np.asarray(0.55 * y + waves + bumps)

    def flow(points: Floats) -> Floats:
        right, down = np.array([1e-3, 0.0]), np.array([0.0, 1e-3])
        dx = stream(points + right) - stream(points - right)
        dy = stream(points + down) - stream(points - down)
        heading = np.stack([dy, -dx], axis=1)
        return np.asarray(heading / (np.linalg.norm(heading, axis=1, keepdims=True) + 1e-9))

    def color(points: Floats) -> Floats:
        count = len(points)
        level = stream(points)
        gap = np.linalg.norm(points[:, None] - centers[None], axis=2) / radius
        glow = np.exp(-0.5 * (gap / 0.7) ** 2).max(axis=1) + 0.25 * np.sin(level * 21.0 + phase[2])
        hot = glow + rng.normal(0.0, 0.1, count) > 0.52
        # 5 % of the strokes take the other palette, so that complementary colors meet everywhere.
        hot ^= rng.uniform(size=count) < 0.05
        band = np.floor(level * 18.0 + rng.normal(0.0, 0.45, count)).astype(np.int64) % len(cool)
        ring = gap.min(axis=1) * 4.0 + rng.normal(0.0, 0.6, count)
        return np.asarray(np.where(hot[:, None], warm[np.clip(ring, 0, 5).astype(np.int64)], cool[band]))

    brushes = (Brush(0.09, 0.08, 5.0), Brush(0.08, 0.26, 2.4), Brush(0.05, 0.26, 1.3), Brush(0.03, 0.2, 0.5))
    return Scene(flow, color, brushes)


def _facets(rng: np.random.Generator) -> Scene:
    """Straight knife strokes in tilted planes: crimson, rose and cream against viridian, dark seams."""
    reds = _palette("b3122f", "e2385a", "f6a6a0", "5a0f2c", "e8613c")
    hues = np.concatenate([reds, _palette("f4ead2", "0e6b58", "3fa37c", "0b3b3c", "d8c13a")])
    dark = np.array([0.05, 0.04, 0.07])
    centers = rng.uniform(-0.1, 1.1, (34, 2))
    angles = rng.choice(np.pi * np.arange(6) / 6.0, 34) + rng.normal(0.0, 0.12, 34)
    hue_pairs = rng.permutation(np.arange(68) % len(hues)).reshape(34, 2)

    def gaps(points: Floats) -> Floats:
        apart = np.abs(points[:, None] - centers[None])
        return np.asarray(apart.sum(axis=2) + 0.3 * apart.max(axis=2))

    def flow(points: Floats) -> Floats:
        gap = gaps(points)
        # Directions blend between planes: an abrupt change would make strokes zigzag along the seam.
        weight = np.exp(-(gap - gap.min(axis=1, keepdims=True)) / 0.015)
        heading = np.stack([weight @ np.cos(angles), weight @ np.sin(angles)], axis=1)
        return np.asarray(heading / (np.linalg.norm(heading, axis=1, keepdims=True) + 1e-9))

    def color(points: Floats) -> Floats:
        gap = gaps(points)
        nearest = np.sort(gap, axis=1)
        margin = nearest[:, 1] - nearest[:, 0]
        inner = (margin / 0.2 + rng.normal(0.0, 0.25, len(points)) > 0.5).astype(np.int64)
        return np.asarray(np.where(margin[:, None] < 0.012, dark, hues[hue_pairs[gap.argmin(axis=1), inner]]))

    brushes = (Brush(0.09, 0.09, 5.0), Brush(0.07, 0.15, 2.5), Brush(0.04, 0.13, 1.0), Brush(0.02, 0.1, 0.2))
    return Scene(flow, color, brushes)


PAINTERS: dict[str, Callable[[np.random.Generator], Scene]] = {"swirls": _swirls, "facets": _facets}
