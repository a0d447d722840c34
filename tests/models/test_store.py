import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import jsonschema
import numpy as np
import onnxruntime
import pytest
import torch

from impasto.configs.errors import UsageError
from impasto.models import checkpoint, onnx_writer
from impasto.models.card import SCHEMA, StoreCard, StyleCard
from impasto.models.contract import Label
from impasto.models.network_blocks import InstanceNorm
from impasto.models.store import Store
from impasto.models.transform_net import stylize
from tests.helpers.networks import MODELS
from tests.helpers.stores import NAMES, card_of, store_of


@pytest.fixture
def photo() -> torch.Tensor:
    return torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1)) * 255


@pytest.mark.parametrize("model", MODELS)
def test_networks_of_store_share_all_weights_but_norms(model: str) -> None:
    store = store_of(model)
    single = store.network(0)
    norms = sum(p.numel() for m in single.modules() if isinstance(m, InstanceNorm) for p in m.parameters())
    total = sum(parameter.numel() for parameter in single.parameters())
    assert sum(parameter.numel() for parameter in store.parameters()) == total + 2 * norms
    with torch.no_grad():
        store.trunk_parameters()[0].add_(1)
    values = [network.state_dict() for network in store.networks]
    assert all(torch.equal(values[0][name], values[2][name]) for name in values[0] if values[0][name].dim() > 1)


def test_state_dict_has_a_row_per_style_and_loads_into_any_copy(photo: torch.Tensor) -> None:
    store, other = store_of(), store_of(seed=1)
    single = store.network(0).state_dict()
    assert store.state_dict().keys() == single.keys()
    assert {value.shape[0] for name, value in store.state_dict().items() if single[name].dim() == 1} >= {len(NAMES)}
    wrapped = torch.nn.ModuleDict({"module": copy.deepcopy(other)})
    wrapped.load_state_dict({f"module.{name}": value for name, value in store.state_dict().items()})
    for loaded in (copy.deepcopy(other), cast(Store, wrapped["module"])):
        loaded.load_state_dict(store.state_dict())
        for one, two in zip(store.networks, loaded.networks, strict=True):
            assert torch.equal(one(photo), two(photo))
    with pytest.raises((RuntimeError, ValueError)):
        other.load_state_dict(Store([store.network(0)] * 2).state_dict())


def test_blend_of_one_style_is_its_network_and_mean_is_between(photo: torch.Tensor) -> None:
    store = store_of()
    assert torch.equal(store.blend([0.0, 1.0, 0.0])(photo), store.network(1)(photo))
    norms = [
        next(module.bias for module in network.modules() if isinstance(module, InstanceNorm))
        for network in (store.network(0), store.network(2), store.blend([0.5, 0.0, 0.5]))
    ]
    torch.testing.assert_close(norms[2], (norms[0] + norms[1]) / 2)


@pytest.mark.parametrize("model", MODELS)
def test_checkpoint_of_store_loads_each_style_by_name(model: str, tmp_path: Path, photo: torch.Tensor) -> None:
    store, path = store_of(model), tmp_path / "store.safetensors"
    card = replace(card_of(model), validation=[{"step": 3.0, "total": 5.0, "total/second": 7.0, "style/second": 2.0}])
    checkpoint.save(path, store, card)
    jsonschema.validate(card.to_json(), json.loads(SCHEMA.read_text()))
    network, own = checkpoint.load(path, "second")
    assert torch.equal(stylize(network, photo), stylize(store.network(1), photo))
    assert own.style is not None and own.store is None
    assert (own.style.name, own.validation) == ("second", [{"step": 3.0, "total": 7.0, "style": 2.0}])
    loaded, _ = checkpoint.load_any(path)
    assert isinstance(loaded, Store)
    assert torch.equal(stylize(loaded.network(2), photo), stylize(store.network(2), photo))


def test_checkpoint_style_that_is_not_there_raises_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "store.safetensors"
    checkpoint.save(path, store_of(), card_of())
    with pytest.raises(UsageError, match=r"style=fourth is not in .*; choose one of first, second, third"):
        checkpoint.load(path, "fourth")
    with pytest.raises(UsageError, match=r"is a store of styles; name one of them with style=: first, second, third"):
        checkpoint.load(path)
    single = tmp_path / "single.safetensors"
    network, card = checkpoint.load(path, "first")
    checkpoint.save(single, network, card)
    with pytest.raises(UsageError, match=r"style=first cannot be chosen: .* is a network of one painting"):
        checkpoint.load(single, "first")


@pytest.mark.parametrize("names", [("first", "first", "third"), ("first", "second"), ()])
def test_checkpoint_whose_card_contradicts_its_rows_raises(names: tuple[str, ...], tmp_path: Path) -> None:
    path, card = tmp_path / "store.safetensors", card_of()
    assert card.store is not None
    style: StyleCard = card.store.styles[0]
    styles = [replace(style, name=name) for name in names]
    checkpoint.save(path, store_of(), replace(card, store=StoreCard("all", styles)))
    with pytest.raises(UsageError, match="does not support"):
        checkpoint.load_any(path)


@pytest.mark.parametrize("model", MODELS)
def test_onnx_file_of_store_blends_its_styles(model: str, tmp_path: Path, photo: torch.Tensor) -> None:
    store, path = store_of(model), tmp_path / "store.onnx"
    label = Label.of(card_of(model))
    onnx_writer.write(store, path, "float32_rgb", label)
    again = tmp_path / "again.onnx"
    onnx_writer.write(store, again, "float32_rgb", label)
    assert path.read_bytes() == again.read_bytes()
    session = onnxruntime.InferenceSession(str(path))
    assert [(value.name, value.type) for value in session.get_inputs()][1] == ("styles", "tensor(float)")
    assert session.get_inputs()[1].shape == [3]
    listed = json.loads(session.get_modelmeta().custom_metadata_map["styles"])
    assert [style["name"] for style in listed] == [*NAMES]
    for weights in ([0.0, 0.0, 1.0], [0.2, 0.5, 0.3]):
        (stylized,) = session.run(None, {"image": photo.numpy(), "styles": np.array(weights, np.float32)})
        with torch.no_grad():
            expected = stylize(store.blend(weights), photo)
        assert np.abs(stylized - expected.numpy()).max() < 0.1


def test_trunk_sha256_depends_on_shared_weights_only() -> None:
    store = store_of()
    before = store.trunk_sha256
    more = store.with_norms(store.norms(1))
    assert len(more.networks) == len(NAMES) + 1 and np.array_equal(more.norms(3), store.norms(1))
    assert more.trunk_sha256 == Store([store.network(2)]).trunk_sha256 == before
    with torch.no_grad():
        store.trunk_parameters()[-1].add_(1)
    assert store.trunk_sha256 != before
