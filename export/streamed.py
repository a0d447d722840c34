"""A large picture through a network in passes over its tiles: one for each norm, which measures what comes before it.

The statistics of a norm need those of all norms before it, and all of the picture. What one pass has computed the next
ones take from a temporary file, as far as there is room for it; the rest they compute again.
"""

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from impasto.configs.shipping import TilesConfig
from impasto.export import fields, norms
from impasto.export.boxes import Box, boxes
from impasto.export.label import INPUT, OUTPUT
from impasto.export.scratch import NoRoom, Scratch
from impasto.models import exported

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Moments:
    """Mean and variance of each channel of what is added, tile by tile (Chan et al. 1979, the pairwise update)."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = np.zeros(0)

    def add(self, values: Floats) -> None:
        """Take in values [C, H, W]."""
        flat = values.reshape(len(values), -1).astype(np.float32)
        mean = flat.mean(1, dtype=np.float64)
        flat -= mean[:, None].astype(np.float32)
        squares = np.einsum("cn,cn->c", flat, flat).astype(np.float64)
        count, total = flat.shape[1], self._count + flat.shape[1]
        if not self._count:
            self._mean, self._squares = mean, squares
        else:
            apart = mean - self._mean
            self._mean = self._mean + apart * count / total
            self._squares = self._squares + squares + apart**2 * self._count * count / total
        self._count = total

    def result(self) -> tuple[Floats, Floats]:
        """Mean and variance [C]."""
        return self._mean.astype(np.float32), (self._squares / self._count).astype(np.float32)


@dataclass(frozen=True)
class Pass:
    """What one pass over the tiles computes: `target`, from `sources` and the image, and `keep` for the next ones.

    `margin` in px is what its tiles need around them, `work` its multiplications for each pixel.
    """

    target: str
    sources: list[str]
    keep: list[str]
    margin: int
    work: float


class Stream:
    """An ONNX file of io `pixels` on one large picture [H, W, 3], both sides 16 px or more."""

    def __init__(
        self,
        model: onnx.ModelProto,
        rgb: Pixels,
        threads: int,
        config: TilesConfig,
        tell: Callable[[float], None] = lambda done: None,
    ) -> None:
        self.model, self.rgb, self.threads, self.config, self.tell = model, rgb, threads, config, tell
        self.multiple = fields.multiple(model)
        self.steps = {name: field.step for name, field in fields.of(model).items()}
        self.height, self.width = (self.multiple * math.ceil(side / self.multiple) for side in rgb.shape[:2])
        self.boxes = boxes(self.height, self.width, config.side, self.multiple)
        self.kept: dict[str, Scratch] = {}

    def statistics(self) -> norms.Statistics:
        """Mean and variance of what each norm of the network normalises. What ONNX Runtime raises passes."""
        known: list[tuple[Floats, Floats]] = []
        self._run(known, {}, None)
        return known

    def stylized(self, statistics: norms.Statistics, feeds: dict[str, Any]) -> Pixels:
        """The stylized picture [H, W, 3]. Norms without `statistics` are measured; `feeds` are further inputs.

        What ONNX Runtime raises passes.
        """
        result = np.empty_like(self.rgb)
        self._run([*statistics], feeds, result)
        return result

    def _run(self, known: list[tuple[Floats, Floats]], feeds: dict[str, Any], result: Pixels | None) -> None:
        """Measure the norms that are not yet known, adding to these, and fill in the result if there is one."""
        try:
            self._passes(known, feeds, result, self._room())
        except NoRoom:
            self._passes(known, feeds, result, 0)
        finally:
            self.kept.clear()

    def _passes(
        self, known: list[tuple[Floats, Floats]], feeds: dict[str, Any], result: Pixels | None, room: float
    ) -> None:
        passes = self._plan(len(known), room)[: None if result is not None else -1]
        total, done = sum(step.work for step in passes), 0.0
        for step in passes:
            moments = Moments()
            for number, (box, outer, values) in enumerate(self._tiles(step, known, feeds)):
                if result is not None and step.target == OUTPUT:
                    tile = values[0][0][box.within(outer, 1)][..., :3]
                    result[box.top : box.bottom, box.left : box.right] = tile
                else:
                    moments.add(self._inner(step.target, box, outer, values[0]))
                    self._keep(step, box, outer, values[1:])
                self.tell((done + step.work * (number + 1) / len(self.boxes)) / total)
            done += step.work
            if step.target != OUTPUT:
                known.append(moments.result())

    def _keep(self, step: Pass, box: Box, outer: Box, values: Sequence[Floats]) -> None:
        for name, value in zip(step.keep, values, strict=True):
            whole = box.within(Box(0, 0, self.height, self.width), int(self.steps[name]))
            self.kept[name].write(*whole, self._inner(name, box, outer, value))

    def _tiles(
        self, step: Pass, known: norms.Statistics, feeds: dict[str, Any]
    ) -> Iterator[tuple[Box, Box, list[NDArray[Any]]]]:
        """Each tile, with its margin, and what a pass computes of it: the target, then what is to be kept."""
        graph = norms.part(norms.known(self.model, known), [step.target, *step.keep], step.sources)
        inputs = {value.name for value in graph.graph.input}
        session = exported.open_session(graph.SerializeToString(), self.threads, arena=False)
        self.kept = {name: kept for name, kept in self.kept.items() if name in step.sources} | {
            name: self._scratch(int(self.steps[name])) for name in step.keep
        }
        for box in self.boxes:
            outer = box.grown(step.margin, self.height, self.width)
            given = {name: value for name, value in feeds.items() if name in inputs}
            if INPUT in inputs:
                cut = self.rgb[outer.top : outer.bottom, outer.left : outer.right]
                given[INPUT] = np.dstack([cut, np.full(cut.shape[:2], 255, np.uint8)])[None]
            whole = Box(0, 0, self.height, self.width)
            for name in inputs & {*step.sources}:
                given[name] = self.kept[name].read(*outer.within(whole, int(self.steps[name])))
            yield box, outer, session.run(None, given)

    def _scratch(self, step: int) -> Scratch:
        return Scratch(
            self.height // step, [edge // step for edge in sorted({box.left for box in self.boxes} | {self.width})]
        )

    def _inner(self, name: str, box: Box, outer: Box, values: Floats) -> Floats:
        """Of a value [1, C, h, w] of a tile with its margin, the part [C, h, w] without."""
        return values[0][:, *box.within(outer, int(self.steps[name]))]

    def _plan(self, first: int, room: float) -> list[Pass]:
        """The passes from the norm of number `first` on, which keep no more than `room` bytes at a time."""
        shapes = _shapes(self.model)

        def size(names: Sequence[str]) -> float:
            return sum(2 * shapes[name][1] * self.height * self.width / int(self.steps[name]) ** 2 for name in names)

        passes, sources = list[Pass](), list[str]()
        for number in range(first, len(norms.norms(self.model))):
            wanted = norms.live(self.model, number)
            keep = [name for name in wanted if name not in sources]
            fits = size(sources) + size(keep) <= room
            passes.append(self._pass(norms.before(self.model, number), sources, keep if fits else [], shapes))
            sources = wanted if fits else sources
        return [*passes, self._pass(OUTPUT, sources, [], shapes)]

    def _pass(self, target: str, sources: list[str], keep: list[str], shapes: dict[str, list[int]]) -> Pass:
        steps = {name: self.steps[name] for name in sources}
        graph = norms.part(self.model, [target, *keep], sources)
        margin = fields.margin(fields.of(graph, steps), [target, *keep], max(steps.values(), default=1))
        work = 1 + sum(
            math.prod(shapes[node.input[1]]) / int(self.steps[node.output[0]]) ** 2
            for node in graph.graph.node
            if node.op_type == "Conv"
        )
        return Pass(target, sources, keep, self.multiple * math.ceil(margin / self.multiple), work)

    def _room(self) -> float:
        """Bytes that the temporary file may take: half of what is free, at most."""
        try:
            return min(self.config.scratch * 1e6, shutil.disk_usage(tempfile.gettempdir()).free / 2)
        except OSError:
            return 0


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """The shape of each tensor; 0 for a side that depends on the picture."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {tensor.name: [*tensor.dims] for tensor in inferred.initializer} | {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in inferred.value_info
    }
