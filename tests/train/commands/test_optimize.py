"""impasto-optimize: its files, and the effect of each key."""

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from impasto.configs.cli import app
from impasto.models.image.color import LUMA
from impasto.models.image.decode import read
from impasto.train.image_optimization.inputs import OptimizationInputs
from tests.helpers.commands import Start
from tests.helpers.in_process import Call
from tests.helpers.optimize import FAST, files, pixels, trace


def test_optimize_writes_picture_trace_and_frames(call_optimize: Call, capsys: pytest.CaptureFixture[str]) -> None:
    before = files()
    assert call_optimize("content=photo.jpg", "style=painting.png", *FAST, "save_every=2", "output=out.png") == 0
    frames = ["out.frames", "out.frames/000002.png", "out.frames/000004.png"]
    assert sorted([*before, *frames, "out.png", "out.trace.json"]) == files()
    assert trace("out.trace.json")["format"] == "impasto-trace-1"
    assert pixels("out.png").shape == (32, 43, 3)
    report = trace("out.trace.json")
    assert report["config"]["iterations"] == 4 and report["config"]["loss"]["normalization"] == "chw"
    [scale] = report["scales"]
    assert len(scale["losses"]) == 4
    assert {*scale["losses"][0]} == {"total", "content", "style", "tv"}
    assert scale["best"] == min(row["total"] for row in scale["losses"])
    assert 0 < report["seconds"] < 60
    assert "out.png after 4 iterations" in capsys.readouterr().out


@pytest.mark.slow
def test_style_strength_is_calibrated_and_written_to_the_trace(
    call_optimize: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["content=photo.jpg", "style=painting.png", *FAST, "size=64", "style.size=64", "scales=2", "tile=256"]
    assert call_optimize(*line, "loss.style_strength=2", "output=out.png") == 0
    report = trace("out.trace.json")
    settings = report["config"]["loss"]
    assert settings["style_strength"] == 2 and settings["style_weight"] != 5
    assert f"strength 2 gives style_weight {settings['style_weight']:.3g}\n" in capsys.readouterr().err
    assert call_optimize(*line, f"loss.style_weight={settings['style_weight']!r}", "output=raw.png") == 0
    assert "style_strength" not in capsys.readouterr().err
    for one, other in zip(report["scales"], trace("raw.trace.json")["scales"], strict=True):
        assert one["losses"] == other["losses"]
    assert call_optimize(*line, "loss.style_strength=4", "output=more.png") == 0
    assert trace("more.trace.json")["config"]["loss"]["style_weight"] == pytest.approx(2 * settings["style_weight"])
    assert call_optimize("content=painting.png", *line[1:], "loss.style_strength=1", "output=same.png") == 2
    assert "the photo is the painting; give loss.style_weight" in capsys.readouterr().err
    assert not Path("same.png").exists()


@pytest.mark.slow
def test_output_default_never_overwrites(call_optimize: Call) -> None:
    for _ in range(2):
        assert call_optimize("content=photo.jpg", "style=painting.png", *FAST) == 0
    assert {"photo-painting.png", "photo-painting-2.png"} < {*files()}
    assert (pixels("photo-painting.png") == pixels("photo-painting-2.png")).all()


def test_output_default_of_a_long_name_is_cut(call_optimize: Call) -> None:
    long = f"{'夜' * 80}.jpg"  # 244 bytes
    Path("photo.jpg").rename(long)
    assert call_optimize(f"content={long}", "style=painting.png", *FAST) == 0
    assert [path.name for path in Path().glob("*-painting.png")] == [f"{'夜' * 40}-painting.png"]


@pytest.mark.slow
def test_init_is_the_first_picture(call_optimize: Call) -> None:
    results = {}
    for init in ("content", "noise", "style", "other.png"):
        line = ["content=photo.jpg", "style=painting.png", *FAST, "iterations=1", f"init={init}", "output=out.png"]
        assert call_optimize(*line) == 0
        results[init] = pixels("out.png")
    # One evaluation takes no step, so the results are the initial images.
    inputs = OptimizationInputs(app.compose("optimize", ["content=photo.jpg", "style=painting.png", "size=32"]))
    assert (results["content"] == inputs.picture(inputs.content(32)).rgb).all()
    for name, file in (("style", "painting.png"), ("other.png", "other.png")):
        resized = np.asarray(Image.open(file).resize((43, 32), Image.Resampling.LANCZOS), int)
        assert np.abs(resized - results[name]).mean() < 5
    assert results["noise"].std() > 60
    assert (
        call_optimize(
            "content=photo.jpg", "style=painting.png", *FAST, "iterations=1", "init=noise", "seed=1", "output=o.png"
        )
        == 0
    )
    assert (pixels("o.png") != results["noise"]).any()


@pytest.mark.slow
def test_scales_run_from_coarse_to_fine(call_optimize: Call) -> None:
    line = ["content=photo.jpg", "style=painting.png", *FAST, "size=64", "style.size=64"]
    for scales, sizes in (("2", [32, 64]), ("[32,48]", [32, 48, 64])):
        assert call_optimize(*line, f"scales={scales}", "output=out.png") == 0
        stages = trace("out.trace.json")["scales"]
        assert [(stage["size"], stage["height"], len(stage["losses"])) for stage in stages] == [
            (s, s, 4) for s in sizes
        ]
    # A finer scale starts from the coarser result, not from the photo.
    assert call_optimize(*line, "output=plain.png") == 0
    fresh = trace("plain.trace.json")["scales"][0]["losses"][0]["total"]
    assert stages[-1]["losses"][0]["total"] != pytest.approx(fresh, rel=1e-3)


@pytest.mark.slow
def test_keep_colors_preserves_the_photos_chroma(call_optimize: Call) -> None:
    line = ["content=photo.jpg", "style=painting.png", *FAST, "iterations=12"]
    for keep in ("true", "false"):
        assert call_optimize(*line, f"keep_colors={keep}", f"output={keep}.png") == 0
    inputs = OptimizationInputs(app.compose("optimize", ["content=photo.jpg", "style=painting.png", "size=32"]))
    content = inputs.content(32)[0].permute(1, 2, 0).numpy()

    def chroma(rgb: NDArray[Any]) -> NDArray[Any]:
        return rgb - (rgb @ np.array(LUMA))[..., None]

    preserved, free = (np.abs(chroma(pixels(f"{keep}.png")) - chroma(content)).mean() for keep in ("true", "false"))
    assert preserved < 0.5 * free


@pytest.mark.slow
def test_styles_blend_and_masks_change_the_style_loss(call_optimize: Call) -> None:
    mask = np.zeros((10, 10), np.uint8)
    mask[:, :5] = 255
    Image.fromarray(mask).save("left.png")
    Image.fromarray(255 - mask).save("right.png")
    line = ["content=photo.jpg", "style=painting.png", *FAST]
    results = []
    for more in (
        [],
        ["styles=[other.png]"],
        ["styles=other.png", "blend=[3,1]"],
        ["styles=[other.png]", "masks=[left.png, right.png]"],
        ["masks=[left.png]"],
    ):
        assert call_optimize(*line, *more, "output=out.png") == 0
        results.append(trace("out.trace.json")["scales"][0]["losses"][0]["style"])
    assert len({*results}) == 5
    assert min(results) > 0


def test_square_result_keeps_the_alpha_channel(call_optimize: Call) -> None:
    photo = Image.open("photo.jpg").convert("RGBA")
    photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    photo.save("clear.png")
    line = ["content=clear.png", "style=painting.png", *FAST, "experiment=keras-notebook", "iterations=3"]
    line += ["output=out.png"]
    line.append("loss.style_layer_weights=[0.2,0.2]")
    assert call_optimize(*line) == 0
    assert pixels("out.png").shape == (32, 32, 3)
    alpha = read(Path("out.png")).alpha
    assert alpha is not None and alpha.min() < 30 and alpha.max() > 225


def test_tolerance_stops_as_converged(call_optimize: Call) -> None:
    line = ["content=photo.jpg", "style=painting.png", *FAST, "iterations=40"]
    assert call_optimize(*line, "optimizer.tolerance=0.9", "optimizer.patience=3", "output=out.png") == 0
    [scale] = trace("out.trace.json")["scales"]
    assert scale["stop_reason"] == "converged"
    assert len(scale["losses"]) < 40


def test_optimize_interrupted_writes_the_picture_so_far(
    call_optimize: Call, tmp_path: Path, start_impasto: Start
) -> None:
    """call_optimize writes the pictures."""
    line = [
        "content=photo.jpg",
        "style=painting.png",
        *FAST,
        "iterations=100000",
        "optimizer.tolerance=0",
        "save_every=1",
    ]
    process = start_impasto("optimize", *line, "output=out.png", cwd=tmp_path)
    while not Path("out.frames/000003.png").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    count = len(trace("out.trace.json")["scales"][0]["losses"])
    assert f"stopped after {count} iterations; the picture so far is in" in message
    assert "Traceback" not in message
    assert trace("out.trace.json")["scales"][0]["stop_reason"] == "stopped"
    assert pixels("out.png").shape == (32, 43, 3)
