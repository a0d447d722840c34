"""The runtimes that are other programs: ONNX Runtime Web in Node and in Chromium, ONNX Runtime on arm64."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed
from impasto.configs.schema.export import RUNTIMES as KEYS
from impasto.export import child_process
from impasto.export.onnx_graph.contracts import NPU_FILE
from impasto.export.onnx_graph.runtime import OnnxRuntime
from impasto.export.runtime import tools_folder
from impasto.export.validation import ort_arm64, ort_web, runtimes, subprocess_runtime
from impasto.models.image.picture import Picture
from impasto.models.onnx_model import load, stylize
from impasto.models.ort_environment import import_onnxruntime
from tests.helpers.bundles import Written, artifact
from tests.helpers.heavy import missing, tool

Runtime = ort_web.Node | ort_arm64.Arm64
RUNTIMES: dict[str, tuple[Callable[[Path | None], Runtime], str]] = {
    "node": (ort_web.Node, r"ONNX Runtime Web 1\.\d+\.\d+, Node \d+ \(WASM\)"),
    "chromium": (ort_web.Chromium, r"ONNX Runtime Web 1\.\d+\.\d+, Chromium \d+ \(WASM\)"),
    "arm64": (ort_arm64.Arm64, r"ONNX Runtime 1\.\d+\.\d+, arm64 \(qemu\)"),
}


@pytest.fixture
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """The runtime of that name; the test is skipped where it is missing."""
    result = RUNTIMES[request.param][0](tool("onnxruntime-web").parents[1])
    if (sentence := result.missing()) is not None:
        missing(sentence)
    return result


@pytest.mark.heavy
@pytest.mark.parametrize("runtime", RUNTIMES, indirect=True)
def test_run_matches_onnx_runtime_on_this_machine(
    runtime: Runtime, written: Written, request: pytest.FixtureRequest
) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (*size, 4), np.uint8) for size in ((34, 71), (16, 40))]
    session = load(written("mobile", "uint8_rgba"), 1)
    path = written("mobile", "uint8_rgba")
    outputs = runtime.run(path.parent, artifact(path), pictures)
    for rgba, result in zip(pictures, outputs, strict=True):
        expected = stylize(session, Picture(rgba[..., :3], rgba[..., 3]))
        assert np.abs(expected.rgb.astype(int) - result[..., :3]).max() <= 1
        np.testing.assert_array_equal(result[..., 3], rgba[..., 3])
    assert re.fullmatch(RUNTIMES[request.node.callspec.params["runtime"]][1], runtime.name)


@pytest.mark.heavy
@pytest.mark.parametrize("runtime", RUNTIMES, indirect=True)
def test_run_of_a_broken_file_raises_one_sentence(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "torn.onnx").write_bytes(b"no model")
    with pytest.raises(
        CheckFailed, match=r"torn\.onnx in ONNX Runtime .* failed: .*[Pp]rotobuf parsing failed"
    ) as caught:
        runtime.run(tmp_path, artifact(tmp_path / "torn.onnx"), [np.zeros((16, 16, 4), np.uint8)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", RUNTIMES)
def test_missing_names_the_key_of_the_tools_folder_and_the_remedy(name: str, tmp_path: Path) -> None:
    sentence = RUNTIMES[name][0](tmp_path / "tools").missing()
    assert sentence is not None and sentence.startswith("tools_dir does not") and sentence.endswith("run make tools")
    assert str(tmp_path) not in sentence  # the manifest of a bundle has it


@pytest.mark.slow
def test_call_beyond_the_timeout_kills_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess_runtime, "TIMEOUT", 1)
    with pytest.raises(CheckFailed, match="sleeping took over 1 seconds and was stopped"):
        subprocess_runtime.call(["sh", "-c", "sleep 3600 & echo $! > pid; wait"], tmp_path, "sleeping")
    ps = ["ps", "-o", "stat=", "-p", (tmp_path / "pid").read_text().strip()]
    state = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip()
    assert not state or state.startswith("Z")


@pytest.mark.slow
def test_call_beyond_the_timeout_kills_the_process_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess_runtime, "TIMEOUT", 1)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "killpg")
    with pytest.raises(CheckFailed, match="sleeping took over 1 seconds and was stopped"):
        subprocess_runtime.call(["sleep", "3600"], tmp_path, "sleeping")


@pytest.mark.parametrize("name", RUNTIMES)
def test_runtime_without_a_named_tools_folder_searches_none(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ort_web._RUNTIME:
        path = tmp_path / "build/tools/node_modules/onnxruntime-web/dist" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("code of the current folder")
    monkeypatch.chdir(tmp_path)
    for values in ([], ["tools_dir=null"], ["tools_dir="]):
        tools = tools_folder(compose("verify", ["bundle=.", *values]).tools_dir)
        sentence = RUNTIMES[name][0](tools).missing()
        assert sentence is not None and sentence.startswith("tools_dir is not given; run `make tools`")
    assert tools_folder(compose("verify", ["bundle=.", "tools_dir=build/tools"]).tools_dir) is not None


def test_read_of_a_missing_image_raises(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="it returns 0 bytes instead of 64"):
        subprocess_runtime.read(tmp_path, [np.zeros((4, 4, 4), np.uint8)], "it")


def test_registry_has_a_runtime_for_each_key_of_the_configuration(tmp_path: Path) -> None:
    registry = runtimes.registry(tmp_path)
    assert sorted(registry) == sorted(KEYS)
    assert all(registry.values())


def test_available_reports_missing_runtimes_and_ignores_unsupporting_ones(tmp_path: Path) -> None:
    uint8, float32 = (artifact(tmp_path / "model.onnx", io) for io in ("uint8_rgba", "float32_rgb"))
    groups, skipped = runtimes.available(["onnxruntime", "node", "coreml"], tmp_path, [uint8])
    assert {key: [*map(type, group)] for key, group in groups.items()} == {"onnxruntime": [OnnxRuntime]}
    assert {*skipped} == {"node"}
    assert runtimes.available(["node", "coreml"], tmp_path, [float32]) == ({}, {})


def test_not_run_names_each_runtime_that_was_asked_for() -> None:
    reasons = runtimes.not_run(
        ["onnxruntime", "node", "coreml"], ["onnxruntime"], {"node": "no tools", "arm64": "none"}
    )
    assert reasons == {"node": "no tools", "coreml": "it runs none of the models"}


def test_child_processes_start_without_telemetry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    monkeypatch.setenv("ORT_SOMETHING", "1")
    assert {key: value for key, value in child_process.environment().items() if key.startswith("ORT_")} == {
        "ORT_DISABLE_TELEMETRY": "1"
    }
    code = f"import json, os; json.dump(dict(os.environ), open({str(tmp_path / 'seen')!r}, 'w'))"
    subprocess_runtime.call([sys.executable, "-c", code], tmp_path, "python")
    assert json.loads((tmp_path / "seen").read_text())["ORT_DISABLE_TELEMETRY"] == "1"
    import_onnxruntime()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_other_programs_need_no_torch_or_onnx() -> None:
    code = (
        "import sys, impasto.export.validation.ort_web, impasto.export.validation.ort_arm64\n"
        "sys.exit(bool({'torch', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0


def test_emulators_are_those_that_support_a_model_with_the_remedy(written: Written) -> None:
    npu = replace(artifact(written("mobile", "float32_rgb")), file=NPU_FILE)
    (sentence,) = {*runtimes.emulators([npu]).values()}
    assert [*runtimes.emulators([npu])] == ["qnn"] and sentence.endswith("or run impasto-verify")
    assert runtimes.emulators([artifact(written("mobile", "float32_rgb"))]) == {}
