"""The stores of the zoo: their blends are between their styles, and videos of zoo/video flicker less."""

from dataclasses import asdict, fields
from itertools import chain, pairwise

import numpy as np
import pytest
import torch

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import validate
from impasto.configs.schema.loss import LossConfig
from impasto.models import checkpoint, onnx_model, zoo
from impasto.models.card import UNKNOWN, Card
from impasto.models.image import decode
from impasto.models.image.picture import resize
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.metrics.flicker import flicker
from impasto.models.store import Store
from impasto.models.vgg import weights as vgg_weights
from tests.helpers.photos import photo

STORES = "zoo/store", "zoo/store/tiny", "zoo/video"
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
@pytest.mark.parametrize("name", ["zoo/store", "zoo/store/tiny"])
@torch.no_grad()
def test_style_loss_of_blends_falls_to_each_end(name: str) -> None:
    store, card = checkpoint.load_any(zoo.resolve(name, checkpoint.SUFFIX))
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


def test_stores_have_every_painting_and_say_where_they_are_from() -> None:
    for name in STORES:
        store, card = checkpoint.load_any(zoo.resolve(name, checkpoint.SUFFIX))
        assert isinstance(store, Store) and card.store is not None and card.data is not None
        assert card.store.names == zoo.names() and card.license == "MIT"
        origins = [(style.title, style.artist, style.source, style.license) for style in card.store.styles]
        assert UNKNOWN not in {*chain(*origins), card.data.source, card.data.license}
        session = onnx_model.load(zoo.resolve(name, ".onnx"), threads=1)
        assert [label.name for label in onnx_model.styles(session)] == zoo.names()


@torch.no_grad()
def test_styles_of_the_store_for_videos_flicker_less_than_those_for_photos() -> None:
    pixels = torch.from_numpy(np.array(photo(0, (192, 192)))).permute(2, 0, 1)[None].float()
    for name in zoo.names():
        stores = (zoo.resolve(f"zoo/{store}", checkpoint.SUFFIX) for store in (zoo.VIDEO, zoo.STORE))
        video, still = (flicker(checkpoint.load(path, name)[0].eval(), pixels)["both"] for path in stores)
        assert video < 0.75 * still, name
