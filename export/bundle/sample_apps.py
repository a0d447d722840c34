"""The sample apps for Android and iOS, with the style of a bundle."""

import json
import re
import shutil
from pathlib import Path

from impasto.export.litert.contracts import FILE as LITERT_FILE
from impasto.models.contract import Label
from impasto.models.onnx_model import IN_BUNDLE

FOLDER = "samples"
DESCRIPTION = "a complete app for Android and one for iOS with this style; see `samples/README.md`"

_SOURCES = Path(__file__).parents[1] / "clients" / "samples"
_STYLES_OF_ANDROID = Path("android", "app", "src", "main", "assets", "styles")
_STYLES_OF_IOS = Path("ios", "StyleTransferSample", "Styles")
_PACKAGE = re.compile(r"Model_(\d+x\d+)\.mlpackage")


def slug(style: str) -> str:
    """Return the name of a style as a file name and as a Swift class."""
    return re.sub(r"[^a-z0-9]+", "_", style.lower()).strip("_") or "style"


def write(bundle: Path, label: Label) -> None:
    """Copy the apps into a bundle, and its models into the apps; without Core ML packages, only that for Android."""
    packages = {match[1]: path for path in bundle.glob("ios/*") if (match := _PACKAGE.fullmatch(path.name))}
    samples = bundle / FOLDER
    shutil.copytree(_SOURCES, samples, ignore=None if packages else shutil.ignore_patterns("ios"))
    style = samples / _STYLES_OF_ANDROID / slug(label.style)
    style.mkdir(parents=True)
    smallest = (bundle / IN_BUNDLE).with_suffix(".int8.onnx")
    shutil.copyfile(smallest if smallest.exists() else bundle / IN_BUNDLE, style / "model.onnx")
    if (bundle / LITERT_FILE).exists():
        shutil.copyfile(bundle / LITERT_FILE, style / "model.tflite")
    (style / "name.txt").write_text(label.style + "\n", encoding="utf-8", newline="\n")
    if packages:
        styles = samples / _STYLES_OF_IOS
        styles.mkdir()
        for size, path in packages.items():
            shutil.copytree(path, styles / f"{slug(label.style)}_{size}.mlpackage")
        entries = [{"id": slug(label.style), "name": label.style}]
        text = json.dumps(entries, ensure_ascii=False, indent=2) + "\n"
        (styles / "styles.json").write_text(text, encoding="utf-8", newline="\n")
