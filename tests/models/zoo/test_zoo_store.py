"""The store of the zoo, if it has one: its blends are between its styles."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from impasto.configs.errors import UsageError
from impasto.models import checkpoint, transform_net, zoo
from impasto.models.image import decode
from impasto.models.image.picture import resize
from impasto.models.losses.terms import StyleLoss
from impasto.models.store import Store
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.features import VGGFeatures
from tests.helpers.photos import photo

LAYERS = ["relu1_2", "relu2_2", "relu3_3"]
SHARES = 0.0, 0.25, 0.5, 0.75, 1.0
# Half of each has less of Udnie's style loss, 1.88, than Woman with a Hat, 1.99, and than Udnie itself, 1.95.
NEARLY_MONOTONE = "woman_with_hat", "udnie"


@pytest.mark.slow
@pytest.mark.parametrize("model", zoo.MODELS)
def test_style_loss_of_blends_falls_to_each_end(model: str) -> None:
    if model not in zoo.models(zoo.STORE):
        pytest.skip(f"the zoo has no store of {model}")
    try:
        vgg = VGGFeatures(LAYERS, vgg_weights.load("auto"), "vgg16", "max")
    except UsageError as error:
        pytest.skip(str(error))
    store, card = checkpoint.load_any(zoo.resolve(f"zoo/{zoo.STORE}/{model}", checkpoint.SUFFIX))
    assert isinstance(store, Store) and card.store is not None
    names = card.store.names
    pixels = torch.from_numpy(np.asarray(photo(0, (192, 192)))).permute(2, 0, 1)[None].float()

    def distances(name: str, networks: list[transform_net.TransformNet]) -> list[float]:
        painting = resize(decode.read(zoo.FOLDER / name / zoo.PAINTING).rgb, 192)
        with torch.no_grad():
            targets = vgg(torch.from_numpy(painting).permute(2, 0, 1)[None].float(), LAYERS)
            losses = [StyleLoss(targets[layer], "relative") for layer in LAYERS]
            outputs = [vgg(network(pixels), LAYERS) for network in networks]
            return [
                sum(loss(features[layer], 1.0, None).item() for loss, layer in zip(losses, LAYERS, strict=True))
                for features in outputs
            ]

    for one, other in pairwise(range(len(names))):
        weights = [
            [share * (index == one) + (1 - share) * (index == other) for index in range(len(names))] for share in SHARES
        ]
        networks = [store.blend(values) for values in weights]
        toward, away = distances(names[one], networks), distances(names[other], networks)
        for target, source, falling in ((one, other, toward), (other, one, away[::-1])):
            case = names[source], names[target], falling
            limit = 1.03 if case[:2] == NEARLY_MONOTONE else 1.0
            assert falling[-1] < falling[0], case
            assert all(after < limit * before for before, after in pairwise(falling)), case
