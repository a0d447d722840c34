"""The optimizer itself: its trajectory against an independent one, and what it does where others break."""

import importlib.util
import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from impasto.configs import app
from impasto.configs.errors import CheckError
from impasto.configs.schema import OptimizeConfig
from impasto.models import vgg_weights
from impasto.models.losses import Losses, PerceptualLoss
from impasto.models.tiles import TiledLoss
from impasto.train.evaluation import YARDSTICK
from impasto.train.optimizer import Iterate, noise, optimize

ASSETS = Path(__file__).parents[1] / "assets"
GOLDEN = json.loads((ASSETS / "trajectory.json").read_text())


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_trajectory", ASSETS / "make_trajectory.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def config(*lines: str) -> OptimizeConfig:
    composed = app.compose("optimize", ["content=x", "loss.weights=random", "optimizer.tolerance=0", *lines])
    assert isinstance(composed, OptimizeConfig)
    return composed


@cache
def weights(source: str = "random") -> vgg_weights.Weights:
    return vgg_weights.load(source)


def loss_of(painting: Tensor, *lines: str) -> PerceptualLoss:
    chosen = config(*lines).loss
    return PerceptualLoss(chosen, weights(chosen.weights), painting)


def bowl(pixels: Tensor, target: Tensor) -> Losses:
    """A loss with its minimum at `target`."""
    total = (pixels - target).square().mean()
    return Losses(total, total, total * 0, total * 0)


@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"), [("lbfgs", torch.float64, 1e-4), ("adam", torch.float32, 2e-3)]
)
def test_golden_trajectory(maker: ModuleType, name: str, dtype: torch.dtype, tolerance: float) -> None:
    photo, painting = maker.pictures()
    start, drawn = noise(maker.SIDE, maker.SIDE, maker.SEED).to(dtype), weights()
    try:
        torch.set_default_dtype(dtype)  # of VGG, so that the style's Gram matrices are in it, too
        loss = PerceptualLoss(config().loss, drawn, painting.to(dtype))
    finally:
        torch.set_default_dtype(torch.float32)
    chosen = config(f"optimizer={name}", "optimizer.first_step=null").optimizer
    done = optimize(loss, loss.content_target(photo.to(dtype)), start, chosen, maker.ITERATIONS)
    assert done.totals == pytest.approx(GOLDEN[name], rel=tolerance)


def test_the_yardstick_in_float32_falls_as_the_golden_run_does(maker: ModuleType) -> None:
    photo, painting = maker.pictures()
    loss = loss_of(painting)
    start = noise(maker.SIDE, maker.SIDE, maker.SEED)
    done = optimize(loss, loss.content_target(photo), start, YARDSTICK, maker.ITERATIONS)
    assert done.totals[:2] == pytest.approx(GOLDEN["lbfgs"][:2], rel=1e-5)
    assert done.best < done.totals[0] / 2  # the golden run: a third
    assert 0.5 < done.best / min(GOLDEN["lbfgs"]) < 2


@pytest.mark.parametrize("form", ["johnson", "gatys2016", "keras-notebook"])
def test_the_loss_falls_from_noise_and_runs_are_alike(form: str, maker: ModuleType) -> None:
    photo, painting = maker.pictures()
    loss = loss_of(painting, f"loss={form}")
    lines = ["recipe=keras-notebook"] if form.startswith("keras") else []
    target, chosen = loss.content_target(photo), config(*lines).optimizer
    first, second = (optimize(loss, target, noise(48, 48, 1), chosen, count) for count in (maker.ITERATIONS, 6))
    assert first.rows[:6] == second.rows
    assert len(first.rows) == maker.ITERATIONS
    assert first.best == min(first.totals) < first.totals[0] / 2  # the golden run: a third


PHOTOS = {
    "flat": torch.full((1, 3, 32, 32), 127.0),
    "black": torch.zeros(1, 3, 32, 32),
    "narrow": torch.rand(1, 3, 32, 320, generator=torch.Generator().manual_seed(0)) * 255,
}


@pytest.mark.parametrize("form", ["johnson", "keras-notebook"])
@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("painting", ["black", "stripes"])
def test_never_no_number(photo: str, painting: str, form: str, maker: ModuleType) -> None:
    loss = loss_of(maker.pictures()[1] if painting == "stripes" else PHOTOS["black"], f"loss={form}")
    pixels = PHOTOS[photo]
    done = optimize(loss, loss.content_target(pixels), pixels, config().optimizer, 6)
    assert all(math.isfinite(value) for row in done.rows for value in row.values())
    assert done.pixels.isfinite().all()


def test_an_overflow_goes_on_from_the_best() -> None:
    """A loss that is no number for one evaluation, and whose picture is kept out of the result."""
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


def test_a_start_without_a_loss_is_one_sentence() -> None:
    with pytest.raises(CheckError, match="has no finite loss; lower the weights"):
        optimize(bowl, torch.full((1, 3, 8, 8), math.inf), noise(8, 8, 0), config().optimizer, 5)


def test_the_first_step_is_in_levels_and_the_next_are_full() -> None:
    pixels: list[Tensor] = []

    def keep(iterate: Iterate) -> bool:
        pixels.append(iterate.pixels.clone())
        return False

    done = optimize(bowl, noise(8, 8, 1), noise(8, 8, 0), config("optimizer.first_step=2").optimizer, 4, keep)
    assert (pixels[1] - pixels[0]).abs().mean().item() == pytest.approx(2, rel=1e-4)
    assert done.best < 1e-4 * done.totals[0]  # a bowl's second step ends at its bottom


def test_bf16_reaches_the_loss_of_float32(maker: ModuleType) -> None:
    photo, painting = maker.pictures()
    exact = loss_of(painting, "loss.weights=auto")
    target, found = exact.content_target(photo), []
    for dtype in (torch.float32, torch.bfloat16):
        loss = loss_of(painting, "loss.weights=auto").to_precision(dtype)
        done = optimize(loss, loss.content_target(photo), photo, config().optimizer, 40)
        found.append(exact(done.pixels, target).total.item())
    assert found[1] < 1.1 * found[0]


def test_convergence() -> None:
    def flat(pixels: Tensor, target: Tensor) -> Losses:
        losses = bowl(pixels, target)
        return losses._replace(total=losses.total + 1e6)

    chosen = replace(config().optimizer, tolerance=0.5, window=4)
    done = optimize(flat, noise(8, 8, 1), noise(8, 8, 0), chosen, 90)
    assert (done.ended, len(done.rows)) == ("converged", 5)
    endless = replace(chosen, tolerance=0.0)
    assert optimize(bowl, noise(8, 8, 1), noise(8, 8, 0), endless, 3).ended == "iterations"


def test_a_minimum_ends_it() -> None:
    done = optimize(bowl, noise(8, 8, 0), noise(8, 8, 0), config().optimizer, 50)
    assert (done.ended, done.totals) == ("converged", [0.0])


def test_the_callback_sees_each_iteration_and_may_stop() -> None:
    seen: list[Iterate] = []

    def watch(iterate: Iterate) -> bool:
        seen.append(iterate)
        return iterate.iteration == 3

    for name in ("lbfgs", "adam", "keras-notebook"):
        seen.clear()
        chosen = config(f"optimizer={name}").optimizer
        done = optimize(bowl, noise(8, 8, 1), noise(8, 8, 0), chosen, 50, watch)
        assert done.ended == "stopped"
        assert [iterate.iteration for iterate in seen] == [1, 2, 3]
        assert [iterate.losses for iterate in seen] == done.rows


def test_the_best_iterate_is_kept_and_the_start_is_left_alone() -> None:
    start = noise(8, 8, 0)
    wild = replace(config("optimizer=adam").optimizer, lr=500.0)
    done = optimize(bowl, noise(8, 8, 1), start, wild, 5)
    assert done.best == done.totals[0] < done.totals[-1]
    assert torch.equal(done.pixels, start)
    assert torch.equal(start, noise(8, 8, 0))


def test_noise_is_uniform_and_seeded() -> None:
    values = noise(64, 64, 3)
    assert 0 <= values.min() < 1 and 254 < values.max() <= 255
    assert values.mean().item() == pytest.approx(127.5, abs=3)
    assert not torch.equal(values, noise(64, 64, 4))


@pytest.mark.parametrize(("form", "masked"), [("johnson", False), ("gatys2016", True), ("keras-notebook", False)])
def test_tiles_give_the_same_loss_and_gradient(form: str, masked: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    height, width = 36, 371
    photo, pixels = (torch.rand(1, 3, height, width, generator=generator) * 255 for _ in range(2))
    paintings = [torch.rand(1, 3, 40, 50, generator=generator) * 255 for _ in range(2)]
    masks = torch.rand(2, 1, height, width, generator=generator) if masked else None
    loss = PerceptualLoss(config(f"loss={form}").loss, weights(), paintings, [1, 3], masks)
    tiled = TiledLoss(loss, 160)
    target = loss.content_target(photo)
    torch.testing.assert_close(tiled.content_target(photo), target)
    found = []
    for one in (loss, tiled):
        x = pixels.clone().requires_grad_()
        losses = one(x, target)
        losses.total.backward()
        assert x.grad is not None
        found.append((torch.stack(losses), x.grad))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-3, atol=0)
    assert (found[1][1] - found[0][1]).norm() < 1e-4 * found[0][1].norm()
