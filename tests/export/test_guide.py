import re
from typing import Any

import pytest

from impasto.export.guide import CALLERS, KOTLIN, SWIFT, SWIFT_CONTROLS, Facts, readme
from impasto.export.label import Label, onnx_contract

ANDROID = ("model.onnx", "model.fp16.onnx", "model.int8.onnx", "model.ort", "model.required_operators.config")
IOS = [f"Model_{name}.mlpackage" for name in ("96x64", "96x64_int8", "512x512", "512x512_int8", "ios18")]


def facts(io: str, smallest: bool = True) -> Facts:
    android = [f"android/{name}" for name in ANDROID if smallest or "int8" not in name]
    callers = [*CALLERS, "android/stats.onnx", "android/tile.onnx"] if io == "pixels" else [SWIFT, SWIFT_CONTROLS]
    packages = [f"ios/{name}/{part}" for name in IOS for part in ("Manifest.json", "Data/weights/weight.bin")]
    files = [*android, *callers, *packages, "golden/16x90.png", "golden/16x90.stylized.png", "preview/index.html"]
    rows: list[dict[str, Any]] = [
        {"file": file, "runtime": runtime, "picture": picture, "largest": largest, "psnr": psnr, "bound": bound}
        for file, bound in (("android/model.onnx", {"largest": 2}), (f"ios/{IOS[1]}", {"psnr": 40.0}))
        for runtime, picture, largest, psnr in (("A", "1x2", 1, 60.04), ("A", "3x4", 0, None), ("B", "1x2", 2, 57.0))
    ]
    label = Label("swirls", "Ünal", "CC0-1.0", "0.1.0", "")
    sizes = dict.fromkeys(files, 1500)
    return Facts(label, onnx_contract(io), sizes, rows, [(1920, 1080, 884.4)], [(512, 512), (96, 64), (1024, 1024)])


@pytest.mark.parametrize("io", ["pixels", "float"])
def test_what_the_readme_tells(io: str) -> None:
    text = readme(facts(io))
    for name in (*(f"android/{name}" for name in ANDROID), SWIFT, SWIFT_CONTROLS):
        assert text.count(f"| `{name}` | 1,500 |") == 1
    for name in (*(f"ios/{name}" for name in IOS), "golden/"):
        assert text.count(f"| `{name}` | 3,000 |") == 1
    assert "Style by Ünal; licence of the style: CC0-1.0" in text
    assert "| 1920x1080 | 884 |" in text
    assert "| `android/model.onnx` | 2 | 2 | 57.0 dB | 2 at most |" in text
    assert "| `ios/Model_96x64_int8.mlpackage` | 2 | 2 | 57.0 dB | 40 dB or more |" in text
    assert "Run in A; B." in text
    assert 'StyleTransfer(named: "Model_512x512")' in text and "96x64, 512x512, 1024x1024" in text
    for name in ({*CALLERS} - {SWIFT, SWIFT_CONTROLS}) | {"android/stats.onnx", "android/tile.onnx"}:
        assert text.count(f"| `{name}` | 1,500 |") == (1 if io == "pixels" else 0)
    assert text.count("| `keepColors` |") == (2 if io == "pixels" else 1)
    assert ("stylizeLarge(photo)" in text) == (io == "pixels")
    assert ("uint8 [1, height, width, 4]" in text) == (KOTLIN in text) == (io == "pixels")
    assert ("float32 [1, 3, height, width]" in text) == ("floatBuffer" in text) == (io == "float")
    assert not re.search(r"%\(|\{\w+\}|%s", text.replace("${applicationId}", ""))


@pytest.mark.parametrize(("smallest", "model"), [(True, "model.int8.onnx"), (False, "model.onnx")])
@pytest.mark.parametrize("io", ["pixels", "float"])
def test_one_file_is_recommended(io: str, smallest: bool, model: str) -> None:
    text = readme(facts(io, smallest))
    steps = text[text.index("## Android") : text.index("## iOS")]
    assert set(re.findall(r"model[.\w]*\.onnx", steps)) == {model}
    start = steps.index("StyleTransfer(context" if io == "pixels" else "getEnvironment")
    assert steps.index("TelemetryInitializer") < steps.index("ORT_DISABLE_TELEMETRY") < start
