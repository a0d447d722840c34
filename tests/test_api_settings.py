"""impasto/settings.py: keyword arguments and overrides as the settings of a command."""

from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest

from impasto.configs.errors import UsageError
from impasto.settings import compose

PHOTOS = {"data.root": "photos"}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("trainer.steps", 7, 7),
        ("trainer.steps", np.int64(7), 7),
        ("trainer.steps", "7", 7),
        ("optimizer.lr", 0.1 + 0.2, 0.1 + 0.2),
        ("optimizer.lr", np.float32(0.5), 0.5),
        ("data.flip", False, False),
        ("data.cache", None, None),
        ("loss.style_scales", (1, 4), [1, 4]),
        ("data.scale_range", [1, 2.5], [1.0, 2.5]),
        ("style.name", "it's, 'a' name = ${seed}", "it's, 'a' name = ${seed}"),
        ("license", "null and void", "null and void"),
    ],
)
def test_compose_value_arrives(key: str, value: object, expected: object) -> None:
    config, _ = compose("train", PHOTOS, {key: value})
    for name in key.split("."):
        config = getattr(config, name)
    assert config == expected


def test_compose_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a [1], b.jpg").touch()
    keywords: dict[str, Any] = {"data.root": Path("pho, tos"), "style": Path("a [1], b.jpg"), "hydra.run.dir": "r n"}
    config, run = compose("train", keywords, None)
    assert (config.data.root, config.style.image) == (f"{tmp_path}/pho, tos", f"{tmp_path}/a [1], b.jpg")
    assert (run.directory, run.named) == (tmp_path / "r n", True)
    config, _ = compose("optimize", {"content": "p.jpg"}, {"styles": [Path("a, b.jpg"), "c.jpg"], "masks": []})
    assert config.styles == [f"{tmp_path}/a, b.jpg", f"{tmp_path}/c.jpg"]


def test_compose_default_run_directory_is_not_named() -> None:
    _, run = compose("train", PHOTOS, None)
    assert run.directory.name.endswith("-mobile-swirls") and not run.named


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"loss.stile_strength": 2}, "loss.stile_strength is not known (did you mean loss.style_strength?)"),
        ({"trainer.stability_weight": 2}, "did you mean loss.temporal_weight?"),
        ({"trainer.steps": 0}, "trainer.steps=0 is invalid; it must be an integer of at least 1"),
        ({"model": "mobil"}, "model=mobil is not known (did you mean mobile?)"),
        ({"data.root": "other"}, "data.root is set twice"),
        ({"hydra.run.dir": "run"}, "hydra.run.dir is a key of the command line"),
        ({"seed": {1, 2}}, "seed is of type set; give a text"),
        ({"seed": "1,2"}, "several values"),
        (["seed=1"], "overrides is not a dict of keys"),
        ({1: 2}, "overrides is not a dict of keys"),
    ],
)
def test_compose_wrong_override_is_a_usage_error(overrides: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        compose("train", PHOTOS, overrides)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_compose_leaves_the_callers_own_hydra_alone() -> None:
    with hydra.initialize(version_base=None, config_path=None, job_name="caller"):
        compose("train", PHOTOS, None)
        assert hydra.compose(overrides=["+a=1"]) == {"a": 1}
