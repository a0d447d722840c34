from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.models import checkpoint, style_file, transform_net
from impasto.models.store import Store
from tests.helpers.stores import NAMES, card_of, store_of


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return checkpoint.save_styles(tmp_path / "styles", store_of(), card_of())


def test_save_styles_writes_files_that_fit_the_store(files: dict[str, Path]) -> None:
    store = store_of()
    assert [path.name for path in files.values()] == [f"{name}.style.safetensors" for name in NAMES]
    for index, path in enumerate(files.values()):
        loaded = style_file.load(path)
        assert np.array_equal(loaded.norms, store.norms(index))
        assert (loaded.style.name, loaded.network) == (NAMES[index], store.trunk_sha256)


def test_style_file_of_mobile_has_less_than_4_kb(tmp_path: Path) -> None:
    model = app.compose("train", ["data.root=."]).model
    store = Store([transform_net.build(model)])
    assert model.name == "mobile" and len(store.norms(0)) == 696
    card = card_of()
    assert card.store is not None
    style = replace(card.store.styles[0], title="The Great Wave off Kanagawa", source="Museum of Modern Art, New York")
    path = tmp_path / "a.style.safetensors"
    style_file.save(path, style_file.StyleFile(store.norms(0), store.trunk_sha256, style))
    assert path.stat().st_size < 4000


def test_with_styles_adds_a_file_and_refuses_those_that_do_not_fit(files: dict[str, Path], tmp_path: Path) -> None:
    store, card, path = store_of(), card_of(), Path("store.safetensors")
    assert card.store is not None
    loaded = style_file.load(files["second"])
    new = tmp_path / "new.style.safetensors"
    style_file.save(new, replace(loaded, style=replace(loaded.style, name="new")))
    larger, its_card = checkpoint.with_styles(path, store, card, [new])
    assert its_card.store is not None and its_card.store.names == [*NAMES, "new"]
    assert np.array_equal(larger.norms(3), store.norms(1))
    with pytest.raises(UsageError, match=r"of the name second, which store\.safetensors has already"):
        checkpoint.with_styles(path, store, card, [files["second"]])
    with pytest.raises(UsageError, match=r"is a style of another network than store\.safetensors \(SHA-256 "):
        checkpoint.with_styles(path, store_of(seed=1), card, [new])


def test_load_of_other_files_raises_one_sentence(tmp_path: Path) -> None:
    missing, other, damaged = (tmp_path / f"{name}.style.safetensors" for name in ("missing", "other", "damaged"))
    save_file({"norms": np.zeros(3, np.float32)}, other)
    damaged.write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    for path, words in ((missing, "does not exist"), (other, "is not a style of a store"), (damaged, "is damaged")):
        with pytest.raises(UsageError, match=words) as error:
            style_file.load(path)
        assert "\n" not in str(error.value)


def test_load_of_values_that_are_not_finite_raises(files: dict[str, Path]) -> None:
    loaded = style_file.load(files["first"])
    style_file.save(files["first"], replace(loaded, norms=loaded.norms * np.float32("nan")))
    with pytest.raises(UsageError, match="is damaged"):
        style_file.load(files["first"])
