import pytest
import torch

from impasto.configs.schema.vgg_layers import VGG19_LAYERS
from impasto.models.losses.tiled import HALO
from impasto.models.vgg import weights
from impasto.models.vgg.features import VGGFeatures
from impasto.models.vgg.receptive_field import layer_field


def test_halo_is_wide_enough_for_each_layer_and_a_multiple_of_each_stride() -> None:
    for layer in VGG19_LAYERS:
        field = layer_field(layer, "vgg19")
        assert field.margin() <= HALO and HALO % field.step == 0
    assert layer_field("pool5", "vgg19").margin() == 118 <= HALO == 128


@pytest.mark.slow
def test_halo_keeps_what_lies_beyond_it_from_the_deepest_layer() -> None:
    vgg = VGGFeatures(["pool5"], weights.load("random", "vgg19"), "vgg19", "average")
    picture = torch.rand(1, 3, 32, 2 * HALO + 64, generator=torch.Generator().manual_seed(0)) * 255
    inner = slice(HALO // 32, HALO // 32 + 1)

    def features(free: int) -> torch.Tensor:
        """The features of 32 px where everything further than `free` px away is black."""
        near = slice(HALO - free, HALO + 32 + free)
        changed = torch.zeros_like(picture)
        changed[..., near] = picture[..., near]
        return vgg(changed)["pool5"][..., inner]

    whole = vgg(picture)["pool5"][..., inner]
    torch.testing.assert_close(features(HALO), whole)
    assert not torch.allclose(features(HALO // 2), whole, rtol=1e-3)
