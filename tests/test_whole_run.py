"""Run the console scripts one after another: train, resume, export, stylize, evaluate."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.export.onnx_graph.runtime import OnnxRuntime
from impasto.models import checkpoint
from tests.helpers.bundles import SETTINGS
from tests.helpers.commands import Run


def test_commands_from_photos_to_evaluation_agree(
    tiny_run: Path, photo_folder: Path, tmp_path: Path, impasto: Callable[..., Run]
) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run")
    resumed = impasto("train", f"resume={run}", "trainer.steps=8")
    assert resumed.returncode == 0, resumed.stderr
    newest = max(run.glob("*.safetensors"))
    assert str(newest) in resumed.stdout

    bundle = tmp_path / "bundle"
    exported = impasto("export", f"checkpoint={newest}", f"output={bundle}", *SETTINGS, "benchmark.sizes=[]")
    assert exported.returncode == 0, exported.stderr
    manifest = json.loads((bundle / "manifest.json").read_text())
    runtime = OnnxRuntime().name
    rows = [row for row in manifest["parity"] if row["file"] == "android/model.onnx" and row["runtime"] == runtime]
    assert len(rows) == 5
    assert max(row["max_difference"] for row in rows) <= 1
    assert manifest["style"]["name"] == "swirls"

    photos = shutil.copytree(photo_folder, tmp_path / "photos")
    Image.new("RGBA", (33, 70), (200, 30, 90, 128)).save(photos / "glass.png")
    (photos / "text.jpg").write_text("not a photo")
    stylized = impasto("stylize", f"model={bundle}", f"input={photos}", f"output={tmp_path / 'stylized'}")
    assert stylized.returncode == 0, stylized.stderr
    assert "text.jpg" in stylized.stderr
    assert len(list((tmp_path / "stylized").iterdir())) == 9
    with Image.open(tmp_path / "stylized/glass.png") as glass:
        assert glass.size == (33, 70)
        assert glass.mode == "RGBA"
        assert (np.asarray(glass)[..., 3] == 128).all()

    # The exported model stylizes a photo as the trained network does.
    network, _ = checkpoint.load(newest)
    alone = impasto("stylize", f"model={bundle}", f"input={photos / 'photo_0.jpg'}", f"output={tmp_path / 'one.png'}")
    assert alone.returncode == 0, alone.stderr
    assert np.abs(_pixels(tmp_path / "one.png") - _expected(network, photos / "photo_0.jpg")).max() <= 2

    # The bundle and the checkpoint get the same evaluation, and fail the same threshold.
    line = [f"photos={photo_folder}", "weights=random", f"cache={tmp_path / 'cache'}", "evaluate.sizes=[32]"]
    line += ["evaluate.starts=[noise]", "evaluate.count=2", "evaluate.iterations=14", "evaluate.display=256"]
    medians, caches = [], []
    for model in (newest, bundle):
        done = impasto(
            "evaluate",
            f"checkpoint={model}",
            *line,
            f"output={tmp_path / 'e'}",
            "evaluate.max_ratio=0.001",
        )
        assert done.returncode == 1, done.stderr
        assert "more than evaluate.max_ratio=0.001" in done.stderr
        medians += json.loads((tmp_path / "e/evaluation.json").read_text())["medians"]
        caches.append(sorted((tmp_path / "cache").iterdir()))
    assert medians[0]["total"] == pytest.approx(medians[1]["total"], rel=0.01)  # the output of the bundle is rounded
    assert abs(medians[0]["equivalent_iterations"] - medians[1]["equivalent_iterations"]) <= 1
    assert caches[0] == caches[1]  # the loss is the same, so the optimizer does not run again


def _pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.int64)


def _expected(network: object, path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    import torch

    from impasto.models import transform_net

    assert isinstance(network, transform_net.TransformNet)
    pixels = torch.from_numpy(_pixels(path)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        stylized = transform_net.stylize(network, pixels)
    return stylized[0].permute(1, 2, 0).round().clamp(0, 255).numpy().astype(np.int64)
