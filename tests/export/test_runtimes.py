"""An exported file in other programs: ONNX Runtime Web in Node and in Chromium, ONNX Runtime on arm64."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from impasto.configs.errors import CheckError
from impasto.export import arm64, program, web
from impasto.models.exported import load, stylize
from impasto.models.pictures import Picture
from tests.export.conftest import Written
from tests.heavy import missing, tool

Runtime = web.Node | arm64.Arm64
RUNTIMES: dict[str, tuple[Callable[[Path], Runtime], str]] = {
    "node": (web.Node, r"ONNX Runtime Web 1\.\d+\.\d+, Node \d+ \(WASM\)"),
    "chromium": (web.Chromium, r"ONNX Runtime Web 1\.\d+\.\d+, Chromium \d+ \(WASM\)"),
    "arm64": (arm64.Arm64, r"ONNX Runtime 1\.\d+\.\d+, arm64 \(qemu\)"),
}


@pytest.fixture
def there(request: pytest.FixtureRequest) -> Runtime:
    """The runtime of that name, or no test."""
    made = RUNTIMES[request.param][0](tool("onnxruntime-web").parents[1])
    if (sentence := made.missing()) is not None:
        missing(sentence)
    return made


@pytest.mark.heavy
@pytest.mark.parametrize("there", RUNTIMES, indirect=True)
def test_it_paints_what_onnx_runtime_paints_here(
    there: Runtime, written: Written, request: pytest.FixtureRequest
) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (*size, 4), np.uint8) for size in ((34, 71), (16, 40))]
    session = load(written("mobile", "pixels"), 1)
    painted = there.run(written("mobile", "pixels"), pictures)
    for rgba, result in zip(pictures, painted, strict=True):
        expected = stylize(session, Picture(rgba[..., :3], rgba[..., 3]))
        assert np.abs(expected.rgb.astype(int) - result[..., :3]).max() <= 1
        np.testing.assert_array_equal(result[..., 3], rgba[..., 3])
    assert re.fullmatch(RUNTIMES[request.node.callspec.params["there"]][1], there.name)


@pytest.mark.heavy
@pytest.mark.parametrize("there", RUNTIMES, indirect=True)
def test_a_file_that_cannot_be_loaded_gets_one_sentence(there: Runtime, tmp_path: Path) -> None:
    (tmp_path / "torn.onnx").write_bytes(b"no model")
    with pytest.raises(
        CheckError, match=r"torn\.onnx in ONNX Runtime .* failed: .*[Pp]rotobuf parsing failed"
    ) as caught:
        there.run(tmp_path / "torn.onnx", [np.zeros((16, 16, 4), np.uint8)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", RUNTIMES)
def test_what_is_missing_is_said(name: str, tmp_path: Path) -> None:
    sentence = RUNTIMES[name][0](tmp_path / "tools").missing()
    assert sentence is not None and str(tmp_path / "tools") in sentence and sentence.endswith("run make tools")


def test_nothing_is_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "TIMEOUT", 1)
    start = time.monotonic()
    with pytest.raises(CheckError, match="sleeping took over 1 seconds and was ended"):
        program.call(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"], "sleeping")
    assert time.monotonic() - start < 20
    child = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_a_picture_that_does_not_come_back(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="it gives 0 bytes where 64 are due"):
        program.read(tmp_path, [np.zeros((4, 4, 4), np.uint8)], "it")


def test_no_torch() -> None:
    code = (
        "import sys, impasto.export.web, impasto.export.arm64\n"
        "sys.exit(bool({'torch', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
