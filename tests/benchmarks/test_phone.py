"""The benchmark of a phone against an adb that answers as one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import phone
from impasto.export.bundle.manifest import Manifest
from impasto.export.contract import ImageSize, ModelArtifact, Tolerance
from impasto.export.litert.contracts import FILE, LITERT, litert_contract
from impasto.export.onnx_graph.contracts import NPU_FILE, ONNX
from impasto.models.contract import onnx_contract

ROOT = Path(__file__).parents[2]
ANSWERS = {
    "getprop ro.product.model": "Pixel 8a\n",
    "getprop ro.soc.model": "Tensor G3\n",
    "getprop ro.build.version.release": "16\n",
    "use_gpu=true": "INFO\nInference timings in us: Init: 5685, First inference: 18535, Warmup (avg): 14462.3, "
    "Inference (avg): 4575.25\n",
    "use_cpu=true": "Inference timings in us: Init: 1, First inference: 2, Warmup (avg): 3, Inference (avg): 1.2e+04\n",
    "-e cpu": "Total inference requests: 30\nAverage inference time cost total: 7.270205 ms\n",
    "-e xnnpack": "Setting intra_op_num_threads to 4\n",
}
FAKE = """#!{python}
import json, sys
from pathlib import Path
words = sys.argv[1:]
with Path({log!r}).open("a") as log:
    log.write(json.dumps(words) + "\\n")
if words[:2] != ["-s", "A1"]:
    sys.exit("adb: more than one device/emulator")
line = " ".join(words)
if "qnn" in line:
    print("Error: libQnnHtp.so not found")
    sys.exit(1)
for key, answer in {answers!r}.items():
    if key in line:
        print(answer, end="")
        break
"""


@pytest.fixture
def adb(tmp_path: Path) -> Path:
    """A program that logs its arguments into adb.log."""
    path = tmp_path / "adb"
    path.write_text(FAKE.format(python=sys.executable, log=str(tmp_path / "adb.log"), answers=ANSWERS))
    path.chmod(0o755)
    return path


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose manifest has a LiteRT file of two sizes, and a file for an NPU."""
    exact = Tolerance(max_difference=1)
    sizes = {f"size_{side}x{side}": ImageSize(side, side) for side in (256, 512)}
    models = [
        ModelArtifact("android/model.onnx", ONNX, "float32", onnx_contract("uint8_rgba"), exact, {}, None),
        ModelArtifact(
            *(NPU_FILE, ONNX, "fp16", onnx_contract("float32_rgb", (768, 768)), exact),
            {"main": ImageSize(768, 768)},
            None,
        ),
        ModelArtifact(FILE, LITERT, "fp16", litert_contract(), exact, sizes, None),
    ]

    class Bundle:
        style = type("Style", (), {"name": "swirls"})

        def digest(self, folder: Path) -> str:
            return "5e"

    Bundle.models = models  # type: ignore[attr-defined]
    monkeypatch.setattr(Manifest, "load", lambda folder: Bundle())
    return tmp_path / "bundle"


def tools(tmp_path: Path) -> dict[str, Path]:
    folders = {name: tmp_path / name for name in ("litert", "ort")}
    for folder, program in zip(folders.values(), (phone.LITERT, phone.ORT), strict=True):
        folder.mkdir()
        (folder / program).touch()
    (folders["ort"] / "libQnnHtp.so").touch()
    return folders


def test_main_measures_each_model_on_each_processor(
    adb: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders, output = tools(tmp_path), tmp_path / "phone.json"
    line = [str(bundle), "--adb", str(adb), "--serial", "A1", "--output", str(output)]
    line += [f"--{name}={folder}" for name, folder in folders.items()]
    monkeypatch.setattr(sys, "argv", ["phone", *line])
    phone.main()
    report = json.loads(output.read_text())
    assert json.loads(capsys.readouterr().out) == report
    about = {key: report[key] for key in ("format", "phone", "chip", "android", "style", "digest", "runs")}
    assert [*about.values()] == ["impasto-phone-1", "Pixel 8a", "Tensor G3", "16", "swirls", "5e", 30]
    rows = {(row["runtime"], row["width"]): (row["ms"], row["error"]) for row in report["rows"]}
    silent = "onnxruntime_perf_test printed no latency"
    assert rows == {
        **{("LiteRT, CPU, 4 threads", side): (12.0, None) for side in (256, 512)},
        **{("LiteRT, GPU", side): (4.58, None) for side in (256, 512)},
        **{("ONNX Runtime, CPU, 4 threads", side): (7.27, None) for side in (256, 512)},
        **{("ONNX Runtime, XNNPACK, 4 threads", side): (None, silent) for side in (256, 512)},
        ("ONNX Runtime, QNN (HTP)", 768): (None, "adb shell failed: Error: libQnnHtp.so not found"),
    }
    calls = [json.loads(call)[2:] for call in (tmp_path / "adb.log").read_text().splitlines()]
    pushed = [Path(words[1]).name for words in calls if words[0] == "push"]
    assert pushed == [phone.LITERT, phone.ORT, "libQnnHtp.so", "model.tflite", "model.onnx", "model.npu.onnx"]
    assert all(words[-1].startswith(phone.FOLDER) for words in calls if words[0] == "push")
    assert calls[-1] == ["shell", f"rm -rf {phone.FOLDER}"]
    (gpu,) = [words[1] for words in calls if "size_512x512" in words[-1] and "use_gpu=true" in words[-1]]
    assert "--use_cpu=false" in gpu and "--require_full_delegation=true" in gpu and f"--graph={phone.FOLDER}" in gpu


def test_main_without_a_phone_or_adb_is_one_sentence(
    adb: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = tools(tmp_path)
    for program, words in ((adb, "more than one device/emulator"), (tmp_path / "none", "is not installed; install")):
        line = [str(bundle), "--adb", str(program), f"--litert={folders['litert']}"]
        monkeypatch.setattr(sys, "argv", ["phone", *line])
        with pytest.raises(SystemExit, match=words) as caught:
            phone.main()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("line", "words"), [([], "name a folder of programs"), (["--ort=."], "does not contain")])
def test_main_without_programs_says_what_is_missing(
    line: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["phone", "bundle", *line])
    with pytest.raises(SystemExit) as caught:
        phone.main()
    assert caught.value.code == 2 and words in capsys.readouterr().err


@pytest.mark.slow
def test_help_shows_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.phone", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "USB debugging" in done.stdout
