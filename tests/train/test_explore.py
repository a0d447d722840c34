"""impasto-explore: what it leaves, what it rebuilds, which channels it shows, what it refuses."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
from PIL import Image
from torch import Tensor

from impasto.configs import app
from impasto.models import vgg_weights
from impasto.models.deconvnet import ReceptiveField
from impasto.models.pictures import read, resize
from impasto.models.vgg import VGGFeatures
from impasto.train import exploration, explore, hardware, sheets
from impasto.train.display import Display
from impasto.train.exploration import Job
from impasto.train.optimizer import noise
from tests.conftest import Run

FAST = ("size=48", "style.size=40", "loss.weights=random", "device=cpu")
LAYERS = ("explore.content_layers=[relu1_1,pool2]", "explore.channel_layers=[relu1_1,relu3_1]")


@pytest.fixture
def photo(photo_folder: Path) -> Path:
    return photo_folder / "photo_0.jpg"  # 80x60


def test_what_it_leaves(photo: Path, tmp_path: Path, impasto: Callable[..., Run]) -> None:
    line = [f"content={photo}", *FAST, *LAYERS, "iterations=5", "explore.channels=3"]
    done = impasto("explore", *line, "output=out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = ["channels.png", "content.png", "exploration.json", "style.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert done.stdout == f"{tmp_path}/out: content.png, style.png, channels.png, exploration.json\n"
    assert (
        "photo from pool2: loss " in done.stderr
        and "painting from relu1_2 + relu2_2 + relu3_3 + relu4_3: loss " in done.stderr
    )

    facts = json.loads((tmp_path / "out/exploration.json").read_text())
    assert [one["layers"] for one in facts["content"]] == [["relu1_1"], ["pool2"]]
    growing = ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]  # of the loss
    assert [one["layers"] for one in facts["style"]] == [growing[:count] for count in (1, 2, 3, 4)]
    for one in facts["content"] + facts["style"]:
        assert 0 < one["loss"]["last"] < one["loss"]["first"]
        assert (one["iterations"], one["ended"]) == (5, "iterations")
    for picture, (height, width) in (("photo", (48, 64)), ("painting", (40, 40))):
        assert {layer: len(units) for layer, units in facts["channels"][picture].items()} == {
            "relu1_1": 3,
            "relu3_1": 3,
        }
        for unit in facts["channels"][picture]["relu1_1"]:
            top, bottom, left, right = unit["box"]
            assert (bottom - top, right - left) == (3, 3)
            assert top >= 0 and left >= 0 and bottom <= height and right <= width
            assert (unit["row"], unit["column"]) == (top + 1, left + 1)
    shown = read(tmp_path / "out/content.png").rgb
    first = sheets.GAP + sheets.CAPTION
    expected = np.asarray(Image.open(photo).resize((64, 48), Image.Resampling.LANCZOS), int)
    assert np.abs(shown[first : first + 48, sheets.GAP : sheets.GAP + 64] - expected).max() <= 3

    # Again, with the same outcome; and a sheet without layers is left out.
    again = impasto("explore", *line, "explore.content_layers=[]", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    left = sorted((tmp_path / "outputs/exploration").iterdir())
    assert [path.name for path in left] == ["channels.png", "exploration.json", "style.png"]
    for path in left[::2]:
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


def rebuilt(
    picture: Tensor, term: str, *layers: str, weights: vgg_weights.Weights, lines: tuple[str, ...] = ()
) -> Tensor:
    config = app.compose("explore", ["content=x", "iterations=60", *lines])
    place = hardware.choose("cpu", "fp32")
    done = exploration.rebuild(Job(term, [*layers]), picture, config, weights, place, lambda iterate: False)
    return done.trajectory.pixels.clamp(0, 255)


def test_a_photo_comes_back_from_the_first_layer_and_less_of_it_from_deeper_ones() -> None:
    """Mean absolute difference in levels of 255; noise is some 80 away."""
    cat = read(Path(skimage.__file__).parent / "data/chelsea.png").rgb[20:280, 80:380]
    picture = torch.from_numpy(resize(cat, (48, 56))).permute(2, 0, 1)[None].float()
    weights = vgg_weights.load("auto")
    gaps = []
    for layer in ("relu1_1", "relu2_2", "relu4_3"):
        gaps.append(float((rebuilt(picture, "content", layer, weights=weights) - picture).abs().mean()))
    assert gaps[0] < 3
    assert gaps[1] > 1.5 * gaps[0] and gaps[2] > 3 * gaps[1]  # 2.1, 4.7, 32


def test_vgg_is_no_deeper_than_the_layers() -> None:
    weights = vgg_weights.load("random")
    shallow = {name: values for name, values in weights.items() if name[4:7] in ("1_1", "1_2", "2_1")}
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    for term in ("content", "style"):
        rebuilt(picture, term, "relu2_1", weights=shallow, lines=("iterations=2",))
        with pytest.raises(KeyError, match="conv2_2"):
            rebuilt(picture, term, "relu2_2", weights=shallow, lines=("iterations=2",))


def test_the_loss_is_a_part_of_the_features() -> None:
    """By hand, whatever form the loss has: squared differences over the squares, in the mean of the layers."""
    weights = vgg_weights.load("random")
    picture = torch.rand(1, 3, 32, 36, generator=torch.Generator().manual_seed(7)) * 100
    layers = ["relu1_2", "relu2_1"]
    vgg, place = VGGFeatures(layers, weights), hardware.choose("cpu", "fp32")
    kept, started = ({layer: x[0].flatten(1) for layer, x in vgg(y).items()} for y in (picture, noise(32, 36, 0)))

    def part(one: Tensor, other: Tensor) -> float:
        return float((one - other).square().sum() / other.square().sum())

    content = part(started["relu2_1"], kept["relu2_1"])
    style = sum(part(started[layer] @ started[layer].T, kept[layer] @ kept[layer].T) for layer in layers) / 2
    start = noise(32, 36, 0)
    tv = float(start.diff(dim=2).square().sum() + start.diff(dim=3).square().sum()) / start.numel()
    for form in ("johnson", "gatys2016", "keras-notebook"):
        config = app.compose(
            "explore", ["content=x", f"loss={form}", "loss.pooling=max", "loss.tv_power=2", "iterations=1"]
        )
        config.explore.content_tv_weight = config.explore.style_tv_weight = 1e-4
        for job, expected in ((Job("content", ["relu2_1"]), content), (Job("style", layers), style)):
            done = exploration.rebuild(job, picture, config, weights, place, lambda iterate: False)
            assert done.loss == pytest.approx(expected, rel=1e-3)
            assert done.loss > 0.01
            smoothing = 1e-4 * 2  # a unit of relu2_1 every 2 px
            assert done.trajectory.totals[0] / exploration.SCALE == pytest.approx(expected + smoothing * tv, rel=1e-3)


def test_the_strongest_channels_look_at_places_of_their_own() -> None:
    features = torch.zeros(5, 20, 20)
    features[0, 0, 0] = 99  # sees the border
    for channel, (response, row, column) in enumerate([(9, 5, 5), (8, 5, 6), (7, 5, 9), (6, 15, 15), (0, 0, 0)]):
        features[channel, row, column] = response
    field = ReceptiveField(size=12, step=1, start=-5)

    def places(count: int) -> list[tuple[int, int, int]]:
        units = exploration.strongest(features, field, (20, 20), count)
        return [(unit.channel, unit.row, unit.column) for unit in units]

    assert places(2) == [(0, 5, 5), (2, 5, 9)]
    assert places(3) == [(0, 5, 5), (1, 5, 6), (2, 5, 9)]
    everything = ReceptiveField(size=40, step=1, start=-20)
    assert exploration.strongest(features, everything, (20, 20), 1)[0].box == (-20, 20, -20, 20)


def test_a_sheet_has_room_for_its_captions() -> None:
    dark = np.zeros((10, 12, 3), np.uint8)
    plain = sheets.sheet([[dark, dark]] * 2, ("a", "a caption that is longer than its picture"))
    wide = sheets.sheet([[dark, dark]] * 2, ("a", "a caption that is longer than its picture"), ("one", "two"))
    assert plain.shape[1] == wide.shape[1] > 200
    assert wide.shape[0] == plain.shape[0] + 2 * sheets.CAPTION
    assert (wide[:, -sheets.GAP :] == 255).all()  # nothing is cut off
    for row in range(2):
        top = sheets.GAP + sheets.CAPTION + row * (sheets.CAPTION + 10 + sheets.GAP)
        assert (wide[top : top + sheets.CAPTION - 6] < 128).any()
        assert not wide[top + sheets.CAPTION : top + sheets.CAPTION + 10, sheets.GAP : sheets.GAP + 12].any()
    over_one = sheets.sheet([[dark]], ("a",), ("a caption that is longer than its row",))
    assert over_one.shape[1] > 200 and (over_one[:, -sheets.GAP :] == 255).all()


@pytest.fixture
def call(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command in this process, in a folder with photo.jpg and text.jpg."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    Path("text.jpg").write_text("not a picture")
    Path("photo.jpg").write_bytes(photo.read_bytes())

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["impasto-explore", "loss.weights=random", *arguments])
        with pytest.raises(SystemExit) as stop:
            explore.main()
        return int(stop.value.code or 0)

    return call


@pytest.mark.parametrize("moment", ["iteration 3,", "channels of relu1_1"])
def test_interrupted(
    moment: str, call: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends the work at hand, writes what there is, and says so."""

    def note(self: Display, fraction: float, text: str) -> None:
        if moment in text:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Display, "note", note)
    rebuild = "iteration" in moment
    lines = ["iterations=1000000", "optimizer.tolerance=0"] if rebuild else ["explore.content_layers=[]"]
    layers = [] if rebuild else ["explore.style_layers=[]"]
    assert call("content=photo.jpg", *FAST, *LAYERS, *layers, *lines, "output=out") == 130
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == f"impasto-explore: stopped before the end; what there was by then is in {Path.cwd()}/out"
    facts = json.loads(Path("out/exploration.json").read_text())
    if rebuild:
        [only] = facts["content"]
        assert (only["layers"], only["iterations"], only["ended"]) == (["relu1_1"], 3, "stopped")
        assert facts["style"] == [] and facts["channels"] == {}
        assert sorted(path.name for path in Path("out").iterdir()) == ["content.png", "exploration.json"]
    else:
        assert 300 < read(Path("out/channels.png")).rgb.shape[0] < 500  # of one layer


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["style=swirls"], ["content is missing", "content=FILE"]),
        (["content=nowhere.jpg"], ["nowhere.jpg", "no such file"]),
        (["content=text.jpg"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "style=text.jpg"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "output=text.jpg"], ["output=", "text.jpg", "no folder"]),
        (["content=photo.jpg", "size=2000"], ["size=2000", "1024"]),
        (["content=photo.jpg", "explore.content_layers=[relu6_1]"], ["relu6_1", "relu1_2"]),
        (
            ["content=photo.jpg", "explore.channel_layers=[relu3_4]"],
            ["channel_layers", "relu3_4", "loss.network=vgg19"],
        ),
        (["content=photo.jpg", "explore.content_layers=[relu1_1,relu1_1]"], ["content_layers", "once"]),
        (
            ["content=photo.jpg", *(f"explore.{key}_layers=[]" for key in ("content", "style", "channel"))],
            ["all empty"],
        ),
    ],
)
def test_wrong_requests_get_one_sentence_before_any_work(
    arguments: list[str], words: list[str], call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("impasto-explore: ") and printed.err.count("\n") == 1
    for word in words:
        assert word in printed.err
    assert sorted(path.name for path in Path().iterdir()) == ["photo.jpg", "text.jpg"]
