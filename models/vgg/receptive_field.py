"""The receptive fields of VGG's layers."""

from dataclasses import dataclass

from impasto.configs.schema.vgg_layers import NETWORKS
from impasto.models.receptive_field import Field

Box = tuple[int, int, int, int]
"""top, bottom, left, right, in pixels of the picture."""


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a layer's units, along one side in px.

    Attributes:
        size: Size of the field.
        step: Distance between the fields of neighboring units.
        start: Where the first unit's field begins; negative inside the padding.
    """

    size: int
    step: int
    start: int

    def box(self, row: int, column: int) -> Box:
        """Return the field of one unit; it may extend beyond the picture, where VGG pads with zeros."""
        top, left = self.start + self.step * row, self.start + self.step * column
        return top, top + self.size, left, left + self.size

    def inside(self, units: int, side: int) -> range:
        """Return the units of a row whose field lies inside a picture of `side` px, or all units if none does."""
        last = min(units - 1, (side - self.size - self.start) // self.step)
        return range(-(self.start // self.step), last + 1) or range(units)


def receptive_field(layer: str, network: str = "vgg16") -> ReceptiveField:
    """Return the receptive field of a layer's units."""
    field = layer_field(layer, network)
    return ReceptiveField(size=int(field.last - field.first) + 1, step=int(field.step), start=int(field.first))


def layer_field(layer: str, network: str = "vgg16") -> Field:
    """Return the field of a layer. Convolutions are 3x3 with a padding of 1, poolings 2x2 with a stride of 2."""
    names, field = NETWORKS[network], Field()
    for name in names[: names.index(layer) + 1]:
        if name.startswith("conv"):
            field = field.window(3, padding=1)
        elif name.startswith("pool"):
            field = field.window(2, stride=2)
    return field
