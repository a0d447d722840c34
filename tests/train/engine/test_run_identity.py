import logging
from pathlib import Path
from typing import Any

import pytest

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.models.card import Card, DataCard, ModelCard, StyleCard
from impasto.train.engine import run_identity


def identity(*lines: str, photos: int = 7, style: str = "a") -> dict[str, Any]:
    config = app.compose("train", ["data.root=.", "loss=johnson", *lines])
    data = {"val_photos": 1, "val_size": 32, "size": 32, "scale_range": [1.0, 1.5], "flip": True, "workers": 0}
    card = Card(
        model=ModelCard("mobile", 1.0, 5),
        style=StyleCard(name="s", painter=None, size=256, seed=0, artist="", license="", sha256=style),
        data=DataCard(**data, photos=photos, sha256=f"{photos}"),  # type: ignore[arg-type]
    )
    return run_identity.identity(config, card)


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["loss.style_weight=3"], "loss.style_weight from 5 to 3"),
        (["loss.style_strength=1"], "loss.style_strength from null to 1"),
        (["loss.checkerboard_weight=0"], "loss.checkerboard_weight from 5000 to 0"),
        (["style.size=128"], "style.size from "),
        (["data.size=128"], "data.size from auto to 128"),
        (["trainer.batch_size=3"], "trainer.batch_size from "),
    ],
)
def test_check_key_that_changes_the_loss_is_refused(lines: list[str], named: str, tmp_path: Path) -> None:
    (tmp_path / "step_00000003.safetensors").touch()
    with pytest.raises(UsageError) as raised:
        run_identity.check(tmp_path, identity(), identity(*lines))
    assert str(raised.value).startswith(f"resume={tmp_path} cannot change {named}")
    assert str(raised.value).endswith(f"init={tmp_path}/step_00000003.safetensors")


def test_check_other_style_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot change style to another picture, since"):
        run_identity.check(tmp_path, identity(), identity(style="b"))


def test_check_other_photos_are_named_and_other_keys_are_free(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    free = ["trainer.steps=9", "optimizer.lr=1e-4", "data.workers=1", "trainer.log_every=3", "loss.weights=random"]
    with caplog.at_level(logging.WARNING, "impasto"):
        run_identity.check(tmp_path, identity(), identity(*free))
        run_identity.check(tmp_path, {}, identity())  # of a version that saved none
        assert not caplog.messages
        run_identity.check(tmp_path, identity(), identity(photos=9))
    assert [message[:81] for message in caplog.messages] == [
        "the training photos are not those that the run began with (7 then, 9 now); later "
    ]


def test_check_a_loss_that_the_version_of_the_run_lacked_is_refused_unless_its_weight_is_0(tmp_path: Path) -> None:
    before = identity()
    del before["loss.flatness_weight"]
    run_identity.check(tmp_path, before, identity())
    with pytest.raises(UsageError, match=r"cannot change loss.flatness_weight from 0 to 10"):
        run_identity.check(tmp_path, before, identity("loss.flatness_weight=10"))
