import re
from dataclasses import replace

import pytest

from impasto.export.bundle import readme
from impasto.export.bundle.licenses import License
from impasto.export.client_files import CLIENTS, KOTLIN, KOTLIN_BITMAPS, KOTLIN_STROKES, SWIFT_BITMAPS, SWIFT_STROKES
from impasto.export.contract import ImageSize, ModelArtifact, Tolerance
from impasto.export.litert.contracts import LITERT, litert_contract
from impasto.export.onnx_graph.contracts import NPU_FILE, ONNX
from impasto.export.validation.parity import ParityResult
from impasto.models.contract import Label, onnx_contract
from tests.helpers.bundles import ANDROID, IOS, SWIFT_ONLY, built, file_names

LABEL = Label("swirls", "Ünal", "CC0-1.0", "0.1.0", "")


def render(io: str, smallest: bool = True, label: Label = LABEL, coreml: bool = True) -> str:
    """The README of a bundle of that io, with or without the smallest file and Core ML packages."""
    files = dict.fromkeys(file_names(io, smallest), 1500)
    licenses = [License("painting", label.style, label.artist, "a | museum", label.style_license)]
    return readme.render(label, built(io, smallest, coreml), files, licenses)


@pytest.mark.parametrize("io", ["uint8_rgba", "float32_rgb"])
def test_render_without_coreml_packages_has_no_steps_for_ios(io: str) -> None:
    whole, text = render(io), render(io, coreml=False)
    for words in ("## iOS", "Drag `ios/Model_512x512.mlpackage`", "Core ML packages take", "reference interpreter"):
        assert words not in text
        assert words in whole or (words == "Core ML packages take" and io == "uint8_rgba")
    assert "\n\n## What was checked\n" in text and "\n\n\n" not in text


@pytest.mark.parametrize("io", ["uint8_rgba", "float32_rgb"])
def test_render_with_a_litert_file_names_its_sizes_and_first_signature(io: str) -> None:
    sizes = {"size_96x64": ImageSize(96, 64), "size_512x512": ImageSize(512, 512)}
    tolerance = Tolerance(max_difference=1)
    model = ModelArtifact("android/model.tflite", LITERT, "fp16", litert_contract(), tolerance, sizes, None)
    without = built(io)
    files = dict.fromkeys(file_names(io), 1500)
    text = readme.render(LABEL, replace(without, models=[*without.models, model]), files, [])
    section = text.partition("### With LiteRT")[2].partition("## iOS")[0]
    assert "fixed sizes: 96x64, 512x512." in section
    assert ('val size = "size_96x64"' in section) == (io == "float32_rgb")
    assert ("StyleTransferLiteRt.kt" in section) == (io == "uint8_rgba")
    assert "LiteRT was run on a computer, if it is among" in text and "\n\n\n" not in text
    assert "LiteRT" not in render(io)


@pytest.mark.parametrize("io", ["uint8_rgba", "float32_rgb"])
def test_render_with_a_file_for_the_npu_has_its_size_and_warns_of_the_byte_files(io: str) -> None:
    contract, tolerance = onnx_contract("float32_rgb", (640, 480)), Tolerance(max_difference=2)
    model = ModelArtifact(NPU_FILE, ONNX, "fp16", contract, tolerance, {"main": ImageSize(480, 640)}, None)
    without = built(io)
    text = readme.render(LABEL, replace(without, models=[*without.models, model]), dict.fromkeys(file_names(io), 1), [])
    section = text.partition("### On Qualcomm's NPU")[2].partition("## iOS")[0]
    assert "RGB floats 0..255 of 480x640" in section and "longArrayOf(1, 3, 640, 480)" in section
    assert 'addConfigEntry("session.disable_cpu_ep_fallback", "1")' in section and "options.addQnn(mapOf(" in section
    assert "**Never give the byte files to QNN**" in section and "Qualcomm's emulator" in text
    assert "\n\n\n" not in text and "NPU" not in render(io)


def test_render_names_the_runtimes_of_a_model_with_several_tolerances() -> None:
    def result(runtime: str, difference: int, allowed: int) -> ParityResult:
        tolerance = Tolerance(max_difference=allowed)
        return ParityResult("model.tflite", runtime, "8x8", "PyTorch", difference, 0.1, 0.1, 60.0, tolerance)

    results = [result("LiteRT, CPU", 1, 1), result("LiteRT, CPU", 0, 1), result("fp16", 2, 3)]
    text = readme.render(LABEL, replace(built(), parity=results), dict.fromkeys(file_names(), 1), [])
    assert "| `model.tflite` in LiteRT, CPU | 1 | 1 | 60.0 dB | 1 at most |\n" in text
    assert "| `model.tflite` in fp16 | 1 | 2 | 60.0 dB | 3 at most |\n" in text


@pytest.mark.parametrize("io", ["uint8_rgba", "float32_rgb"])
def test_render_describes_files_parity_and_steps(io: str) -> None:
    text = render(io)
    for name in (*(f"android/{name}" for name in ANDROID), *SWIFT_ONLY):
        assert text.count(f"| `{name}` | 1,500 | what {name} is |") == 1
    for name in (*(f"ios/{name}" for name in IOS), "golden/"):
        assert text.count(f"| `{name}` | 3,000 | what {name} is |") == 1
    assert "absent" not in text
    for name in ("LICENSE", "manifest.json", "manifest.schema.json", "SHA256SUMS", "measured.json"):
        assert text.count(f"| `{name}` | |") == 1
    assert "Style by Ünal." in text and "| painting | swirls | Ünal | a \\| museum | CC0-1.0 |" in text
    assert "| 1920x1080 | 884 |" in text
    assert "| `android/model.onnx` | 2 | 2 | 57.0 dB | 2 at most |" in text
    assert "| `ios/Model_96x64_int8.mlpackage` | 2 | 2 | 57.0 dB | 40 dB or more |" in text
    assert "Runtimes: A; B." in text
    assert 'StyleTransfer(named: "Model_512x512")' in text and "96x64, 512x512, 1024x1024" in text
    for name in ({*CLIENTS} - {*SWIFT_ONLY}) | {"android/stats.onnx", "android/tile.onnx"}:
        assert text.count(f"| `{name}` | 1,500 |") == (1 if io == "uint8_rgba" else 0)
    assert text.count("| `keepColors` |") == (2 if io == "uint8_rgba" else 1)
    assert ("stylizeLarge(photo, strokeResolution = null)" in text) == (io == "uint8_rgba")
    assert ("uint8 [1, height, width, 4]" in text) == (KOTLIN in text) == (io == "uint8_rgba")
    assert ("float32 [1, 3, height, width]" in text) == ("floatBuffer" in text) == (io == "float32_rgb")
    assert 'xmlns:tools="http://schemas.android.com/tools"' in text and 'tools:node="remove"' in text
    assert "Nothing was run or timed on a phone." in text


def test_render_names_the_stroke_resolution_and_the_package_nearest_to_it() -> None:
    without, text = (render("uint8_rgba", label=replace(LABEL, stroke_resolution=value)) for value in (None, 1080))
    assert "a short side of 1024 pixels." in without
    assert "a short side of 1080 pixels" in text and 'StyleTransfer(named: "Model_1024x1024")' in text
    assert "near 1080 pixels" in text and "1080 in the manifest" in text and "nil in the manifest" in without
    for name in (KOTLIN_BITMAPS, KOTLIN_STROKES, SWIFT_BITMAPS, SWIFT_STROKES):
        assert name.rpartition("/")[2] in text[text.index("## Android") :]


@pytest.mark.parametrize("io", ["uint8_rgba", "float32_rgb"])
@pytest.mark.parametrize("stroke_resolution", [None, 768])
def test_render_is_well_formed_markdown(io: str, stroke_resolution: int | None) -> None:
    text = render(io, label=replace(LABEL, stroke_resolution=stroke_resolution))
    assert not re.search(r"%\(|\{\w+\}|\{\{|\}\}|\{%|%s", text.replace("${applicationId}", ""))
    assert not re.search(r"\n\n\n|[ \t]\n", text) and text.endswith(".\n") and text.startswith("# swirls\n")
    assert text.count("```") % 2 == 0
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if re.fullmatch(r" *\| -.*", line):  # a table: its header, and a blank line before that
            assert not lines[number - 2].strip() and lines[number - 1].count("|") == line.count("|")


def test_render_shows_texts_of_a_card_as_they_are() -> None:
    """A checkpoint may be anyone's."""
    text = "<img src=x onerror=a()> [a](b) ![c](d) `e` *f* | g & <https://h> \\\\"
    written = render("uint8_rgba", label=replace(LABEL, style=text, artist=text, style_license=text))
    escaped = (
        "&lt;img src=x onerror=a()&gt; \\[a\\](b) !\\[c\\](d) \\`e\\` \\*f\\* \\| g &amp; &lt;https://h&gt; \\\\\\\\"
    )
    assert written.startswith(f"# {escaped}\n") and f"Style by {escaped}." in written
    assert f"| painting | {escaped} | {escaped} | a \\| museum | {escaped} |\n" in written
    assert text not in written


@pytest.mark.parametrize(("smallest", "model"), [(True, "model.int8.onnx"), (False, "model.onnx")])
@pytest.mark.parametrize("io", ["uint8_rgba", "float32_rgb"])
def test_render_recommends_one_file_without_telemetry(io: str, smallest: bool, model: str) -> None:
    text = render(io, smallest)
    steps = text[text.index("## Android") : text.index("## iOS")]
    assert set(re.findall(r"model[.\w]*\.onnx", steps)) == {model}
    start = steps.index("StyleTransfer.open(context" if io == "uint8_rgba" else "getEnvironment")
    assert steps.index("TelemetryInitializer") < steps.index("ORT_DISABLE_TELEMETRY") < start


@pytest.mark.parametrize("io", ["uint8_rgba", "float32_rgb"])
def test_render_says_how_to_shrink_an_app(io: str) -> None:
    steps = render(io).partition("## Android")[2].partition("## iOS")[0]
    assert 'release { proguardFiles("consumer-rules.pro") }' in steps
    assert 'consumerProguardFiles("consumer-rules.pro")' in steps


@pytest.mark.parametrize(("style", "slug"), [("The Great Wave!", "the_great_wave"), ("神奈川沖浪裏", "style")])
def test_render_gives_the_models_of_each_style_names_of_their_own(style: str, slug: str) -> None:
    text, floats = (render(io, label=replace(LABEL, style=style)) for io in ("uint8_rgba", "float32_rgb"))
    paragraph = text.partition("## Several styles in one app")[2].partition("\n## ")[0]
    assert f'StyleTransfer.open(context, "{slug}/model.int8.onnx")' in paragraph
    assert f'StyleTransfer(named: "{slug}")' in paragraph and f"`{slug}.mlpackage`" in paragraph
    assert f'open("{slug}/model.int8.onnx")' in floats and "StyleTransfer.open(context" not in floats
