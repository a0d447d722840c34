"""The Kotlin clients on accelerators and in coroutines: what runs, what is printed, how much memory it takes."""

from pathlib import Path

import pytest

from tests.helpers import android
from tests.helpers.heavy import tool

_ZOO = Path(__file__).parents[3] / "models" / "zoo"
_MOST_MB = 500  # of a process that stylizes 12 megapixels


def _compare(kotlin: tuple[Path, dict[str, str]], name: str, start: str) -> None:
    assert kotlin[1][name].startswith(start), kotlin[1][name]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("gpu", "Gpu []"),
        ("gpu sizes", "[96x64, 64x96, 96x64], as the CPU at the same size: "),
        ("gpu buffers", "3, trimmed 1"),
        ("gpu fails", "open 0"),
        ("gpu wrong", "open 0"),
        (
            "gpu wrong and not closed",
            "Cpu [Gpu is not used: differs from the CPU by some levels, Gpu was not closed: the driver is gone]",
        ),
        ("gpu of a file", "Gpu []"),
        ("gpu without a file", "Cpu [Gpu is not used: model.tflite is missing beside the model]"),
        ("WebGpu", "Cpu [WebGpu is not used: "),
        ("Npu", "Cpu [Npu is not used: model.npu.onnx is missing beside the model]"),
        ("Npu with a file", "Cpu [Npu is not used: "),
        ("Cpu", "Cpu []"),
        ("open at the end", "0"),
    ],
)
def test_kotlin_client_falls_back_to_the_cpu_and_says_why(
    name: str, start: str, kotlin: tuple[Path, dict[str, str]]
) -> None:
    _compare(kotlin, name, start)


@pytest.mark.heavy
def test_kotlin_client_compares_the_gpu_with_the_cpu(kotlin: tuple[Path, dict[str, str]]) -> None:
    lines = (kotlin[0] / "printed.txt").read_text().splitlines()
    assert "gpu fails: Cpu [Gpu failed: the driver crashed] true" in lines
    (wrong,) = [line for line in lines if line.startswith("gpu wrong: Cpu")]
    assert "Gpu is not used: differs from the CPU by" in wrong


@pytest.mark.heavy
def test_kotlin_client_runs_the_network_of_floats_as_that_of_bytes(kotlin: tuple[Path, dict[str, str]]) -> None:
    difference = kotlin[1]["Npu network"].removeprefix("ImageSize(width=96, height=64), largest difference ")
    assert int(difference) <= 1


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("suspend", "true"),
        ("into", "true true false"),
        ("into the photo", "IllegalArgumentException: into is the photo; it must be another bitmap"),
        (
            "into of another size",
            "IllegalArgumentException: into is 150x100 pixels; it must be 20x20, as the photo",
        ),
        (
            "into of another kind",
            "IllegalArgumentException: into must be a mutable ARGB_8888 bitmap in sRGB",
        ),
        ("cancelled tiles", "1, usable 250"),
        ("network", "cancelled by Exiting due to terminate flag being set to true."),
        ("closed suspend", "IllegalStateException: This StyleTransfer is closed; create a new one"),
        ("open suspend", "OrtException"),
    ],
)
def test_kotlin_client_suspends_and_is_cancelled_within_a_tile(
    name: str, start: str, kotlin: tuple[Path, dict[str, str]]
) -> None:
    _compare(kotlin, name, start)


@pytest.mark.heavy
def test_kotlin_client_stylizes_12_megapixels_in_500_mb(compiled: Path) -> None:
    jars = [compiled / name for name in ("callers.jar", "classes.jar", "coroutines.jar", f"android-{android.NEWEST}")]
    model = _ZOO / "starry_night" / "mobile.onnx"
    java = tool("java"), f"-Donnxruntime.native.path={compiled}", f"-Dandroid.api={android.NEWEST}", "-Xmx256m"
    # The optimizing compiler of the JVM is not Android's, and what its garbage collector leaves depends on the load, so
    # the least of a few runs counts.
    line = *java, "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, jars)), "Memory", str(model)
    printed = (android.run(*line, LD_LIBRARY_PATH=str(compiled), ORT_DISABLE_TELEMETRY="1") for _ in range(3))
    assert any(int(kilobytes) / 1000 < _MOST_MB for kilobytes in printed)
