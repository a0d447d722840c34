"""torch.compile, on the CPU: the same losses and gradients."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import torch._inductor.config
from torch import Tensor, nn

from impasto.configs import app
from impasto.configs.errors import CheckError
from impasto.models import checkpoint, vgg_weights
from impasto.models.losses import PerceptualLoss
from impasto.train.compiled import Compiled
from tests.conftest import TINY
from tests.train.kill_nine import SCRIPT

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="torch.compile needs a C++ compiler on a CPU"
)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def small() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 1)), torch.randn(4, 8)


@pytest.mark.parametrize(("setting", "compiles"), [("auto", False), ("never", False), ("always", True)])
def test_on_a_cpu_only_what_is_asked_for_is_compiled(setting: str, compiles: bool) -> None:
    assert (Compiled(lambda x: x, setting, CPU)._made is not None) == compiles
    assert Compiled(lambda x: x, "auto", CUDA)._made is not None


@needs_compiler
def test_the_way_of_a_gpu_gives_the_same_on_a_cpu() -> None:
    """All but the graph, which torch leaves out for tensors of a CPU."""
    network, x = small()
    compiled = Compiled(lambda x: network(x).square().mean(), "auto", CUDA)
    gradients = []
    for function in (compiled, compiled.function, compiled):
        network.zero_grad()
        function(x).backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert compiled._made is not None
    assert compiled.news() == []
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[0], gradients[2])


def test_what_cannot_be_compiled_runs_as_it_is() -> None:
    network, x = small()
    torch.compiler.reset()
    with torch._inductor.config.patch({"cpp.cxx": ("no-compiler",), "force_disable_caches": True}):
        compiled = Compiled(network, "auto", CUDA)
        assert torch.equal(compiled(x), network(x))
        (line,) = compiled.news()
        assert line.startswith("torch cannot compile this run, which goes on without (")
        assert compiled.news() == []
        torch.compiler.reset()
        with pytest.raises(CheckError, match=r"trainer\.compile=always: torch cannot compile this run"):
            Compiled(network, "always", CPU)(x)


@needs_compiler
def test_a_network_and_its_loss() -> None:
    """With few layers, since each takes the C++ compiler seconds: as it is in float noise, and each time to the bit."""
    config = app.compose("train", ["data.root=.", "loss.style_layers=[relu1_1]", "loss.content_layer=relu1_1"]).loss
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid())
    loss = PerceptualLoss(config, vgg_weights.load("random"), 255 * torch.rand(1, 3, 32, 32))
    photos, found = 255 * torch.rand(1, 3, 32, 32), []
    for setting in ("never", "always", "always"):
        torch.compiler.reset()
        judge = Compiled(lambda x: loss(network(x), loss.content_target(x)), setting, CPU)
        network.zero_grad()
        losses = judge(photos)
        losses.total.backward()
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        found.append([torch.stack([*losses]).detach(), *gradients])
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-3)
    assert all(torch.equal(*pair) for pair in zip(found[1], found[2], strict=True))


@needs_compiler
def test_a_signal_cuts_the_compiling_off(tmp_path: Path, photo_folder: Path) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    line = [*TINY, f"data.root={photo_folder}", f"hydra.run.dir={run}", "trainer.compile=always"]
    with said.open("w") as file:  # not a pipe, which the compilers that are left behind would hold open
        process = subprocess.Popen([SCRIPT, *line], stderr=file)
    while not checkpoint.path(run, 0).exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(2)  # it compiles now, for a minute or several
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130, said.read_text()
    assert "stopped before step 1 ended; go on with: impasto-train" in said.read_text()
