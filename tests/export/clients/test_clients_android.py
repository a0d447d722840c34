"""The Kotlin clients as Android runs them: on the oldest version, closed by other threads, and shrunk."""

import zipfile
from pathlib import Path

import pytest

from tests.helpers import android, android_api
from tests.helpers.client_cases import CASES_BY_NAME
from tests.helpers.heavy import missing, tool

_PROGUARD = Path("/usr/share/java/proguard.jar")
_NEWER = ("HARDWARE", "RGBA_F16", ":")  # configurations and color spaces that the oldest version lacks
_FEW = [
    *("opaque", "premultiplied_third", "straight", "mask", "mask_of_alpha", "large_premultiplied", "large_mask"),
    *("strokes", "strokes_mask", "strokes_large"),
]


@pytest.mark.heavy
def test_kotlin_client_on_the_oldest_android_gives_equal_results(
    kotlin: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """The stub has no newer member there, as that Android: using one throws NoSuchFieldError or NoSuchMethodError."""
    assert not [name for name in _FEW if any(word in str(CASES_BY_NAME[name]) for word in _NEWER)]
    done = android.run_cases(kotlin[0], tmp_path, _FEW, level=android.OLDEST)
    assert done.returncode == 0, done.stderr
    for name in _FEW:
        assert (tmp_path / f"{name}.out").read_bytes() == (kotlin[0] / f"{name}.out").read_bytes(), name


@pytest.mark.heavy
def test_kotlin_clients_compare_the_level_before_they_use_newer_members(compiled: Path) -> None:
    members = android_api.newer_members(compiled / "callers.jar", "impasto/", android.OLDEST, android.NEWEST)
    # In a lambda of readPhoto, which creates it after the comparison.
    assert members.unguarded == {"android.graphics.ImageDecoder.setAllocator"}
    graphics = "android.graphics"
    assert members.guarded == {
        *(f"{graphics}.Bitmap.Config.HARDWARE", f"{graphics}.Bitmap.getColorSpace", f"{graphics}.ColorSpace.isSrgb"),
        *(f"{graphics}.ImageDecoder.createSource", f"{graphics}.ImageDecoder.decodeBitmap"),
    }


def _members_of(expression: str, stub: Path, folder: Path) -> android_api.NewerMembers:
    source = folder / "Unguarded.java"
    source.write_text(
        f"class Unguarded {{ Object get(android.graphics.Bitmap bitmap) throws Exception {{ return {expression}; }} }}"
    )
    android.run(tool("javac"), "--release", "11", "-cp", stub, "-d", folder, source)
    with zipfile.ZipFile(folder / "classes.jar", "w") as jar:
        jar.write(folder / "Unguarded.class", "Unguarded.class")
    return android_api.newer_members(folder / "classes.jar", "Unguarded", android.OLDEST, android.NEWEST)


@pytest.mark.heavy
def test_newer_members_without_a_guard_are_reported(compiled: Path, tmp_path: Path) -> None:
    stub = compiled / f"android-{android.NEWEST}"
    names = {"android.graphics.Bitmap.getColorSpace", "java.nio.file.Files.readAllLines"}
    both = "java.util.Arrays.asList(bitmap.getColorSpace(), java.nio.file.Files.readAllLines(null), bitmap.getWidth())"
    assert _members_of(both, stub, tmp_path) == android_api.NewerMembers(set(), names)
    guarded = f"android.os.Build.VERSION.SDK_INT < 26 ? null : {both}"
    assert _members_of(guarded, stub, tmp_path) == android_api.NewerMembers(names, set())
    with pytest.raises(AssertionError, match=r"java\.lang\.String\.strip/0 is not in the API"):
        _members_of('"".strip()', stub, tmp_path)


@pytest.mark.heavy
def test_kotlin_clients_can_be_called_from_java_without_optional_arguments(compiled: Path, tmp_path: Path) -> None:
    jars = compiled / "callers.jar", compiled / "classes.jar", compiled / f"android-{android.NEWEST}"
    android.run(tool("javac"), "-cp", ":".join(map(str, jars)), "-d", tmp_path, android.ANDROID / "JavaCaller.java")


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("close while running", "returned true, photo none: 100"),
        ("trim while running", "returned true, photo none: 100"),
        ("trim afterwards", "released"),
        ("large close while running", "returned true, photo none: 250"),
        ("large closed inside", "none: 250"),
        ("buffers", "kept true, trimmed true, large released true"),
    ],
)
def test_kotlin_client_releases_memory_without_waiting(
    name: str, result: str, kotlin: tuple[Path, dict[str, str]]
) -> None:
    assert kotlin[1][name] == result


def _as_java_13(content: bytes) -> bytes:
    """Lower the version of a class, which uses nothing newer, to the newest that Debian's ProGuard reads."""
    return content[:6] + min(57, int.from_bytes(content[6:8])).to_bytes(2) + content[8:]


@pytest.fixture(scope="module")
def java_8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A jar of the public classes of Java 8, from the signatures in the JDK."""
    home = tool("javac").resolve().parents[1]
    path = tmp_path_factory.mktemp("java") / "java-8.jar"
    with zipfile.ZipFile(home / "lib" / "ct.sym") as signatures, zipfile.ZipFile(path, "w") as jar:
        for name in signatures.namelist():
            releases, _, inside = name.partition("/")
            if "8" in releases and name.endswith(".sig") and "module-info" not in name:
                path_in_jar = inside.partition("/")[2].removesuffix(".sig") + ".class"
                jar.writestr(path_in_jar, _as_java_13(signatures.read(name)))
    return path


def _shrink(folder: Path, rules: list[Path], java: Path, output: Path) -> None:
    """Shrink Main.kt, the clients, Kotlin's library and ONNX Runtime's classes as a release build of an app does."""
    bindings = output.with_name("bindings.jar")
    with zipfile.ZipFile(folder / "classes.jar") as source, zipfile.ZipFile(bindings, "w") as target:
        for name in source.namelist():
            if name.endswith(".class"):
                target.writestr(name, _as_java_13(source.read(name)))
    with zipfile.ZipFile(folder / "coroutines.jar") as jar:
        coroutines_rules = output.with_name("coroutines.txt")
        coroutines_rules.write_bytes(jar.read("META-INF/proguard/coroutines.pro"))
    if not _PROGUARD.exists():
        missing("ProGuard is not installed; install the Debian package proguard")
    android.run(
        *(tool("java"), "-Xss64m", "-jar", _PROGUARD),  # the stack of its script is too small for Kotlin's library
        *("-injars", f"{folder / 'callers.jar'}(!META-INF/**)", "-injars", bindings),
        *("-injars", f"{folder / 'coroutines.jar'}(!META-INF/**,!**/module-info.class)", "-include", coroutines_rules),
        *("-outjars", output, "-libraryjars", java, "-libraryjars", folder / f"android-{android.NEWEST}"),
        *("-include", android.ANDROID / "proguard-android.txt", "-include", folder / "proguard.txt"),
        *(part for path in rules for part in ("-include", path)),
        "-keep class MainKt { public static void main(java.lang.String[]); }",
        *("-dontnote", "-dontwarn", "-ignorewarnings"),
    )


@pytest.mark.heavy
def test_shrunk_kotlin_client_runs_with_the_rules_of_the_bundle(
    kotlin: tuple[Path, dict[str, str]], java_8: Path, tmp_path: Path
) -> None:
    folder, _ = kotlin
    _shrink(folder, [Path(str(android.CLIENTS / "kotlin" / "consumer-rules.pro"))], java_8, tmp_path / "shrunk.jar")
    with zipfile.ZipFile(tmp_path / "shrunk.jar") as jar:
        names = jar.namelist()
    assert "impasto/StyleTransferLarge.class" not in names  # renamed: no rule is for the clients
    assert "com/google/ai/edge/litert/LiteRtException.class" in names  # its native library creates it
    done = android.run_cases(folder, tmp_path, _FEW, shrunk=tmp_path / "shrunk.jar")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in _FEW:
        assert (tmp_path / f"{name}.out").read_bytes() == (folder / f"{name}.out").read_bytes(), name
    assert "model: OrtException" in done.stdout  # the native library creates and throws it


@pytest.mark.heavy
def test_shrunk_kotlin_client_crashes_without_the_rules_of_the_bundle(
    kotlin: tuple[Path, dict[str, str]], java_8: Path, tmp_path: Path
) -> None:
    """If this fails, ONNX Runtime's Android library has got rules of its own, and a bundle needs none."""
    _shrink(kotlin[0], [], java_8, tmp_path / "shrunk.jar")
    done = android.run_cases(kotlin[0], tmp_path, _FEW, shrunk=tmp_path / "shrunk.jar")
    assert done.returncode != 0 and "libonnxruntime4j_jni.so" in (tmp_path / "crash.log").read_text()
