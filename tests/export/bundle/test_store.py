"""Bundles of a store, and of one of its styles."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from impasto.configs.cli import app
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.export import ExportConfig
from impasto.export.bundle import store, verification, writer
from impasto.export.bundle.manifest import Manifest
from impasto.export.client_files import GRADLE_MODULE, KOTLIN, KOTLIN_REQUIRED, KOTLIN_STORE
from impasto.export.commands import app_styles
from impasto.export.inference.stylizer import Stylizer
from impasto.export.validation.checks import Checks
from impasto.models import checkpoint, onnx_model, onnx_writer, style_file
from impasto.models.contract import Label
from impasto.models.image.picture import Picture
from tests.helpers.stores import NAMES, SIDES, card_of, store_of

FAST = "coreml.sizes=[]", "benchmark.sizes=[]"
LITERT = "litert.sizes=[96x64]", "parity.runtimes=[onnxruntime,litert]"
ONNX = "litert.sizes=[]", "parity.runtimes=[onnxruntime]"
PHOTO = Picture(np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8))


def config(path: Path, output: Path, *lines: str) -> ExportConfig:
    settings: ExportConfig = app.compose("export", [f"checkpoint={path}", f"output={output}", *FAST, *lines])
    return settings


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "store.safetensors"
    checkpoint.save(path, store_of(), card_of())
    return path


@pytest.fixture(scope="module")
def bundle(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "store"
    writer.write(config(path, folder, *LITERT), lambda _: None)
    return folder


def stylize(model: Path, style: str | None = None) -> np.ndarray:
    settings = app.compose("stylize", [f"model={model}", "input=-", "output=-", *([f"style={style}"] if style else [])])
    return Stylizer(settings, threads=1)(PHOTO).rgb.astype(int)


@pytest.mark.slow
def test_bundle_of_store_lists_styles_and_compares_each(bundle: Path) -> None:
    manifest = Manifest.load(bundle)
    assert manifest.store is not None
    assert [style.name for style in manifest.store.styles] == [*NAMES]
    assert [*manifest.store.golden.values()][-1] == {"first": 0.7, "second": 0.3}
    pictures = {(result.file, result.picture.partition(" ")[2]) for result in manifest.parity}
    kinds = {"model.onnx", "model.fp16.onnx", "model.int8.onnx", "model.ort", "model.tflite"}
    assert pictures == {(f"android/{kind}", style) for kind in kinds for style in (*NAMES, "blend")} | {
        ("android/style.onnx", "first")
    }
    contract = next(model.contract for model in manifest.models if model.file == "android/model.onnx")
    assert [(spec.name, spec.shape) for spec in contract.inputs][1] == ("styles", (3,))
    licenses = [entry.title for entry in manifest.licenses if entry.part == "painting"]
    assert licenses == [*NAMES]
    text = (bundle / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in NAMES) and "{{" not in text
    clients = (KOTLIN, *KOTLIN_REQUIRED, KOTLIN_STORE, *GRADLE_MODULE)
    assert all((bundle / name).is_file() and f"`{Path(name).name}`" in text for name in clients)
    named = re.findall(r"`((?:android|styles|golden)/[\w./-]+)`", text)
    assert "android/consumer-rules.pro" in named
    assert [name for name in named if not (bundle / name).exists() and "NAME" not in name] == []


@pytest.mark.parametrize("line", ["sample=true", "onnx.npu_size=512", "onnx.tile=256", "onnx.io=float32_rgb"])
def test_what_a_store_cannot_be_exported_with_is_refused_before_any_work(path: Path, tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=rf"^{line} is for one painting; export a style of the store with style=NAME$"):
        writer.write(config(path, tmp_path / "bundle", line), lambda _: pytest.fail("work began"))
    assert not (tmp_path / "bundle").exists()


def test_a_style_file_is_named_where_a_model_of_one_painting_refuses_it(tmp_path: Path) -> None:
    file = checkpoint.save_styles(tmp_path, store_of(), card_of())["first"]
    with pytest.raises(UsageError, match=rf"style={file} cannot be chosen: .* has one painting only; omit style"):
        stylize(Path("zoo/starry_night"), str(file))


@pytest.mark.slow
def test_verify_runs_each_style_of_a_store_and_finds_exchanged_ones(bundle: Path, tmp_path: Path) -> None:
    settings = app.compose("verify", [f"bundle={bundle}", "runtimes=[onnxruntime]"])
    report, error = verification.verify(bundle, settings, lambda _: None)
    assert report.passed and error is None
    assert {result.picture.partition(" ")[2] for result in report.parity} == {*NAMES, "blend"}
    manifest = Manifest.load(bundle)
    assert manifest.store is not None
    first = next(iter(manifest.store.golden))
    manifest.store.golden[first] = {"second": 1.0}
    checks = Checks()
    verification.validate_models(bundle, manifest, settings, lambda _: None, checks)
    assert checks.failures


@pytest.mark.slow
def test_one_style_of_a_store_is_exported_as_any_network(path: Path, tmp_path: Path) -> None:
    network, card = checkpoint.load(path, "second")
    single = tmp_path / "second.safetensors"
    checkpoint.save(single, network, card)
    for name, source, lines in (("a", path, ["style=second"]), ("b", single, [])):
        writer.write(config(source, tmp_path / name, *ONNX, *lines), lambda _: None)
    files = [
        {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (tmp_path / "a", tmp_path / "b")
    ]
    assert files[0].keys() == files[1].keys()
    differing = {name for name in files[0] if files[0][name] != files[1][name]}
    assert differing <= {"manifest.json", "SHA256SUMS"}  # the SHA-256 of the checkpoint
    manifest = Manifest.load(tmp_path / "a")
    assert manifest.store is None and "store" not in manifest.to_json() and manifest.style.name == "second"


@pytest.mark.slow
def test_styles_of_a_bundle_are_chosen_by_name_blend_and_file(bundle: Path) -> None:
    model = bundle / "android" / "model.onnx"
    first, second = stylize(model, "first"), stylize(model, "second")
    assert np.abs(first - second).max() > 10
    assert np.abs(stylize(bundle / "android" / "style.onnx") - first).mean() < 2  # 8 bits
    blend = stylize(model, "{first: 0.5, second: 0.5}")
    assert np.abs(blend - first).max() > 5 and np.abs(blend - second).max() > 5
    file = bundle / "styles" / f"second{style_file.SUFFIX}"
    assert np.abs(stylize(model, str(file)) - second).max() <= 1
    assert np.abs(stylize(model, f"{{first: 0.5, {file}: 0.5}}") - blend).max() <= 1
    for style, words in (
        (None, "is a store of styles; choose one with style=: first, second, third"),
        ("x", "is not in"),
    ):
        with pytest.raises(UsageError, match=words):
            stylize(model, style)
    session = onnx_model.load(model)
    weights = onnx_model.style_weights(session, model, {"first": 0.5, "second": 0.5})
    assert weights is not None and weights.tolist() == [0.5, 0.5, 0]
    assert onnx_model.blended_resolution(weights.tolist(), [100, 200, None]) == 150
    assert onnx_model.blended_resolution([0.5, 0, 0.5], [100, 200, None]) is None


def test_load_adds_style_files_and_refuses_what_does_not_fit(path: Path, tmp_path: Path) -> None:
    files = checkpoint.save_styles(tmp_path, store_of(), card_of())
    with pytest.raises(UsageError, match="of the name first, which"):
        store.load(path, None, [str(files["first"])])
    network, card = checkpoint.load(path, "first")
    single = tmp_path / "single.safetensors"
    checkpoint.save(single, network, card)
    with pytest.raises(UsageError, match=r"style_files=.* cannot be added: .* is a network of one painting"):
        store.load(single, None, [str(files["first"])])
    with pytest.raises(UsageError, match="style=x is not in"):
        store.load(path, "x", [])


@pytest.mark.slow
def test_page_of_a_store_and_impasto_app_show_each_style(bundle: Path) -> None:
    (style,) = app_styles.find([str(bundle)])
    (entry,) = json.loads((bundle / "preview" / "app.json").read_text())["styles"]
    assert (bundle / "preview" / entry["files"]["onnx"]["url"]).resolve() == bundle / "android" / "model.onnx"
    assert style.model == bundle / "android" / "model.onnx"
    names = "name", "title", "artist", "license", "stroke_resolution"
    shown = [tuple(one[name] for name in names) for one in entry["store"]]
    assert [one[0] for one in shown] == [*NAMES] and [one[-1] for one in shown] == [*SIDES]
    assert [tuple(getattr(one, name) for name in names) for one in style.store] == shown


def test_manifest_that_contradicts_its_store_raises(bundle: Path) -> None:
    manifest = Manifest.load(bundle)
    assert manifest.store is not None
    manifest.store.golden["golden/0"] = {"nobody": 1.0}
    manifest.save(bundle)
    with pytest.raises(CheckFailed, match="has weights of styles that it lacks"):
        Manifest.load(bundle)


def test_stylize_in_tiles_equals_the_whole_picture(path: Path, tmp_path: Path) -> None:
    model = tmp_path / "store.onnx"
    onnx_writer.write(store_of(), model, "uint8_rgba", Label.of(card_of()))
    assert onnx.load(model).graph.input[1].name == "styles"
    large = Picture(np.asarray(Image.fromarray(PHOTO.rgb).resize((230, 170))))
    results = []
    for threshold in (1, 0.01):
        lines = [f"model={model}", "input=-", "output=-", "style={second: 0.6, third: 0.4}", "tiles.side=64"]
        settings = app.compose("stylize", [*lines, f"tiles.threshold_mp={threshold}"])
        results.append(Stylizer(settings, threads=1)(large).rgb.astype(int))
    assert np.abs(results[0] - results[1]).max() <= 2
