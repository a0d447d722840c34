"""A store of three styles with random weights, and its card."""

from dataclasses import replace

import torch

from impasto.models import transform_net
from impasto.models.card import Card, StoreCard
from impasto.models.network_blocks import InstanceNorm
from impasto.models.store import Store
from tests.helpers.networks import CARD, MODELS

NAMES = "first", "second", "third"


def store_of(model: str = "mobile", seed: int = 0) -> Store:
    """A store of three styles with random norms."""
    torch.manual_seed(seed)
    store = Store([transform_net.build(MODELS[model])] * len(NAMES))
    with torch.no_grad():
        for network in store.networks:
            for module in network.modules():
                if isinstance(module, InstanceNorm):
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.uniform_(-1, 1)
    return store.eval()


def card_of(model: str = "mobile") -> Card:
    """Its card; the second style has another stroke resolution."""
    card = Card.from_json({"model": vars(MODELS[model])} | CARD)
    assert card.style is not None
    styles = [replace(card.style, name=name, stroke_resolution=side) for name, side in zip(NAMES, SIDES, strict=True)]
    return replace(card, style=None, store=StoreCard("all", styles))


SIDES = 100, 200, None
