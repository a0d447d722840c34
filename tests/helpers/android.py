"""Compile and run the Kotlin clients on a desktop JVM, on a stub of Android and the Java bindings for Android."""

import os
import platform
import re
import subprocess
import zipfile
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from impasto.export import client_files
from tests.helpers.client_cases import CASES, CASES_BY_NAME, STROKE_CASES, line_of
from tests.helpers.heavy import missing, tool

CLIENTS = files("impasto.export") / "clients"
ANDROID = Path(__file__).parents[1] / "assets" / "android"
OLDEST, NEWEST = 24, 29  # levels of the API: the oldest on which the clients run, and the newest that the stub has
_BINDINGS = "libonnxruntime4j_jni.so"
_NEWER = re.compile(r"/\* API (\d+) \*/\n(.*?)/\* end \*/\n", re.DOTALL)


_COMPILE_MINUTES = 20  # Kotlin's compiler takes 15 seconds of a core that it has for itself


def run(*command: str | Path, timeout: float = 300, **environment: str) -> str:
    """Return the standard output of a command; fail the test with all its output if it fails."""
    done = _started(*command, timeout=timeout, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _started(*command: str | Path, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, env={**os.environ, **environment}
    )


def compile_all(folder: Path) -> None:
    """Write the stubs of two levels of the API, callers.jar, and the native libraries into a folder."""
    if platform.machine() not in {"x86_64", "AMD64"}:
        missing("the Java bindings run on x86-64 only")
    (folder / "coroutines.jar").symlink_to(tool("kotlin-compiler") / "lib" / "kotlinx-coroutines-core-jvm.jar")
    library = tool("com.github.asus4.onnxruntime") / "Plugins"
    javac, gcc = tool("javac"), tool("gcc")
    with zipfile.ZipFile(library / "Android" / "onnxruntime.aar") as aar:
        aar.extract("classes.jar", folder)
        aar.extract("proguard.txt", folder)
        (folder / _BINDINGS).write_bytes(aar.read(f"jni/x86_64/{_BINDINGS}"))
    for level in (OLDEST, NEWEST):
        _compile_stub(javac, level, folder)
    sources = [
        *ANDROID.glob("*.kt"),
        *ANDROID.glob("libraries/*.kt"),
        *(Path(str(CLIENTS)) / "kotlin" / Path(name).name for name in client_files.CLIENTS if name.endswith(".kt")),
    ]
    classes = [folder / name for name in (f"android-{NEWEST}", "classes.jar", "coroutines.jar")]
    compile_kotlin(sources, classes, folder / "callers.jar", java=8)  # Android 7 has the classes of Java 8
    _compile_native(gcc, library / "Linux" / "x64" / "libonnxruntime.so", folder)


def compile_kotlin(sources: Iterable[Path], classes: Iterable[Path], output: Path, java: int) -> None:
    """Compile with warnings as errors, against classes and what a release of Java has; a jar includes the runtime."""
    flags = ["-Werror", f"-Xjdk-release={java}", *(["-include-runtime"] if output.suffix == ".jar" else [])]
    run(
        *(str(tool("kotlin-compiler") / "bin" / "kotlinc"), *flags),
        *("-cp", ":".join(map(str, classes)), "-d", str(output), *map(str, sources)),
        timeout=60 * _COMPILE_MINUTES,
        JAVA_OPTS="-XX:TieredStopAtLevel=1",  # the compiler runs once: optimizing it costs more than it gains
    )


def _compile_stub(javac: Path, level: int, folder: Path) -> None:
    """Compile the stub with the members that Android has at a level of its API."""
    sources = []
    for path in sorted(ANDROID.glob("android/**/*.java")):
        text = _NEWER.sub(lambda match: match[2] if int(match[1]) <= level else "", path.read_text())
        if text.strip():
            sources.append(folder / f"sources-{level}" / path.relative_to(ANDROID))
            sources[-1].parent.mkdir(parents=True, exist_ok=True)
            sources[-1].write_text(text)
    run(javac, "--release", "11", "-d", folder / f"android-{level}", *sources)


def _compile_native(gcc: Path, library: Path, folder: Path) -> None:
    (folder / "libonnxruntime.so.1").symlink_to(library)
    flags = "-shared", "-fPIC", "-fno-builtin", "-fno-stack-protector", "-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed"
    for name, version in (("c", "LIBC"), ("m", "LIBC"), ("dl", "LIBC"), ("onnxruntime", "VERS_1.29.0")):
        (folder / "map").write_text(f"{version} {{ global: *; }};")
        linked = [folder / "libonnxruntime.so.1"] if name == "onnxruntime" else []
        named = f"-Wl,-soname,lib{name}.so", f"-Wl,--version-script,{folder / 'map'}"
        run(gcc, *flags, *named, "-o", folder / f"lib{name}.so", ANDROID / "bionic.c", *linked)


def run_cases(
    folder: Path, output: Path, names: Iterable[str], *arguments: str, level: int = NEWEST, shrunk: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Main.kt on cases, at a level of Android's API, or from a shrunk jar; write the results to `output`."""
    names = list(names)
    output.mkdir(exist_ok=True)
    (output / "cases.txt").write_text("\n".join(line_of(name) for name in names if name in CASES))
    strokes = [f"{STROKE_CASES[name][0]} {line_of(name)}" for name in names if name in STROKE_CASES]
    (output / "strokes.txt").write_text("\n".join(strokes))
    assert len(names) == len(set(names) & set(CASES_BY_NAME))
    jars = [shrunk] if shrunk else [folder / "callers.jar", folder / "classes.jar", folder / "coroutines.jar"]
    classes = *jars, folder / f"android-{level}"
    command: list[str | Path] = [
        tool("java"),
        f"-Donnxruntime.native.path={folder}",
        f"-Dandroid.api={level}",
        "-Xmx3g",
    ]
    command += [f"-XX:ErrorFile={output / 'crash.log'}", "-XX:-CreateCoredumpOnCrash"]
    command += ["-cp", ":".join(map(str, classes)), "MainKt", folder, output, *arguments]
    return _started(*command, LD_LIBRARY_PATH=str(folder), ORT_DISABLE_TELEMETRY="1")
