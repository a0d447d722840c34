"""impasto-explore: what it writes, what Ctrl-C leaves, what it refuses."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.models.image.decode import read
from impasto.train.commands import explore
from impasto.train.runtime import contact_sheet
from impasto.train.runtime.progress import Display
from tests.helpers.commands import Run
from tests.helpers.in_process import Call, assert_one_sentence, call_main

FAST = ("size=48", "style.size=40", "loss.weights=random", "device=cpu")
LAYERS = ("explore.content_layers=[relu1_1,pool2]", "explore.channel_layers=[relu1_1,relu3_1]")


@pytest.fixture
def photo(photo_folder: Path) -> Path:
    return photo_folder / "photo_0.jpg"  # 80x60


def test_explore_writes_sheets_and_figures_reproducibly(
    photo: Path, tmp_path: Path, impasto: Callable[..., Run]
) -> None:
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

    report = json.loads((tmp_path / "out/exploration.json").read_text())
    assert report["format"] == "impasto-exploration-1"
    assert [one["layers"] for one in report["content"]] == [["relu1_1"], ["pool2"]]
    style_layers = ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]  # of the loss
    assert [one["layers"] for one in report["style"]] == [style_layers[:count] for count in (1, 2, 3, 4)]
    for one in report["content"] + report["style"]:
        assert 0 < one["loss"]["last"] < one["loss"]["first"]
        assert (one["iterations"], one["stop_reason"]) == (5, "iterations")
    for picture, (height, width) in (("photo", (48, 64)), ("painting", (40, 40))):
        assert {layer: len(units) for layer, units in report["channels"][picture].items()} == {
            "relu1_1": 3,
            "relu3_1": 3,
        }
        for unit in report["channels"][picture]["relu1_1"]:
            top, bottom, left, right = unit["box"]
            assert (bottom - top, right - left) == (3, 3)
            assert top >= 0 and left >= 0 and bottom <= height and right <= width
            assert (unit["row"], unit["column"]) == (top + 1, left + 1)
    shown = read(tmp_path / "out/content.png").rgb
    first = contact_sheet.GAP + contact_sheet.CAPTION
    expected = np.asarray(Image.open(photo).resize((64, 48), Image.Resampling.LANCZOS), int)
    assert np.abs(shown[first : first + 48, contact_sheet.GAP : contact_sheet.GAP + 64] - expected).max() <= 3

    # The same settings give the same files, and a term without layers has no sheet.
    again = impasto("explore", *line, "explore.content_layers=[]", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    left = sorted((tmp_path / "outputs/exploration").iterdir())
    assert [path.name for path in left] == ["channels.png", "exploration.json", "style.png"]
    for path in left[::2]:
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


@pytest.fixture
def call(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command in this process, in a folder with photo.jpg and text.jpg."""
    monkeypatch.chdir(tmp_path)
    Path("text.jpg").write_text("not a picture")
    Path("photo.jpg").write_bytes(photo.read_bytes())

    def call(*arguments: str) -> int:
        return call_main(monkeypatch, "impasto-explore", explore.main, "loss.weights=random", *arguments)

    return call


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["iteration 3,", "channels of relu1_1"])
def test_explore_interrupted_writes_the_results_so_far(
    moment: str, call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    def note(self: Display, fraction: float, text: str) -> None:
        if moment in text:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Display, "note", note)
    rebuild = "iteration" in moment
    lines = ["iterations=1000000", "optimizer.tolerance=0"] if rebuild else ["explore.content_layers=[]"]
    layers = [] if rebuild else ["explore.style_layers=[]"]
    assert call("content=photo.jpg", *FAST, *LAYERS, *layers, *lines, "output=out") == 130
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == f"impasto-explore: stopped before the end; the results so far are in {Path.cwd()}/out"
    report = json.loads(Path("out/exploration.json").read_text())
    if rebuild:
        [only] = report["content"]
        assert (only["layers"], only["iterations"], only["stop_reason"]) == (["relu1_1"], 3, "stopped")
        assert report["style"] == [] and report["channels"] == {}
        assert sorted(path.name for path in Path("out").iterdir()) == ["content.png", "exploration.json"]
    else:
        assert 300 < read(Path("out/channels.png")).rgb.shape[0] < 500  # one layer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["style=swirls"], ["content is missing", "content=FILE"]),
        (["content=nowhere.jpg"], ["nowhere.jpg", "no such file"]),
        (["content=text.jpg"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "style=text.jpg"], ["text.jpg", "is not a picture"]),
        (["content=photo.jpg", "output=text.jpg"], ["output=", "text.jpg", "name a folder"]),
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
def test_explore_wrong_request_is_one_sentence_before_any_work(
    arguments: list[str], words: list[str], call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == 2
    assert_one_sentence(capsys, "impasto-explore", words)
    assert sorted(path.name for path in Path().iterdir()) == ["photo.jpg", "text.jpg"]
