"""The clients of a store: that in Kotlin is compiled and run, that in Swift is parsed."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from impasto.configs.cli.app import compose
from impasto.export import client_files
from impasto.export.onnx_graph import styles, weight_compression
from impasto.export.onnx_graph.artifacts import OnnxExporter
from impasto.models import checkpoint, onnx_writer
from impasto.models.contract import Label
from tests.helpers import android, swift
from tests.helpers.heavy import tool
from tests.helpers.stores import card_of, store_of

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 40, 56, 4), np.uint8)
WEIGHTS = {"second": [0, 1, 0], "again": [0, 1, 0], "blend": [0.25, 0, 0.75]}


def test_swift_store_parses_without_syntax_error() -> None:
    assert swift.syntax_errors(Path(str(android.CLIENTS)) / "swift" / Path(client_files.SWIFT_STORE).name) == []


@pytest.mark.heavy
def test_kotlin_store_gives_models_of_styles_and_blends(tmp_path: Path) -> None:
    kotlin, javac, java = tool("kotlin-compiler") / "bin" / "kotlinc", tool("javac"), tool("java")
    stubs = [android.ANDROID / "android" / "content" / name for name in ("Context.java", "res/AssetManager.java")]
    android.run(javac, "--release", "11", "-sourcepath", android.ANDROID, "-d", tmp_path / "stub", *stubs)
    sources = android.CLIENTS / "kotlin" / Path(client_files.KOTLIN_STORE).name, android.ANDROID / "store" / "Store.kt"
    flags = "-Werror", "-Xjdk-release=8", "-include-runtime", "-cp", str(tmp_path / "stub")
    android.run(kotlin, *flags, "-d", tmp_path / "store.jar", *map(str, sources))

    store, assets = store_of(), tmp_path / "store"
    path = tmp_path / "whole.onnx"
    onnx_writer.write(store, path, "uint8_rgba", Label.of(card_of()))
    model = weight_compression.int8_stored(onnx.load(path))
    content, places = styles.layout(model, store.norms(0))
    checkpoint.save_styles(assets, store, card_of())
    (assets / "style.onnx").write_bytes(content)
    norms = " ".join(f"{offset}:{count}" for offset, count in places)
    (assets / "style.txt").write_text(f"impasto-store-1\nnetwork {store.trunk_sha256}\nnorms {norms}\n")
    other = checkpoint.save_styles(tmp_path / "others", store_of(seed=1), card_of())["first"]
    other.rename(tmp_path / "other.style.safetensors")
    lines = android.run(java, "-cp", f"{tmp_path / 'store.jar'}:{tmp_path / 'stub'}", "StoreKt", tmp_path).splitlines()

    whole = onnxruntime.InferenceSession(model.SerializeToString())
    for name, weights in WEIGHTS.items():
        (expected,) = whole.run(None, {"image": IMAGE, "styles": np.array(weights, np.float32)})
        (stylized,) = onnxruntime.InferenceSession(str(tmp_path / f"{name}.onnx")).run(None, {"image": IMAGE})
        assert np.abs(stylized.astype(int) - expected).max() <= 1
    assert lines[0] == "[first, second, third]"
    words = (
        *("no style fourth; there are first, second, third", "sum to 0.5", "other is a style of another network"),
        *("short is a style of another network", "text is not a style file", "nan is not a style file"),
        *("layout is that of another model", "layout is not that of a store"),
    )
    assert len(lines) == 1 + len(words)
    for line, word in zip(lines[1:], words, strict=True):
        assert word in line


@pytest.mark.heavy
def test_kotlin_files_of_a_bundle_of_a_store_compile_alone(compiled: Path, tmp_path: Path) -> None:
    config = compose("export", ["checkpoint=x", "output=y"])
    OnnxExporter(config, Label.of(card_of())).export(store_of(), tmp_path)
    sources = sorted((tmp_path / "android").glob("*.kt"))
    assert {path.name for path in sources} > {"StyleTransfer.kt", Path(client_files.KOTLIN_STORE).name}
    libraries = android.ANDROID.glob("libraries/*.kt")
    classes = [compiled / name for name in (f"android-{android.NEWEST}", "classes.jar", "coroutines.jar")]
    android.compile_kotlin([*sources, *libraries], classes, tmp_path / "classes", java=8)
    assert (tmp_path / "classes" / "impasto" / "StyleTransferStore.class").exists()
