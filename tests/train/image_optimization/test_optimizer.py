"""The per-image optimizer: its trajectory against an independent one, and degenerate cases."""

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from impasto.configs.cli import app
from impasto.configs.errors import CheckFailed
from impasto.configs.schema.optimize import OptimizeConfig
from impasto.models.losses.perceptual import Losses, PerceptualLoss
from impasto.models.losses.tiled import TiledLoss
from impasto.models.vgg import weights as vgg_weights
from impasto.models.vgg.constants import Weights
from impasto.train.evaluation.optimizer_baseline import BASELINE
from impasto.train.image_optimization.optimizer import Iterate, noise, optimize
from tests.assets import make_trajectory

GOLDEN = json.loads(Path(make_trajectory.__file__).with_name("trajectory.json").read_text())


@cache
def config(*lines: str) -> OptimizeConfig:
    composed = app.compose("optimize", ["content=x", "loss.weights=random", "optimizer.tolerance=0", *lines])
    assert isinstance(composed, OptimizeConfig)
    return composed


@cache
def weights(source: str = "random") -> Weights:
    return vgg_weights.load(source)


def loss_of(painting: Tensor, *lines: str) -> PerceptualLoss:
    chosen = config(*lines).loss
    return PerceptualLoss(chosen, weights(chosen.weights), painting)


def bowl(pixels: Tensor, target: Tensor) -> Losses:
    """A loss with its minimum at `target`."""
    total = (pixels - target).square().mean()
    return Losses(total, total, total * 0, total * 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"), [("lbfgs", torch.float64, 1e-4), ("adam", torch.float32, 2e-3)]
)
def test_optimize_follows_the_golden_trajectory(name: str, dtype: torch.dtype, tolerance: float) -> None:
    photo, painting = make_trajectory.pictures()
    start, random = noise(make_trajectory.SIDE, make_trajectory.SIDE, make_trajectory.SEED).to(dtype), weights()
    try:
        torch.set_default_dtype(dtype)  # of VGG, so that the Gram matrices of the style have it, too
        loss = PerceptualLoss(config().loss, random, painting.to(dtype))
    finally:
        torch.set_default_dtype(torch.float32)
    chosen = config(f"optimizer={name}", "optimizer.first_step=null").optimizer
    done = optimize(loss, loss.content_target(photo.to(dtype)), start, chosen, make_trajectory.ITERATIONS)
    assert done.totals == pytest.approx(GOLDEN[name], rel=tolerance)


@pytest.mark.slow
def test_optimize_baseline_in_float32_falls_like_the_golden_run() -> None:
    photo, painting = make_trajectory.pictures()
    loss = loss_of(painting)
    start = noise(make_trajectory.SIDE, make_trajectory.SIDE, make_trajectory.SEED)
    done = optimize(loss, loss.content_target(photo), start, BASELINE, make_trajectory.ITERATIONS)
    assert done.totals[:2] == pytest.approx(GOLDEN["lbfgs"][:2], rel=1e-5)
    assert done.best < done.totals[0] / 2  # the golden run: a third
    assert 0.5 < done.best / min(GOLDEN["lbfgs"]) < 2


@pytest.mark.slow
@pytest.mark.parametrize("form", ["johnson", "gatys2016", "keras-notebook"])
def test_optimize_from_noise_lowers_the_loss_reproducibly(form: str) -> None:
    photo, painting = make_trajectory.pictures()
    loss = loss_of(painting, f"loss={form}")
    lines = ["experiment=keras-notebook"] if form.startswith("keras") else []
    target, chosen = loss.content_target(photo), config(*lines).optimizer
    first, second = (
        optimize(loss, target, noise(48, 48, 1), chosen, count) for count in (make_trajectory.ITERATIONS, 6)
    )
    assert first.rows[:6] == second.rows
    assert len(first.rows) == make_trajectory.ITERATIONS
    assert first.best == min(first.totals) < first.totals[0] / 2  # the golden run: a third


PHOTOS = {
    "flat": torch.full((1, 3, 32, 32), 127.0),
    "black": torch.zeros(1, 3, 32, 32),
    "narrow": torch.rand(1, 3, 32, 320, generator=torch.Generator().manual_seed(0)) * 255,
}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["johnson", "keras-notebook"])
@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("painting", ["black", "stripes"])
def test_optimize_degenerate_photo_stays_finite(photo: str, painting: str, form: str) -> None:
    loss = loss_of(make_trajectory.pictures()[1] if painting == "stripes" else PHOTOS["black"], f"loss={form}")
    pixels = PHOTOS[photo]
    done = optimize(loss, loss.content_target(pixels), pixels, config().optimizer, 6)
    assert all(math.isfinite(value) for row in done.rows for value in row.values())
    assert done.pixels.isfinite().all()


def test_optimize_overflow_resumes_from_the_best_iterate() -> None:
    """The loss overflows in one evaluation, whose pixels must not become the result."""
    calls = 0

    def loss(pixels: Tensor, target: Tensor) -> Losses:
        nonlocal calls
        calls += 1
        losses = bowl(pixels, target)
        return losses if calls != 4 else losses._replace(total=losses.total * math.inf)

    for name in ("lbfgs", "adam", "keras-notebook"):
        calls = 0
        done = optimize(loss, torch.zeros(1, 3, 8, 8), noise(8, 8, 0), config(f"optimizer={name}").optimizer, 12)
        assert math.isinf(done.totals[3])
        assert [math.isinf(total) for total in done.totals].count(True) == 1
        assert done.totals[4] == pytest.approx(min(done.totals[:3]), rel=1e-6)
        assert done.best < done.totals[0]


@pytest.mark.parametrize("name", ["lbfgs", "adam", "keras-notebook"])
def test_optimize_evaluates_only_pixels_in_range_and_reaches_the_bounds(name: str) -> None:
    """The minimum lies outside 0..255 in half of the pixels; the best picture has them at the bounds."""
    target = (noise(16, 16, 1) - 127.5) * 2 + 127.5
    least, most = math.inf, -math.inf

    def loss(pixels: Tensor, content_target: Tensor) -> Losses:
        nonlocal least, most
        least, most = min(least, pixels.min().item()), max(most, pixels.max().item())
        return bowl(pixels, content_target)

    outside = noise(16, 16, 0) * 3 - 200  # of the range, too
    done = optimize(loss, target, outside, config(f"optimizer={name}", "optimizer.tolerance=0").optimizer, 90)
    assert least == 0 and most == 255
    bounded = bowl(target.clamp(0, 255), target).total.item()
    assert bounded == pytest.approx(done.best, rel=0.02) and done.best >= bounded * (1 - 1e-5)
    assert bowl(done.pixels, target).total.item() == pytest.approx(done.best, rel=1e-5)


def test_optimize_initial_loss_not_finite_is_one_sentence() -> None:
    with pytest.raises(CheckFailed, match="the loss of the initial image is not finite; lower the weights"):
        optimize(bowl, torch.full((1, 3, 8, 8), math.inf), noise(8, 8, 0), config().optimizer, 5)


def test_optimize_first_step_is_in_levels_and_later_steps_are_full() -> None:
    pixels: list[Tensor] = []

    def record(iterate: Iterate) -> bool:
        pixels.append(iterate.pixels.clone())
        return False

    done = optimize(bowl, noise(8, 8, 1), noise(8, 8, 0), config("optimizer.first_step=2").optimizer, 4, record)
    assert (pixels[1] - pixels[0]).abs().mean().item() == pytest.approx(2, rel=1e-4)
    assert done.best < 1e-4 * done.totals[0]  # the second step reaches the minimum of a quadratic


@pytest.mark.slow
def test_optimize_bf16_reaches_the_loss_of_float32() -> None:
    photo, painting = make_trajectory.pictures()
    exact = loss_of(painting, "loss.weights=auto")
    target, totals = exact.content_target(photo), []
    for dtype in (torch.float32, torch.bfloat16):
        loss = loss_of(painting, "loss.weights=auto").to_precision(dtype)
        done = optimize(loss, loss.content_target(photo), photo, config().optimizer, 40)
        totals.append(exact(done.pixels, target).total.item())
    assert totals[1] < 1.25 * totals[0]  # both ways are chaotic: 1.12 to 1.20 after 30 to 60 iterations


def test_optimize_small_improvement_stops_as_converged() -> None:
    def flat(pixels: Tensor, target: Tensor) -> Losses:
        losses = bowl(pixels, target)
        return losses._replace(total=losses.total + 1e6)

    chosen = replace(config().optimizer, tolerance=0.5, patience=4)
    done = optimize(flat, noise(8, 8, 1), noise(8, 8, 0), chosen, 90)
    assert (done.stop_reason, len(done.rows)) == ("converged", 5)
    endless = replace(chosen, tolerance=0.0)
    assert optimize(bowl, noise(8, 8, 1), noise(8, 8, 0), endless, 3).stop_reason == "iterations"


def test_optimize_at_the_minimum_stops_as_converged() -> None:
    done = optimize(bowl, noise(8, 8, 0), noise(8, 8, 0), config().optimizer, 50)
    assert (done.stop_reason, done.totals) == ("converged", [0.0])


def test_optimize_callback_gets_each_iteration_and_can_stop() -> None:
    iterates: list[Iterate] = []

    def callback(iterate: Iterate) -> bool:
        iterates.append(iterate)
        return iterate.iteration == 3

    for name in ("lbfgs", "adam", "keras-notebook"):
        iterates.clear()
        chosen = config(f"optimizer={name}").optimizer
        done = optimize(bowl, noise(8, 8, 1), noise(8, 8, 0), chosen, 50, callback)
        assert done.stop_reason == "stopped"
        assert [iterate.iteration for iterate in iterates] == [1, 2, 3]
        assert [iterate.losses for iterate in iterates] == done.rows


def test_optimize_returns_the_best_iterate_and_leaves_the_initial_pixels_unchanged() -> None:
    start = noise(8, 8, 0)
    diverging = replace(config("optimizer=adam").optimizer, lr=500.0)
    done = optimize(bowl, start * 0.99, start, diverging, 5)
    assert done.best == done.totals[0] < done.totals[-1]
    assert torch.equal(done.pixels, start)
    assert torch.equal(start, noise(8, 8, 0))


def test_noise_is_uniform_and_depends_on_the_seed() -> None:
    values = noise(64, 64, 3)
    assert 0 <= values.min() < 1 and 254 < values.max() <= 255
    assert values.mean().item() == pytest.approx(127.5, abs=3)
    assert not torch.equal(values, noise(64, 64, 4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "masked"), [("johnson", False), ("gatys2016", True), ("keras-notebook", False), ("strokes", True)]
)
def test_tiled_loss_equals_the_whole_picture_in_value_and_gradient(form: str, masked: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    height, width = (76, 371) if form == "strokes" else (36, 371)  # a scale of 8 needs 8 px at relu4_3
    photo, pixels = (torch.rand(1, 3, height, width, generator=generator) * 255 for _ in range(2))
    paintings = [torch.rand(1, 3, 72, 80, generator=generator) * 255 for _ in range(2)]
    masks = torch.rand(2, 1, height, width, generator=generator) if masked else None
    loss = PerceptualLoss(config(f"loss={form}").loss, weights(), paintings, [1, 3], masks)
    tiled = TiledLoss(loss, 160)
    target = loss.content_target(photo)
    torch.testing.assert_close(tiled.content_target(photo), target)
    results = []
    for one in (loss, tiled):
        x = pixels.clone().requires_grad_()
        losses = one(x, target)
        losses.total.backward()
        assert x.grad is not None
        results.append((torch.stack(losses), x.grad))
    torch.testing.assert_close(results[1][0], results[0][0], rtol=1e-3, atol=0)
    assert (results[1][1] - results[0][1]).norm() < 1e-4 * results[0][1].norm()
