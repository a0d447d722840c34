"""impasto-app: the styles that it finds, and the folder that it writes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed, UsageError
from impasto.export.commands import app, app_styles
from impasto.export.webapp import server, site
from impasto.models import zoo
from tests.helpers.bundles import Written
from tests.helpers.webapp import PAINTING, STYLE, write_bundle, write_tools


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    return write_tools(tmp_path / "tools")


def test_styles_by_default_are_those_of_the_zoo() -> None:
    styles = app_styles.find([])
    assert [style.name for style in styles] == zoo.names()
    night = styles[zoo.names().index("starry_night")]
    assert (night.title, night.artist, night.license) == ("The Starry Night", "Vincent van Gogh", "public domain")
    assert night.stroke_resolution == 768 and night.painting == zoo.FOLDER / "starry_night" / zoo.PAINTING
    assert all(style.model.is_file() and style.painting and style.painting.is_file() for style in styles)


def test_styles_are_in_the_order_of_models_with_names_of_their_own(written: Written, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", {"android/model.onnx": b"a"}, replace(STYLE, stroke_resolution=64, grain=2.0))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "step_00000003.safetensors").touch()
    exported = written("tiny", "uint8_rgba").read_bytes()
    (tmp_path / "run" / "last.onnx").write_bytes(exported)
    references = ["zoo/udnie/tiny", str(bundle), "zoo/udnie", str(tmp_path / "run")]
    udnie, waves, other, run = app_styles.find(references)
    assert (udnie.name, other.name) == ("udnie", "udnie-2")
    assert other.title == f"{udnie.title} (udnie)" and udnie.title.startswith("Udnie")
    assert (waves.title, waves.artist, waves.license) == ("The Swirls", PAINTING.author, PAINTING.license)
    assert (waves.stroke_resolution, waves.model, waves.painting) == (64, bundle / "android" / "model.onnx", None)
    assert [style.grain for style in (udnie, waves, run)] == [0, 2, 0]
    assert run.model == tmp_path / "run" / "last.onnx"


def test_styles_with_a_wrong_model_raise_one_sentence(written: Written, tmp_path: Path) -> None:
    changed = write_bundle(tmp_path / "changed", {"android/model.onnx": b"a"})
    (changed / "android" / "model.onnx").write_bytes(b"b")
    (tmp_path / "a.ort").touch()
    for models, error, sentence in (
        (["zoo/udnie", "zoo/udnie"], UsageError, "names zoo/udnie twice"),
        (["zoo/mona_lisa"], UsageError, "is not in the zoo"),
        ([str(tmp_path / "absent")], UsageError, "there is no such model"),
        ([str(tmp_path)], UsageError, "is not a bundle"),
        ([str(tmp_path / "a.ort")], UsageError, r"is an \.ort file, which the page cannot run"),
        ([str(written("tiny", "float32_rgb"))], UsageError, "re-export it with onnx.io=uint8_rgba"),
        ([str(changed)], CheckFailed, r"android/model\.onnx was changed"),
    ):
        with pytest.raises(error, match=sentence):
            app_styles.find(models)


def test_app_writes_a_folder_for_a_web_host(tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["models=[zoo/udnie/tiny]", f"output={tmp_path / 'site'}", f"tools_dir={tools}"]
    app.task(compose("app", line))
    app.task(compose("app", line))  # over itself
    output = tmp_path / "site"
    assert f"{output}: the page of 1 style, 0." in capsys.readouterr().out
    (style,) = json.loads((output / "app.json").read_text())["styles"]
    model = zoo.resolve("zoo/udnie/tiny", ".onnx").read_bytes()
    assert (output / style["files"]["onnx"]["url"]).read_bytes() == model
    assert (output / style["thumbnail"]).is_file()
    assert "frame-ancestors 'none'" in (output / "_headers").read_text()
    assert (output / "runtime" / "ort.wasm.min.mjs").read_text() == "runtime"


def test_app_with_a_foreign_output_fails_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thesis.tex").touch()
    monkeypatch.setattr(app_styles, "find", lambda _: pytest.fail("work"))
    with pytest.raises(UsageError, match="is neither empty nor an earlier page of impasto-app; name another folder"):
        app.task(compose("app", [f"output={tmp_path}"]))


def test_app_serves_what_it_would_write(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = []
    monkeypatch.setattr(server, "serve", lambda *arguments: served.append(arguments))
    app.task(compose("app", ["models=[zoo/store,zoo/the_scream/tiny]", f"tools_dir={tools}", "open=false"]))
    ((files, name, port, in_browser),) = served
    assert (name, port, in_browser) == ("the page of 9 styles", 0, False)  # eight of the store
    assert site.INDEX in files and "styles/the_scream/model.onnx" in files


@pytest.mark.slow
def test_styles_of_several_passes_have_tiles_and_a_file_for_the_gpu() -> None:
    (style,) = app_styles.find(["zoo/the_scream/studio"])
    assert style.tflite is not None and style.tiles is not None
    assert style.tiles.side - 2 * style.tiles.margin >= 512 and style.tiles.multiple == 32
