"""The store of the zoo, if it has one: its blends are between its styles."""

from dataclasses import asdict, fields
from itertools import pairwise

import numpy as np
import pytest
import torch

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import validate
from impasto.configs.schema.loss import LossConfig
from impasto.models import checkpoint, zoo
from impasto.models.card import Card
from impasto.models.image import decode
from impasto.models.image.picture import resize
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.store import Store
from impasto.models.vgg import weights as vgg_weights
from tests.helpers.photos import photo

SHARES = 0.0, 0.25, 0.5, 0.75, 1.0
PAINTING_SIDE, PHOTO_SIDE = 768, 256  # px; the store was trained at the former, on crops of the latter


def losses_of(card: Card) -> list[PerceptualLoss]:
    """The loss that the store was trained with, by each painting of the zoo."""
    assert card.store is not None and card.loss is not None
    known = {item.name for item in fields(LossConfig)}
    values = {name: value for name, value in asdict(card.loss).items() if name in known}
    config = validate(LossConfig, values | {"weights": "auto"})
    vgg = vgg_weights.load(config.weights, config.network)
    paintings = [decode.read(zoo.FOLDER / name / zoo.PAINTING).rgb for name in card.store.names]
    pixels = [
        torch.from_numpy(resize(painting, PAINTING_SIDE)).permute(2, 0, 1)[None].float() for painting in paintings
    ]
    return [PerceptualLoss(config, vgg, painting) for painting in pixels]


@pytest.mark.slow
@pytest.mark.parametrize("model", zoo.MODELS)
@torch.no_grad()
def test_style_loss_of_blends_falls_to_each_end(model: str) -> None:
    if model not in zoo.models(zoo.STORE):
        pytest.skip(f"the zoo has no store of {model}")
    store, card = checkpoint.load_any(zoo.resolve(f"zoo/{zoo.STORE}/{model}", checkpoint.SUFFIX))
    assert isinstance(store, Store) and card.store is not None
    names = card.store.names
    try:
        losses = losses_of(card)
    except UsageError as error:
        pytest.skip(str(error))
    pixels = torch.from_numpy(np.array(photo(0, (PHOTO_SIDE, PHOTO_SIDE)))).permute(2, 0, 1)[None].float()
    content = losses[0].content_target(pixels)
    for one, other in pairwise(range(len(names))):
        weights = [
            [share * (index == one) + (1 - share) * (index == other) for index in range(len(names))] for share in SHARES
        ]
        pictures = [store.blend(values)(pixels) for values in weights]
        for target, falling in ((one, pictures), (other, pictures[::-1])):
            values = [losses[target](picture, content).style.item() for picture in falling]
            assert all(after < before for before, after in pairwise(values)), (names[one], names[other], values)
