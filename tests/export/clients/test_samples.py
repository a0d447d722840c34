"""The sample apps and the modules: compiled against stubs, parsed, resources linked, as far as Linux reaches."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import android, swift
from tests.helpers.android import CLIENTS
from tests.helpers.heavy import missing, tool

_SAMPLES = Path(str(CLIENTS)) / "samples"
_APP = _SAMPLES / "android" / "app" / "src" / "main"
_FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
_PROJECT = _SAMPLES / "ios" / "StyleTransferSample.xcodeproj" / "project.pbxproj"
_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|\s+|"((?:[^"\\]|\\.)*)"|([\w./$]+)|([{}()=;,])', re.DOTALL)


@pytest.mark.parametrize("path", sorted(_SAMPLES.glob("ios/*/*.swift")), ids=lambda path: path.name)
def test_swift_sample_parses_without_syntax_error(path: Path) -> None:
    assert swift.syntax_errors(path) == []


def test_swift_package_parses_without_syntax_error() -> None:
    assert swift.syntax_errors(Path(str(CLIENTS)) / "swift" / "Package.swift") == []


def _parsed(text: str) -> Any:
    """Return a property list of NeXT's format, of dictionaries, arrays and strings."""
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match, text[position : position + 40]
        position = match.end()
        if match[1] is not None:
            tokens.append(("text", match[1]))
        elif match[2] or match[3]:
            tokens.append(("text" if match[2] else "sign", match[2] or match[3]))
    tokens.reverse()

    def expect(sign: str) -> None:
        assert tokens.pop() == ("sign", sign)

    def value() -> Any:
        kind, word = tokens.pop()
        if kind == "text":
            return word
        result: Any = {} if word == "{" else []
        while tokens[-1] not in (("sign", "}"), ("sign", ")")):
            if word == "{":
                key = tokens.pop()[1]
                expect("=")
                assert key not in result
                result[key] = value()
                expect(";")
            else:
                result.append(value())
                expect(",")
        expect("}" if word == "{" else ")")
        return result

    result = value()
    assert not tokens
    return result


def test_xcode_project_refers_to_objects_and_folders_that_exist() -> None:
    project = _parsed(_PROJECT.read_text())
    objects = project["objects"]
    named = set(re.findall(r"\b1A[0-9A-F]{22}\b", _PROJECT.read_text()))
    assert named == set(objects) and objects[project["rootObject"]]["isa"] == "PBXProject"
    (group,) = [entry for entry in objects.values() if entry["isa"] == "PBXFileSystemSynchronizedRootGroup"]
    assert (_SAMPLES / "ios" / group["path"] / "ContentView.swift").is_file()
    (package,) = [entry for entry in objects.values() if entry["isa"] == "XCLocalSwiftPackageReference"]
    assert package["relativePath"] == "../../ios"  # from samples/ios to the clients in a bundle
    settings = [entry["buildSettings"] for entry in objects.values() if entry["isa"] == "XCBuildConfiguration"]
    usages = "INFOPLIST_KEY_NSCameraUsageDescription", "INFOPLIST_KEY_NSPhotoLibraryAddUsageDescription"
    assert sum(all(usage in entry for usage in usages) for entry in settings) == 2


def test_android_xml_is_well_formed_and_the_module_removes_the_telemetry() -> None:
    module = ElementTree.parse(Path(str(CLIENTS)) / "kotlin" / "AndroidManifest.xml").getroot()
    (provider,) = module.iter("provider")
    assert {
        "ai.onnxruntime.TelemetryInitializer",
        "remove",
        "${applicationId}.onnxruntime_telemetry_initializer",
    } == {*provider.attrib.values()}
    for path in _APP.rglob("*.xml"):
        ElementTree.parse(path)


def test_android_sample_takes_the_clients_of_the_bundle_as_a_module() -> None:
    settings = (_SAMPLES / "android" / "settings.gradle.kts").read_text()
    assert 'projectDir = file("../../android")' in settings and 'include(":impasto")' in settings
    assert 'implementation(project(":impasto"))' in (_SAMPLES / "android" / "app" / "build.gradle.kts").read_text()


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with R.java of the sample app, whose resources and manifest aapt2 has compiled and linked."""
    if not _FRAMEWORK.exists():
        missing("Android's resources are not installed; install the Debian package android-framework-res")
    folder, aapt = tmp_path_factory.mktemp("resources"), tool("aapt2")
    manifest = (_APP / "AndroidManifest.xml").read_text().replace("<manifest ", '<manifest package="impasto.sample" ')
    (folder / "AndroidManifest.xml").write_text(manifest)  # Gradle adds the package, from `namespace`
    android.run(aapt, "compile", "--dir", _APP / "res", "-o", folder / "resources.zip")
    android.run(
        *(aapt, "link", "-I", _FRAMEWORK, "--manifest", folder / "AndroidManifest.xml", "--java", folder),
        *("--min-sdk-version", "29", "--target-sdk-version", "36", "-o", folder / "app.apk", folder / "resources.zip"),
    )
    return folder


@pytest.mark.heavy
def test_android_module_manifest_links(tmp_path: Path) -> None:
    text = (Path(str(CLIENTS)) / "kotlin" / "AndroidManifest.xml").read_text()
    assert 'namespace = "impasto.clients"' in (Path(str(CLIENTS)) / "kotlin" / "build.gradle.kts").read_text()
    (tmp_path / "AndroidManifest.xml").write_text(text.replace("<manifest ", '<manifest package="impasto.clients" '))
    if not _FRAMEWORK.exists():
        missing("Android's resources are not installed; install the Debian package android-framework-res")
    manifest = "--manifest", tmp_path / "AndroidManifest.xml"
    android.run(tool("aapt2"), "link", "-I", _FRAMEWORK, *manifest, "-o", tmp_path / "module.apk")


@pytest.mark.heavy
def test_android_sample_compiles_against_the_clients_and_stubs(compiled: Path, resources: Path, tmp_path: Path) -> None:
    android.run(tool("javac"), "-d", tmp_path / "r", resources / "impasto" / "sample" / "R.java")
    sources = [
        *_APP.glob("kotlin/*.kt"),
        *android.ANDROID.glob("sample/*.kt"),
        android.ANDROID / "libraries/CameraX.kt",
    ]
    jars = [compiled / name for name in ("callers.jar", "classes.jar", "coroutines.jar", f"android-{android.NEWEST}")]
    android.compile_kotlin(sources, [*jars, tmp_path / "r"], tmp_path / "classes", java=11)
    assert (tmp_path / "classes" / "impasto" / "sample" / "MainActivity.class").exists()
