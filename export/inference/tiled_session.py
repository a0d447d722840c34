"""Run a network on a large picture in passes over its tiles; each pass measures the statistics of one instance norm.

The statistics of a norm depend on those of all norms before it, and on the whole picture. A pass stores intermediate
tensors in a temporary file for the next passes, as far as there is space; the rest is recomputed.
"""

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from impasto.configs.schema.stylize import TilesConfig
from impasto.export.inference.scratch_file import ScratchFile, ScratchUnavailable
from impasto.export.onnx_graph import instance_norm, receptive_field
from impasto.models import onnx_model
from impasto.models.contract import INPUT, OUTPUT
from impasto.models.image.tiling import Box, Tile, cut, even_edges
from impasto.models.progress import OnProgress, ignore_progress

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Moments:
    """Running mean and variance of each channel, updated tile by tile (Chan et al. 1979, pairwise update)."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = np.zeros(0)

    def add(self, values: Floats) -> None:
        """Add values [C, H, W]."""
        flat = values.reshape(len(values), -1).astype(np.float32)
        mean = flat.mean(1, dtype=np.float64)
        flat -= mean[:, None].astype(np.float32)
        squares = np.einsum("cn,cn->c", flat, flat).astype(np.float64)
        count, total = flat.shape[1], self._count + flat.shape[1]
        if not self._count:
            self._mean, self._squares = mean, squares
        else:
            delta = mean - self._mean
            self._mean = self._mean + delta * count / total
            self._squares = self._squares + squares + delta**2 * self._count * count / total
        self._count = total

    def result(self) -> tuple[Floats, Floats]:
        """Return mean and variance [C]."""
        return self._mean.astype(np.float32), (self._squares / self._count).astype(np.float32)


@dataclass(frozen=True)
class Pass:
    """One pass over the tiles.

    Attributes:
        target: The tensor to compute.
        sources: The cached tensors that it is computed from, besides the image.
        store: The tensors to store for the next passes.
        margin: Margin around a tile in px.
        cost: Multiplications per pixel.
    """

    target: str
    sources: list[str]
    store: list[str]
    margin: int
    cost: float


class TiledSession:
    """An exported ONNX graph (onnx.io=uint8_rgba) for one large picture.

    Args:
        model: The exported file.
        rgb: RGB [H, W, 3], both sides at least MIN_SIDE.
        threads: Number of ONNX Runtime's threads.
        config: Size of the tiles and of the temporary file.
        on_progress: Called after each tile.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        rgb: Pixels,
        threads: int,
        config: TilesConfig,
        on_progress: OnProgress = ignore_progress,
    ) -> None:
        self.model, self.rgb, self.threads, self.config, self.on_progress = model, rgb, threads, config, on_progress
        self.multiple = receptive_field.multiple(model)
        fields = receptive_field.of(model)
        self.steps = {name: int(field.step) for name, field in fields.items()}
        self.extra = {name: int(field.extra) for name, field in fields.items()}
        padded = (self.multiple * math.ceil(side / self.multiple) for side in rgb.shape[:2])
        self.row_edges, self.column_edges = (even_edges(side, config.side, self.multiple) for side in padded)
        self.height, self.width = self.row_edges[-1], self.column_edges[-1]
        self.tiles = (len(self.row_edges) - 1) * (len(self.column_edges) - 1)
        self.cache: dict[str, ScratchFile] = {}

    def statistics(self) -> instance_norm.Statistics:
        """Return mean and variance of the input of each instance norm. ONNX Runtime's exceptions propagate."""
        statistics: list[tuple[Floats, Floats]] = []
        self._run(statistics, None)
        return statistics

    def stylize(self, statistics: instance_norm.Statistics) -> Pixels:
        """Stylize the picture. ONNX Runtime's exceptions propagate.

        Args:
            statistics: Mean and variance of the first norms; those of the others are measured.

        Returns:
            RGB [H, W, 3].
        """
        output = np.empty_like(self.rgb)
        self._run([*statistics], output)
        return output

    def _run(self, statistics: list[tuple[Floats, Floats]], output: Pixels | None) -> None:
        """Measure the norms that `statistics` lacks, append to it, and fill in `output`, if any."""
        try:
            self._run_passes(statistics, output, self._scratch_bytes())
        except ScratchUnavailable:
            self._run_passes(statistics, output, 0)
        finally:
            self.cache.clear()

    def _run_passes(self, statistics: list[tuple[Floats, Floats]], output: Pixels | None, scratch_bytes: float) -> None:
        passes = self._plan(len(statistics), scratch_bytes)[: None if output is not None else -1]
        total, finished = sum(step.cost for step in passes), 0.0
        for step in passes:
            moments = Moments()
            for number, (tile, values) in enumerate(self._tiles(step, statistics)):
                if output is not None and step.target == OUTPUT:
                    output[tile.inner.slices] = values[0][0][tile.crop()][..., :3]
                else:
                    moments.add(self._without_margin(step.target, tile, values[0]))
                    self._store(step, tile, values[1:])
                self.on_progress((finished + step.cost * (number + 1) / self.tiles) / total)
            finished += step.cost
            if step.target != OUTPUT:
                statistics.append(moments.result())

    def _store(self, step: Pass, tile: Tile, values: Sequence[Floats]) -> None:
        for name, value in zip(step.store, values, strict=True):
            self.cache[name].write(*self._inner(name, tile).slices, self._without_margin(name, tile, value))

    def _tiles(self, step: Pass, statistics: instance_norm.Statistics) -> Iterator[tuple[Tile, list[NDArray[Any]]]]:
        """Yield each tile, and the values of a pass: the target, then those to store."""
        fixed = instance_norm.known(self.model, statistics)
        graph = instance_norm.part(fixed, [step.target, *step.store], step.sources)
        names = {value.name for value in graph.graph.input}
        session = onnx_model.open_session(graph.SerializeToString(), self.threads, arena=False)
        self.cache = {name: file for name, file in self.cache.items() if name in step.sources} | {
            name: self._scratch_file(name) for name in step.store
        }
        for tile in (tile for row in cut(self.row_edges, self.column_edges, step.margin) for tile in row):
            inputs: dict[str, NDArray[Any]] = {}
            if INPUT in names:
                rgb = self.rgb[tile.outer.slices]
                inputs[INPUT] = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])[None]
            for name in names & {*step.sources}:
                inputs[name] = self.cache[name].read(*self._outer(name, tile).slices)
            yield tile, session.run(None, inputs)

    def _scratch_file(self, name: str) -> ScratchFile:
        step, extra = self.steps[name], self.extra[name]
        *edges, last = (edge // step for edge in self.column_edges)
        return ScratchFile(self.height // step + extra, [*edges, last + extra])

    def _outer(self, name: str, tile: Tile) -> Box:
        """The part of a tensor that the outer box of a tile becomes, with the rows and columns of its border."""
        box, extra = tile.outer.downscale(self.steps[name]), self.extra[name]
        return replace(box, bottom=box.bottom + extra, right=box.right + extra)

    def _inner(self, name: str, tile: Tile) -> Box:
        """The part of a tensor that is taken from a tile; the last tiles give those of the border, too."""
        box, extra = tile.inner.downscale(self.steps[name]), self.extra[name]
        below, beside = extra * (tile.inner.bottom == self.height), extra * (tile.inner.right == self.width)
        return replace(box, bottom=box.bottom + below, right=box.right + beside)

    def _without_margin(self, name: str, tile: Tile, values: Floats) -> Floats:
        """Cut the margin from a tile's values [1, C, h, w]; return [C, h, w]."""
        rows, columns = self._inner(name, tile).relative_to(self._outer(name, tile)).slices
        return values[0][:, rows, columns]

    def _plan(self, first: int, scratch_bytes: float) -> list[Pass]:
        """Plan the passes from norm number `first` on, which store at most `scratch_bytes` at a time."""
        shapes = _shapes(self.model)

        def size(names: Sequence[str]) -> float:
            pixels = self.height * self.width
            return sum(2 * shapes[name][1] * pixels / self.steps[name] ** 2 for name in names)

        passes, sources = list[Pass](), list[str]()
        for number in range(first, len(instance_norm.norms(self.model))):
            live = instance_norm.live(self.model, number)
            store = [name for name in live if name not in sources]
            fits = size(sources) + size(store) <= scratch_bytes
            target = instance_norm.before(self.model, number)
            passes.append(self._pass(target, sources, store if fits else [], shapes))
            sources = live if fits else sources
        return [*passes, self._pass(OUTPUT, sources, [], shapes)]

    def _pass(self, target: str, sources: list[str], store: list[str], shapes: dict[str, list[int]]) -> Pass:
        steps = {name: Fraction(self.steps[name]) for name in sources}
        graph = instance_norm.part(self.model, [target, *store], sources)
        fields = receptive_field.of(graph, steps)
        margin = receptive_field.margin(fields, [target, *store], max(steps.values(), default=1))
        cost = 1 + sum(
            math.prod(shapes[node.input[1]]) / self.steps[node.output[0]] ** 2
            for node in graph.graph.node
            if node.op_type == "Conv"
        )
        return Pass(target, sources, store, self.multiple * math.ceil(margin / self.multiple), cost)

    def _scratch_bytes(self) -> float:
        """Return the size that the temporary file may have, at most half of the free disk space."""
        try:
            return min(self.config.scratch_mb * 1e6, shutil.disk_usage(tempfile.gettempdir()).free / 2)
        except OSError:
            return 0


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Return the shape of each tensor; 0 stands for a side that depends on the picture."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {tensor.name: [*tensor.dims] for tensor in inferred.initializer} | {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in inferred.value_info
    }
