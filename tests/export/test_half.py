import copy

import numpy as np
import torch

from impasto.export import half
from impasto.export.golden import Pixels, picture
from impasto.models import networks


def norms(network: networks.Transformer) -> list[networks.InstanceNorm]:
    return [module for module in network.modules() if isinstance(module, networks.InstanceNorm)]


def stylize(network: networks.Transformer, rgb: Pixels) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(rgb).permute(2, 0, 1)[None].float()).numpy()


def test_a_network_in_range_stays_as_it_is(trained: networks.Transformer) -> None:
    safe = half.fp16_safe(trained, half.calibration())
    assert all(torch.equal(weight, safe.state_dict()[name]) for name, weight in trained.state_dict().items())
    assert [norm.eps for norm in norms(safe)] == [norm.eps for norm in norms(trained)]
    assert min(norm.eps for norm in norms(safe)) > half.NORMAL


def test_a_scale_changes_nothing_but_nearly_flat_channels(trained: networks.Transformer) -> None:
    loud = copy.deepcopy(trained)
    with torch.no_grad():
        loud.get_parameter("body.entrance.0.1.weight").mul_(64)
    before = copy.deepcopy(loud.state_dict())
    safe = half.fp16_safe(loud, half.calibration())
    scaled, weight = (network.get_parameter("body.entrance.0.1.weight") for network in (safe, loud))
    assert torch.equal(2 * scaled, weight)
    rgb = picture(256, 256)
    np.testing.assert_allclose(stylize(safe, rgb), stylize(loud, rgb), rtol=1e-6, atol=1e-2)
    assert all(torch.equal(before[name], weight) for name, weight in loud.state_dict().items())


def test_no_overflow_where_there_was_one(exploding: networks.Transformer) -> None:
    pictures = half.calibration()
    assert max(found.largest for found in half.reach(exploding, pictures)) > half.LARGEST
    safe = half.fp16_safe(exploding, pictures)
    rescaled = half.reach(safe, pictures)
    assert len(rescaled) == len(norms(safe)) + 1  # of the two that widen, a norm comes after the second alone
    assert max(max(found.largest, found.square) for found in rescaled) < half.LARGEST / 1.9
    assert min(found.square for found in rescaled) > half.LARGEST / 16  # no further than needed
    assert all(norm.eps >= half.NORMAL for norm in norms(safe))
    rgb = picture(256, 256)
    np.testing.assert_allclose(stylize(safe, rgb), stylize(exploding, rgb), rtol=1e-6, atol=1e-2)
