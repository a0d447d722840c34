"""Compiled code gives the same losses and gradients; on a CPU, since tests need no GPU."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import torch._inductor.config
from torch import Tensor, nn

from impasto.configs.cli import app
from impasto.configs.errors import CheckFailed
from impasto.models import checkpoint
from impasto.models.losses.perceptual import PerceptualLoss
from impasto.models.vgg import weights
from impasto.train.runtime.compile import Compiled
from tests.helpers.commands import TINY
from tests.helpers.kill_nine import SCRIPT

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="torch.compile needs a C++ compiler on a CPU"
)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def small() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 1)), torch.randn(4, 8)


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "compiles"), [("auto", False), ("never", False), ("always", True)])
def test_compiled_on_cpu_compiles_only_with_always(setting: str, compiles: bool) -> None:
    assert (Compiled(lambda x: x, setting, CPU)._compiled is not None) == compiles
    assert Compiled(lambda x: x, "auto", CUDA)._compiled is not None


@pytest.mark.slow
@needs_compiler
def test_compiled_with_cuda_settings_gives_same_gradients(caplog: pytest.LogCaptureFixture) -> None:
    """Except for the CUDA graph, which torch omits for CPU tensors."""
    network, x = small()
    compiled = Compiled(lambda x: network(x).square().mean(), "auto", CUDA)
    gradients = []
    for function in (compiled, compiled.function, compiled):
        network.zero_grad()
        function(x).backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert compiled._compiled is not None
    assert not [record for record in caplog.records if record.name.startswith("impasto")]
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[0], gradients[2])


@pytest.mark.slow
def test_compiled_uncompilable_function_warns_and_runs_uncompiled(caplog: pytest.LogCaptureFixture) -> None:
    network, x = small()
    torch.compiler.reset()
    with torch._inductor.config.patch({"cpp.cxx": ("no-compiler",), "force_disable_caches": True}):
        compiled = Compiled(network, "auto", CUDA)
        assert torch.equal(compiled(x), network(x))
        assert torch.equal(compiled(x), network(x))
        (line,) = [message for message in caplog.messages if message.startswith("torch cannot compile")]  # once
        assert line.startswith("torch cannot compile this run, which continues uncompiled (")
        torch.compiler.reset()
        with pytest.raises(CheckFailed, match=r"trainer\.compile=always: torch cannot compile this run"):
            Compiled(network, "always", CPU)(x)


@pytest.mark.slow
@needs_compiler
def test_compiled_network_and_loss_equals_uncompiled() -> None:
    """With few layers, since each takes the C++ compiler seconds. Recompiling gives the same bits."""
    line = ["data.root=.", "loss=johnson", "loss.style_layers=[relu1_1]", "loss.content_layer=relu1_1"]
    config = app.compose("train", line).loss
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid())
    loss = PerceptualLoss(config, weights.load("random"), 255 * torch.rand(1, 3, 32, 32))
    photos, results = 255 * torch.rand(1, 3, 32, 32), []
    for setting in ("never", "always", "always"):
        torch.compiler.reset()
        compiled = Compiled(lambda x: loss(network(x), loss.content_target(x)), setting, CPU)
        network.zero_grad()
        losses = compiled(photos)
        losses.total.backward()
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        results.append([torch.stack([*losses]).detach(), *gradients])
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-3)
    assert all(torch.equal(*pair) for pair in zip(results[1], results[2], strict=True))


@pytest.mark.slow
@needs_compiler
def test_train_signal_while_compiling_stops_at_once(tmp_path: Path, photo_folder: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "trainer.compile=always"]
    with log.open("w") as file:  # not a pipe, which orphaned compilers would hold open
        process = subprocess.Popen([SCRIPT, *line], stderr=file)
    while not checkpoint.path(run, 0).exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(2)  # it compiles now, for a minute or several
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130, log.read_text()
    assert "stopped before step 1 ended; resume with: impasto-train" in log.read_text()


@pytest.mark.slow
@needs_compiler
def test_compile_again_compiles_for_another_shape() -> None:
    compiled = Compiled(lambda x: (2 * x).sum(), "always", CPU)
    pending, values = [compiled.pending], []
    for size in (4, 6):
        compiled.compile_again()
        pending.append(compiled.pending)
        values.append(compiled(torch.ones(size)).item())
        pending.append(compiled.pending)
    assert pending == [True, True, False, True, False]
    assert values == [8, 12]
