"""The files of a page, and what app.json says of the styles."""

import json
import re
from pathlib import Path

import pytest

from impasto.export.webapp import runtime, site
from impasto.models.provenance import sha256
from tests.helpers.webapp import write_tools

RUNTIME = {"onnxruntime": {"ort.mjs": b"runtime"}}


@pytest.fixture
def style(tmp_path: Path) -> site.Style:
    (tmp_path / "model.onnx").write_bytes(b"network")
    return site.Style("waves", "Wäves", "Ünal", "CC0-1.0", 768, tmp_path / "model.onnx")


def test_contents_has_each_style_with_its_files(style: site.Style, tmp_path: Path) -> None:
    (tmp_path / "b.jpg").write_bytes(b"painting")
    (tmp_path / "gpu").write_bytes(b"gpu")
    tiles, gpu = site.Tiles(b"stats", b"tile", 512, 48, 4), tmp_path / "gpu"
    painted = site.Style("b", "B", "C", "D", None, style.model, None, tmp_path / "b.jpg", gpu, tiles, grain=2.0)
    files = site.contents([style, painted], RUNTIME)
    app = json.loads(site.read(files[site.STYLES]))
    assert app["format"] == "impasto-app/1" and app["runtimes"] == {"onnxruntime": True, "litert": False}
    assert [entry["title"] for entry in app["styles"]] == ["Wäves", "B"]
    first, second = app["styles"]
    model = {"url": "styles/waves/model.onnx", "bytes": 7, "sha256": sha256(style.model)}
    assert first["files"] == {"onnx": model, "tflite": None}
    assert second["files"]["tflite"] == {"url": "styles/b/model.tflite", "bytes": 3, "sha256": sha256(tmp_path / "gpu")}
    assert {key: second["files"]["tile"][key] for key in ("url", "bytes", "side", "margin", "multiple")} == {
        **{"url": "styles/b/tile.onnx", "bytes": 4},
        **{"side": 512, "margin": 48, "multiple": 4},
    }
    assert second["files"]["stats"]["url"] == "styles/b/stats.onnx" and files["styles/b/stats.onnx"] == b"stats"
    assert (first["thumbnail"], first["stroke_resolution"]) == (None, 768)
    assert (second["thumbnail"], second["stroke_resolution"]) == ("styles/b/painting.jpg", None)
    assert (first["grain"], second["grain"]) == (0, 2)
    assert files[second["thumbnail"]] == tmp_path / "b.jpg" and files["runtime/ort.mjs"] == b"runtime"
    assert all(site.read(files[entry["files"]["onnx"]["url"]]) == b"network" for entry in app["styles"])


def test_contents_of_a_model_elsewhere_has_its_address_alone(style: site.Style) -> None:
    files = site.contents([_moved(style)], {})
    (entry,) = json.loads(site.read(files[site.STYLES]))["styles"]
    assert entry["files"]["onnx"]["url"] == "../android/model.onnx"
    assert not [name for name in files if name.endswith(".onnx")]


def test_version_changes_with_any_file(style: site.Style) -> None:
    def version() -> str:
        text = site.read(site.contents([style], RUNTIME)[site.LIST]).decode()
        return str(json.loads(text.partition("self.APP = ")[2])["version"])

    first = version()
    assert version() == first and re.fullmatch("[0-9a-f]{16}", first)
    style.model.write_bytes(b"another")
    assert version() != first


def test_list_for_the_service_worker_has_the_page_without_styles_and_runtimes(style: site.Style) -> None:
    files = site.contents([style], RUNTIME)
    listed = json.loads(site.read(files[site.LIST]).decode().partition("self.APP = ")[2])["files"]
    assert {*listed} == {"./", site.STYLES, *site.page_files()}
    assert {*files} - {*listed} == {site.LIST, "runtime/ort.mjs", "styles/waves/model.onnx"}


def test_page_has_each_file_that_it_names() -> None:
    """Relative addresses alone, so that it works in any folder of a web host."""
    pages = site.page_files()
    assert not {"run.mjs", "engine/runtime.json"} & {*pages}
    for name, source in pages.items():
        if not name.endswith((".html", ".mjs", ".webmanifest", ".js")):
            continue
        text = site.read(source).decode()
        named = re.findall(r"""(?:href|src)="([^"#]+)"|(?:from|import\() ?'(\.[^']+)'|"src": "([^"]+)\"""", text)
        for path in ("".join(groups) for groups in named):
            target = (Path("/", name).parent / path).resolve().relative_to("/").as_posix()
            assert not path.startswith("/") and "//" not in path and target in pages, (name, path)


def test_index_has_an_element_for_each_name_that_a_module_asks_for() -> None:
    pages = site.page_files()
    page = site.read(pages[site.INDEX]).decode()
    ids = {*re.findall(r'\bid="([^"]+)"', page)}
    assert len(re.findall(r'\bid="', page)) == len(ids)
    for name, source in pages.items():
        if name.endswith(".mjs") and "/" not in name:
            asked = re.findall(r"\bat\('([a-z-]+)'\)|\b(?:canvas|input)\('([a-z-]+)'\)", site.read(source).decode())
            assert {"".join(groups) for groups in asked} <= ids, name


def test_strings_of_each_language_have_each_key_that_the_page_asks_for() -> None:
    pages = site.page_files()
    text = site.read(pages["strings.mjs"]).decode()
    english, persian = ({*re.findall(r"^  '?([\w.]+)'?: '", part, re.MULTILINE)} for part in text.split("const fa = "))
    assert english == persian and len(english) > 90
    asked = {*re.findall(r'data-i18n(?:-label|-title)?="([^"]+)"', site.read(pages[site.INDEX]).decode())}
    for name, source in pages.items():
        if name.endswith(".mjs"):
            code = site.read(source).decode()
            asked |= {*re.findall(r"(?:\b(?:t|problem|failure)\(|\bcode: )'([a-z0-9.]+)'", code)}
    assert {key for key in asked if "." in key} <= english


def test_contents_with_the_runtimes_of_tools(style: site.Style, tmp_path: Path) -> None:
    runtimes = runtime.runtime_files(write_tools(tmp_path / "tools"), installed=False)
    files = site.contents([style], runtimes)
    names = {f"runtime/{name}" for package in runtime.packages().values() for name in package.names}
    assert names == {name for name in files if name.startswith("runtime/")}


def _moved(style: site.Style) -> site.Style:
    return site.Style(style.name, style.title, style.artist, style.license, None, style.model, "../android/model.onnx")
