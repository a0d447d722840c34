"""The clients in a bundle: those in Kotlin are compiled and run, those in Swift are parsed."""

import os
import platform
import subprocess
import zipfile
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tree_sitter
import tree_sitter_swift

from impasto.export import client_files, test_images
from impasto.export.contract import Tiling, Tolerance
from impasto.export.inference import thumbnail_statistics
from impasto.export.onnx_graph import instance_norm, tiled_pair, tiling
from impasto.models.contract import onnx_contract
from impasto.models.image.decode import read
from tests.helpers.bundles import Written
from tests.helpers.client_cases import CASES, CASES_BY_NAME, STROKE_CASES, STROKES, line_of, mask_of, photo_of
from tests.helpers.heavy import missing, tool
from tests.helpers.stylize import run_stylize, save

CLIENTS = files("impasto.export") / "clients"
ANDROID = Path(__file__).parents[2] / "assets" / "android"
# Of the network that runs here; its contract is not used.
TILING = Tiling(tiled_pair.STATS, onnx_contract("uint8_rgba"), side=96, margin=24, multiple=4)
BINDINGS = "libonnxruntime4j_jni.so"


def _run(*command: str | Path, **environment: str) -> str:
    """Return the standard output of a command; fail the test with all its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _expected(name: str, folder: Path) -> np.ndarray:
    """Return the expected result in floats: of ONNX Runtime or, for a case with controls, of impasto-stylize."""
    alpha, premultiplied, strength, pixels, *_ = CASES_BY_NAME[name][3:]
    photo = photo_of(name)
    opacity = photo[..., 3:] / 255 if alpha and premultiplied else np.ones((1, 1, 1))
    colors = photo[..., :3] / np.where(opacity == 0, 1, opacity)
    straight = np.concatenate([np.floor(colors + 0.5), photo[..., 3:]], axis=2).astype(np.uint8)
    if len(CASES_BY_NAME[name]) > 7 or name in STROKE_CASES:
        blended = _run_command(name, straight, folder).astype(float)
    else:
        stylized = _in_tiles(straight, pixels, folder) if pixels else _whole(straight, folder)
        blended = (stylized * strength + straight * (1 - strength))[..., :3]
    return np.concatenate([blended * opacity, photo[..., 3:]], axis=2)


def _run_command(name: str, photo: np.ndarray, folder: Path) -> np.ndarray:
    """Return the result of impasto-stylize for a photo [H, W, 4] with the controls of a case."""
    strength, pixels, keep_colors = [*CASES_BY_NAME[name], False][5:8]
    settings = [f"strength={strength}", f"keep_colors={keep_colors}", f"tiles.threshold_mp={0 if pixels else 99}"]
    if (mask := mask_of(name)) is not None:
        if CASES_BY_NAME[name][10] == "ALPHA_8":
            mask[..., :3] = 255
        settings += [f"mask={save(folder / 'masks' / f'{name}.png', mask)}"]
        settings += [f"invert_mask={CASES_BY_NAME[name][11]}"]
    model = folder / "model.onnx"
    if name in STROKE_CASES:
        model = folder / "strokes" / "model.onnx"
        settings += [] if STROKE_CASES[name][0] == "default" else [f"stroke_resolution={STROKE_CASES[name][0]}"]
    source, output = save(folder / "photos" / f"{name}.png", photo), folder / f"{name}.png"
    run_stylize(model, source, output, "overwrite=true", *settings)
    return read(output).rgb


def _session(folder: Path, name: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(folder / name)


def _whole(photo: np.ndarray, folder: Path) -> np.ndarray:
    return np.asarray(_session(folder, "model.onnx").run(None, {"image": photo[None]})[0][0])


def _in_tiles(photo: np.ndarray, pixels: int, folder: Path) -> np.ndarray:
    model, stats = onnx.load(folder / "model.onnx"), _session(folder, "stats.onnx")
    statistics = thumbnail_statistics.statistics(
        photo[..., :3],
        pixels,
        lambda rgb: instance_norm.unpack(model, tiling.measure(stats, test_images.opaque(rgb))),
    )
    flat = [np.concatenate(values) for values in zip(*statistics, strict=True)]
    return tiling.stylize(_session(folder, "tile.onnx"), photo, np.stack(flat), TILING)


@pytest.fixture(scope="module")
def kotlin(tmp_path_factory: pytest.TempPathFactory, written: Written) -> tuple[Path, dict[str, str]]:
    """Run the Kotlin clients on every case; return the folder of the results, and the printed lines by name.

    The Java bindings are those of the Android library, with ONNX Runtime for Linux of the same version.
    """
    if platform.machine() not in {"x86_64", "AMD64"}:
        missing("the Java bindings run on x86-64 only")
    compiler = tool("kotlin-compiler") / "bin" / "kotlinc"
    library = tool("com.github.asus4.onnxruntime") / "Plugins"
    java, javac, gcc = tool("java"), tool("javac"), tool("gcc")
    folder = tmp_path_factory.mktemp("kotlin")
    with zipfile.ZipFile(library / "Android" / "onnxruntime.aar") as aar:
        aar.extract("classes.jar", folder)
        (folder / BINDINGS).write_bytes(aar.read(f"jni/x86_64/{BINDINGS}"))

    _run(javac, "-d", folder / "stubs", *ANDROID.glob("android/**/*.java"))
    classes = f"{folder / 'stubs'}:{folder / 'classes.jar'}"
    sources = [
        ANDROID / "Main.kt",
        *(CLIENTS / "kotlin" / Path(name).name for name in client_files.CLIENTS if name.endswith(".kt")),
    ]
    _run(compiler, "-Werror", "-cp", classes, "-include-runtime", "-d", folder / "callers.jar", *map(str, sources))

    (folder / "libonnxruntime.so.1").symlink_to(library / "Linux" / "x64" / "libonnxruntime.so")
    flags = "-shared", "-fPIC", "-fno-builtin", "-fno-stack-protector", "-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed"
    for name, version in (("c", "LIBC"), ("m", "LIBC"), ("dl", "LIBC"), ("onnxruntime", "VERS_1.29.0")):
        (folder / "map").write_text(f"{version} {{ global: *; }};")
        linked = [folder / "libonnxruntime.so.1"] if name == "onnxruntime" else []
        named = f"-Wl,-soname,lib{name}.so", f"-Wl,--version-script,{folder / 'map'}"
        _run(gcc, *flags, *named, "-o", folder / f"lib{name}.so", ANDROID / "bionic.c", *linked)

    (folder / "model.onnx").write_bytes(written("mobile", "uint8_rgba").read_bytes())
    (folder / "android").symlink_to(folder)
    tolerance = Tolerance(max_difference=2)
    pair = tiled_pair.write(onnx.load(folder / "model.onnx"), folder, TILING.side, tolerance).tiling
    assert pair is not None and replace(pair, stats_contract=TILING.stats_contract) == TILING
    (folder / "strokes").mkdir()
    for path in folder.glob("*.onnx"):
        model = onnx.load(path)
        properties = {item.key: item.value for item in model.metadata_props} | {"stroke_resolution": str(STROKES)}
        onnx.helper.set_model_props(model, properties)
        onnx.save(model, folder / "strokes" / path.name)
    for name in CASES_BY_NAME:
        (folder / f"{name}.rgba").write_bytes(photo_of(name).tobytes())
        if (mask := mask_of(name)) is not None:
            (folder / f"{name}.mask").write_bytes(mask.tobytes())
    (folder / "cases.txt").write_text("\n".join(line_of(name) for name in CASES))
    strokes = "\n".join(f"{values[0]} {line_of(name)}" for name, values in STROKE_CASES.items())
    (folder / "strokes.txt").write_text(strokes)
    arguments = f"-Donnxruntime.native.path={folder}", "-cp", f"{folder / 'callers.jar'}:{classes}", "MainKt", folder
    text = _run(java, *arguments, LD_LIBRARY_PATH=str(folder), ORT_DISABLE_TELEMETRY="1")
    return folder, dict(line.split(": ", 1) for line in text.splitlines())


@pytest.mark.heavy
@pytest.mark.parametrize("name", CASES)
def test_kotlin_client_matches_python(name: str, kotlin: tuple[Path, dict[str, str]]) -> None:
    expected = _expected(name, kotlin[0])
    result = np.frombuffer((kotlin[0] / f"{name}.out").read_bytes(), np.uint8).reshape(expected.shape)
    alpha, premultiplied, strength, _, *controls = CASES[name][3:]
    rounding = 0.5 if (alpha and premultiplied) or 0 < strength < 1 else 0  # the client rounds twice
    rounding += 1 if controls else 0  # the luminance rounds, too
    assert np.abs(result - expected).max() <= (0 if strength == 0 else 1 + rounding)
    assert abs((result - expected).mean()) < 0.05  # rounded, not truncated
    assert np.array_equal(result[..., 3], expected[..., 3])


@pytest.mark.heavy
@pytest.mark.parametrize("name", STROKE_CASES)
def test_kotlin_client_at_a_stroke_resolution_matches_python(name: str, kotlin: tuple[Path, dict[str, str]]) -> None:
    """Of the tall photo, Pillow reduces the columns before the rows; noise overshoots in between, and is clipped."""
    expected = _expected(name, kotlin[0])
    result = np.frombuffer((kotlin[0] / f"{name}.out").read_bytes(), np.uint8).reshape(expected.shape)
    difference = result - expected
    assert np.abs(difference).max() <= (4 if name == "strokes_narrow" else 1.5)  # premultiplying rounds again
    assert np.abs(difference).mean() < 0.3 and abs(difference.mean()) < 0.05
    assert np.array_equal(result[..., 3], expected[..., 3])


@pytest.mark.heavy
def test_kotlin_client_reads_the_stroke_resolution_of_the_model(kotlin: tuple[Path, dict[str, str]]) -> None:
    assert kotlin[1]["stroke resolutions"] == f"{STROKES} {STROKES}"


@pytest.mark.heavy
def test_kotlin_client_called_by_several_threads_gives_equal_results(kotlin: tuple[Path, dict[str, str]]) -> None:
    assert sum(case[6] == 0 for case in CASES.values()) == 14
    assert kotlin[1]["threads equal"] == "14 of 14"


@pytest.mark.heavy
def test_kotlin_client_disables_telemetry_before_loading_onnx_runtime(kotlin: tuple[Path, dict[str, str]]) -> None:
    assert kotlin[1]["set"] == "ORT_DISABLE_TELEMETRY=1 before loading"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("small", "IllegalArgumentException: The photo is 15x20 pixels; it must be at least 16x16"),
        ("strength", "IllegalArgumentException: strength is NaN; it must be from 0 to 1"),
        (
            "mask",
            "IllegalArgumentException: The mask is 20x18 pixels, but the photo is 20x20; "
            "their aspect ratios must be equal",
        ),
        ("threads", "IllegalArgumentException: threads is 0; it must be at least 1"),
        ("model", "OrtException"),
        ("strokes", "IllegalArgumentException: strokeResolution is 15; it must be null or at least 16"),
        ("large strokes", "IllegalArgumentException: strokeResolution is 15; it must be null or at least 16"),
        ("large small", "IllegalArgumentException: The photo is 20x15 pixels; it must be at least 16x16"),
        ("large strength", "IllegalArgumentException: strength is 1.5; it must be from 0 to 1"),
        (
            "large mask",
            "IllegalArgumentException: The mask is 9x12 pixels, but the photo is 20x20; "
            "their aspect ratios must be equal",
        ),
        ("large pixels", "IllegalArgumentException: thumbnailPixels is 0; it must be at least 1"),
        ("large threads", "IllegalArgumentException: threads is 0; it must be at least 1"),
        ("large closed", "IllegalStateException: This StyleTransferLarge is closed; create a new one"),
        ("closed", "IllegalStateException: This StyleTransfer is closed; create a new one"),
    ],
)
def test_kotlin_client_wrong_argument_throws_one_sentence(
    name: str, sentence: str, kotlin: tuple[Path, dict[str, str]]
) -> None:
    assert kotlin[1][name] == sentence


def _syntax_errors(node: tree_sitter.Node) -> list[str]:
    here = [f"line {node.start_point.row + 1}: {node.type}"] if node.is_error or node.is_missing else []
    return here + [error for child in node.children for error in _syntax_errors(child)]


@pytest.mark.parametrize("name", [Path(name).name for name in client_files.CLIENTS if name.endswith(".swift")])
def test_swift_client_parses_without_syntax_error(name: str) -> None:
    """Of Swift only the syntax is checked: no Swift compiler, and no Core ML, runs outside Apple's systems here."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
    tree = parser.parse((CLIENTS / "swift" / name).read_bytes())
    assert _syntax_errors(tree.root_node) == []
