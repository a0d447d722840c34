import copy

import numpy as np
import pytest
import torch

from impasto.export import fp16_rescale
from impasto.export.test_images import Pixels, checkerboards, picture
from impasto.models import checkpoint, network_blocks, transform_net, zoo


def norms(network: transform_net.TransformNet) -> list[network_blocks.InstanceNorm]:
    return [module for module in network.modules() if isinstance(module, network_blocks.InstanceNorm)]


def stylize(network: transform_net.TransformNet, rgb: Pixels) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(rgb).permute(2, 0, 1)[None].float()).numpy()


def test_fp16_safe_of_a_network_in_range_changes_nothing(trained: transform_net.TransformNet) -> None:
    safe = fp16_rescale.fp16_safe(trained, fp16_rescale.calibration_images())
    assert all(torch.equal(weight, safe.state_dict()[name]) for name, weight in trained.state_dict().items())
    assert [norm.eps for norm in norms(safe)] == [norm.eps for norm in norms(trained)]
    assert min(norm.eps for norm in norms(safe)) > fp16_rescale.FP16_MIN_NORMAL


def test_fp16_safe_with_a_scale_changes_only_nearly_flat_channels(trained: transform_net.TransformNet) -> None:
    loud = copy.deepcopy(trained)
    with torch.no_grad():
        loud.get_parameter("body.entrance.0.1.weight").mul_(64)
    before = copy.deepcopy(loud.state_dict())
    safe = fp16_rescale.fp16_safe(loud, fp16_rescale.calibration_images())
    scaled, weight = (network.get_parameter("body.entrance.0.1.weight") for network in (safe, loud))
    assert torch.equal(2 * scaled, weight)
    rgb = picture(256, 256)
    np.testing.assert_allclose(stylize(safe, rgb), stylize(loud, rgb), rtol=1e-6, atol=1e-2)
    assert all(torch.equal(before[name], weight) for name, weight in loud.state_dict().items())


@pytest.mark.slow
def test_fp16_safe_of_an_overflowing_network_stays_in_range(exploding: transform_net.TransformNet) -> None:
    pictures = fp16_rescale.calibration_images()
    assert max(layer.absmax for layer in fp16_rescale.calibrate(exploding, pictures)) > fp16_rescale.FP16_MAX
    safe = fp16_rescale.fp16_safe(exploding, pictures)
    rescaled = fp16_rescale.calibrate(safe, pictures)
    assert len(rescaled) == len(norms(safe)) + 1  # a norm follows only the second of the two that widen
    assert max(max(layer.absmax, layer.max_square) for layer in rescaled) < fp16_rescale.FP16_MAX / 1.9
    assert min(layer.max_square for layer in rescaled) > fp16_rescale.FP16_MAX / 16  # scaled no further than necessary
    assert all(norm.eps >= fp16_rescale.FP16_MIN_NORMAL for norm in norms(safe))
    rgb = picture(256, 256)
    np.testing.assert_allclose(stylize(safe, rgb), stylize(exploding, rgb), rtol=1e-6, atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["the_scream", "udnie", "woman_with_hat"])
def test_networks_of_the_zoo_stay_in_range_on_a_large_checkerboard(name: str) -> None:
    """Its border has features that the norms enlarge with the size of the image."""
    network, _ = checkpoint.load(zoo.resolve(f"zoo/{name}", checkpoint.SUFFIX))
    board = [checkerboards(1024, 768)[1]]
    before = fp16_rescale.calibrate(network.eval(), board)
    assert max(layer.max_square for layer in before) > fp16_rescale.FP16_MAX / 2
    safe = fp16_rescale.fp16_safe(network, fp16_rescale.calibration_images())
    after = fp16_rescale.calibrate(safe, board)
    assert max(max(layer.absmax, layer.max_square) for layer in after) < fp16_rescale.FP16_MAX / 1.9


def test_calibration_has_every_checkerboard_at_the_size_of_a_photo() -> None:
    """The one of 8 px at 1024x768 has activations five times as large as any other in zoo/udnie/studio."""
    large = [image for image in fp16_rescale.calibration_images() if image.shape == (1024, 768, 3)]
    np.testing.assert_array_equal(large, checkerboards(1024, 768))
