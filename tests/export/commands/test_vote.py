"""impasto-vote: the folder that it writes, the page in a browser, and the tables of counted votes."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from impasto.configs.cli.app import compose
from impasto.export.commands import vote
from impasto.export.inference.stylizer import Stylizer
from impasto.export.voting import study
from impasto.models.image.decode import read
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture, resize
from tests.helpers import onnx_models
from tests.helpers.ballots import vote as one_vote
from tests.helpers.ballots import write_ballot
from tests.helpers.heavy import tool
from tests.helpers.in_process import assert_one_sentence, call_main
from tests.helpers.stylize import noise, run_stylize, save

PAGE_FILES = ["index.html", "pictures", "study.js", "style.css", "vote.js", "votes.schema.json"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two photos, one of them in a folder and with EXIF."""
    exif = Image.Exif()
    exif[0x010F] = "Secret camera"
    save(tmp_path / "photos" / "cat.jpg", resize(noise(6, 9), (96, 144)), exif=exif)
    save(tmp_path / "photos" / "trip" / "dog.png", resize(noise(9, 7), (180, 140)))
    return tmp_path / "photos"


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    """Two networks that paint the same, one with a stroke resolution."""
    first = onnx_models.model(tmp_path / "old.onnx", note="old")
    return [first, onnx_models.model(tmp_path / "new.onnx", stroke_resolution="40")]


def write_page(models: list[Path], photos: Path, output: Path, *settings: str) -> dict[str, Any]:
    """Call impasto-vote and return what its page shows."""
    names = ",".join(map(str, models))
    vote.task(compose("vote", [f"models=[{names}]", f"photos={photos}", f"output={output}", *settings]))
    script = (output / study.DATA).read_text()
    data: dict[str, Any] = json.loads(script.removeprefix("const STUDY = "))
    return data


def test_vote_writes_what_stylize_writes_at_display_size(
    models: list[Path], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = write_page(models, photos, tmp_path / "page", "size=96", "quality=90")
    assert capsys.readouterr().out == f"2 pairs of pictures written; the page is {tmp_path / 'page' / 'index.html'}\n"
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == PAGE_FILES
    assert [photo["name"] for photo in shown["photos"]] == ["cat.jpg", "trip/dog.png"]
    assert [*shown["models"]] == ["old.onnx", "new.onnx"] and shown["painting"] is None
    for photo in shown["photos"]:
        for model in models:
            run_stylize(model, photos / photo["name"], tmp_path / "expected.png", "overwrite=true")
            write(Picture(resize(read(tmp_path / "expected.png").rgb, 96)), tmp_path / "expected.jpg", 90)
            written = tmp_path / "page" / photo["stylized"][model.name]
            assert written.read_bytes() == (tmp_path / "expected.jpg").read_bytes()


def test_page_contains_no_name_no_exif_and_no_path(models: list[Path], photos: Path, tmp_path: Path) -> None:
    painting = save(tmp_path / "udnie.png", noise(50, 40))
    shown = write_page(models, photos, tmp_path / "page", f"painting={painting}")
    pictures = sorted((tmp_path / "page" / "pictures").iterdir())
    assert len(pictures) == 2 * 2 + 2 + 1
    assert all(re.fullmatch(r"[0-9a-f]{20}\.jpg", path.name) for path in pictures)
    assert not any(Image.open(path).getexif() for path in pictures)
    listed = [name for photo in shown["photos"] for name in (photo["thumbnail"], *photo["stylized"].values())]
    assert sorted([*listed, shown["painting"]]) == [f"pictures/{path.name}" for path in pictures]
    for path in (tmp_path / "page").glob("*.*"):
        assert str(tmp_path) not in path.read_text(), path
        assert path.name == study.DATA or "old.onnx" not in path.read_text(), path


def test_vote_leaves_out_a_damaged_photo_and_lists_it(
    models: list[Path], photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (photos / "bad.jpg").write_text("no picture")
    shown = write_page(models, photos, tmp_path / "page")
    assert len(shown["photos"]) == 2
    assert "1 photo left out:" in caplog.text and f"{photos / 'bad.jpg'} is not a picture" in caplog.text


def test_vote_after_an_interruption_reuses_what_is_finished(
    models: list[Path], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = write_page(models, photos, tmp_path / "page")
    (tmp_path / "page" / study.INDEX).unlink()
    lost = tmp_path / "page" / expected["photos"][1]["stylized"]["new.onnx"]
    lost.unlink()
    stylized: list[tuple[int, ...]] = []
    call = Stylizer.__call__

    def record(stylizer: Stylizer, photo: Picture) -> Picture:
        stylized.append(photo.rgb.shape)
        return call(stylizer, photo)

    monkeypatch.setattr(Stylizer, "__call__", record)
    assert write_page(models, photos, tmp_path / "page") == expected
    assert stylized == [(180, 140, 3)] and lost.is_file()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([], "give models=[FILE,FILE] photos=DIR output=DIR to write a page, or votes=[FILE] to count votes"),
        (["models=[old.onnx,new.onnx]"], "photos and output are missing; add photos=DIR output=DIR"),
        (["models=[old.onnx]", "photos=photos", "output=page"], "is one model; name at least two to vote between"),
        (["models=[old.onnx,old.onnx]", "photos=photos", "output=page"], "twice; name models that differ"),
        (["models=[old.onnx,copy.onnx]", "photos=photos", "output=page"], "are the same network"),
        (["models=[old.onnx,absent.onnx]", "photos=photos", "output=page"], "absent.onnx: there is no such model"),
        (["models=[old.onnx,new.onnx]", "photos=absent", "output=page"], "absent is not a folder; name a folder"),
        (["models=[old.onnx,new.onnx]", "photos=empty", "output=page"], "empty contains no pictures"),
        (["models=[old.onnx,new.onnx]", "photos=photos", "output=old.onnx"], "old.onnx is a file; name a new folder"),
        (["models=[old.onnx,new.onnx]", "photos=photos", "output=photos"], "contains cat.jpg; name a new folder"),
        (["models=[old.onnx,new.onnx]", "photos=photos", "output=done"], "already contains a page; name a new folder"),
        (["models=[old.onnx,new.onnx]", "photos=photos", "output=page", "painting=no.jpg"], "no.jpg cannot be opened"),
        (["models=[old.onnx,new.onnx]", "votes=[ann.json]"], "votes and models exclude each other"),
        (["votes=[absent.json]"], "absent.json cannot be read"),
        (["votes=[none.json]"], "contain no votes"),
    ],
)
def test_vote_with_an_invalid_request_is_one_sentence_and_writes_nothing(
    line: list[str],
    words: str,
    *,
    models: list[Path],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert models and photos
    monkeypatch.chdir(tmp_path)
    shutil.copy("old.onnx", "copy.onnx")
    for name in ("empty", "done"):
        Path(name).mkdir()
    Path("done/index.html").touch()
    write_ballot(Path("none.json"), [])
    assert call_main(monkeypatch, "impasto-vote", vote.main, *line) == 2
    assert_one_sentence(capsys, "impasto-vote", [words])
    assert not Path("page").exists()


def test_votes_for_a_network_whose_name_looks_like_markup_show_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    votes = [{"photo": "cat.jpg", "left": "a[old].onnx", "right": "a.onnx", "choice": None, "seconds": 1.5}]
    models = {"a.onnx": "a" * 64, "a[old].onnx": "b" * 64}
    vote.task(compose("vote", [f"votes=[{write_ballot(tmp_path / 'ann.json', votes, models=models)}]"]))
    assert " a[old].onnx " in capsys.readouterr().out


def test_votes_are_counted_by_pair_and_ranked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ann = [one_vote("a", "b", "b"), one_vote("b", "a", "b"), one_vote("a", "b", "a"), one_vote("b", "a", None)]
    write_ballot(tmp_path / "ann.json", ann)
    write_ballot(tmp_path / "bob.json", [one_vote("c", "a", "c")], id="bob")
    vote.task(compose("vote", [f"votes=[{tmp_path}/*.json]"]))
    lines = [re.sub(r"[^\w./%-]+", " ", line).strip() for line in capsys.readouterr().out.splitlines()]
    assert "5 votes of 2 voters" in lines
    assert "zoo/a zoo/b 1 2 1 33% 6% to 79%" in lines
    assert "zoo/a zoo/c 0 1 0 0% 0% to 79%" in lines
    assert [line[:7] for line in lines if re.match(r"\d zoo", line)] == ["1 zoo/c", "2 zoo/b", "3 zoo/a"]


@pytest.mark.heavy
def test_page_in_a_browser_saves_the_votes_of_each_voter(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for width, name in enumerate(("cat", "dog", "sea"), 14):
        save(photos / f"{name}.jpg", resize(noise(9, width), (900, 1600)))
    models = [onnx_models.model(tmp_path / f"{name}.onnx", note=name) for name in ("north", "south", "east")]
    painting = save(tmp_path / "udnie.png", noise(50, 40))
    page, folder = tmp_path / "a page", tmp_path / "results"
    shown = write_page(models, photos, page, f"painting={painting}")
    folder.mkdir()
    programs = [tool(name) for name in ("node", "playwright-core", "chromium-headless-shell")]
    url = (page / study.INDEX).as_uri()
    command = [programs[0], Path(__file__).with_name("drive_vote.mjs"), *programs[1:], url, folder]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "report.json").read_text())
    assert report["console"] == []
    assert all(request.startswith((page.as_uri(), "data:", "blob:")) for request in report["requests"])
    assert not any(model.stem in html for model in models for html in report["html"])

    assert report["sizes"][0] == report["sizes"][1] == report["unzoomed"][0] and report["painting"] == 40
    assert all(width == natural for width, natural in report["zoomed"])
    assert report["scrolled"] == [[31, 17]] * 2
    ann, other = report["voters"]
    assert [pair["progress"] for pair in ann] == [f"{turn} of 9" for turn in range(1, 10)]
    assert report["reloaded"] == ann[2] and report["back"] == ann[1]
    assert (report["end"], report["againBeforeSaving"]) == ("9 of 9 done", False)
    assert report["next"] == {"progress": "1 of 9", "voter": ""}
    assert [pair["left"] for pair in ann] != [pair["left"] for pair in other]
    assert report["name"] == report["partial"] == "votes.json"

    schema = json.loads((page / "votes.schema.json").read_text())
    by_picture = {picture: (photo, model) for photo in shown["photos"] for model, picture in photo["stylized"].items()}
    sides = ["right", None, *["left"] * 7]
    for name, pairs, choices in (
        ("partial", ann[:2], sides[:2]),
        ("ann", ann, sides),
        ("other", other[:-1], [None] * 8),
    ):
        votes = json.loads((folder / f"{name}.json").read_text())
        jsonschema.validate(votes, schema)
        assert votes["voter"] == (None if name == "other" else "Ann") and votes["models"] == shown["models"]
        assert len(votes["votes"]) == len(pairs)
        for entry, pair, choice in zip(votes["votes"], pairs, choices, strict=True):
            (photo, left), (same, right) = by_picture[pair["left"]], by_picture[pair["right"]]
            assert photo is same and photo["thumbnail"] == pair["photo"] and entry["photo"] == photo["name"]
            assert (entry["left"], entry["right"]) == (left, right)
            assert entry["choice"] == {"left": left, "right": right, None: None}[choice] and entry["seconds"] >= 0.3
    assert len({(photo["photo"], *sorted((photo["left"], photo["right"]))) for photo in votes["votes"]}) == 8
    vote.task(compose("vote", [f"votes=[{folder}/ann.json,{folder}/other.json]"]))
