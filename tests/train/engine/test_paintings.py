from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.models.vgg import weights
from impasto.train.data import style_image
from impasto.train.engine import paintings


def test_of_step_gives_each_painting_its_turn_in_changing_order() -> None:
    turns = [[paintings.of_step(3, 5 * turn + step, 5) for step in range(5)] for turn in range(20)]
    assert all(sorted(turn) == [0, 1, 2, 3, 4] for turn in turns)
    assert len({tuple(turn) for turn in turns}) > 10
    assert turns != [[paintings.of_step(4, 5 * turn + step, 5) for step in range(5)] for turn in range(20)]
    assert Counter(paintings.of_step(0, step, 1) for step in range(9)) == {0: 9}


def test_paintings_of_list_and_folder_have_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "paintings"
    folder.mkdir()
    for name in ("B one.png", "a.png"):
        Image.new("RGB", (64, 64), "red").save(folder / name)
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "c.png")
    lines = [f"style={folder}"], [f"style=[{folder},{tmp_path / 'c.png'}]"], [f"style=[{tmp_path / 'c.png'}]"]
    names = [
        [style.name for style in style_image.paintings(app.compose("train", ["data.root=.", *line]).style)]
        for line in lines
    ]
    assert names == [["b-one", "a"], ["b-one", "a", "c"], ["c"]]


def test_paintings_without_distinct_names_raise(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("a.png", "A.jpg"):
        Image.new("RGB", (64, 64), "red").save(tmp_path / name)
    style = app.compose("train", ["data.root=.", f"style=[{tmp_path / 'a.png'},{tmp_path / 'A.jpg'}]"]).style
    with pytest.raises(UsageError, match=r"two paintings of the name a, .*a\.png and .*A\.jpg; rename one file"):
        style_image.paintings(style)
    style = app.compose("train", ["data.root=.", f"style={tmp_path / 'empty'}"]).style
    with pytest.raises(UsageError, match=r"style=.*empty holds no pictures"):
        style_image.paintings(style)


def test_load_shares_one_vgg_and_keeps_targets_apart(tmp_path: Path) -> None:
    for name, color in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (64, 64), color).save(tmp_path / f"{name}.png")
    line = ["data.root=.", f"style={tmp_path}", "style.size=64", "loss=johnson", "loss.weights=random"]
    config = app.compose("train", line)
    first, second = paintings.load(style_image.paintings(config.style), config.loss, weights.load("random", "vgg16"))
    assert first.loss.vgg is second.loss.vgg
    (one,), (two,) = (each.loss.style_losses("relu1_2", 1) for each in (first, second))
    assert not one.get_buffer("target").equal(two.get_buffer("target"))


def test_by_painting_names_losses_of_several_only() -> None:
    losses = [{"total": 3.0, "content": 1.0, "style": 2.0, "tv": 0.0}, {}]
    assert paintings.by_painting(losses, ["a", "b"]) == {"total/a": 3.0, "content/a": 1.0, "style/a": 2.0}
    assert paintings.by_painting(losses[:1], ["a"]) == {}
