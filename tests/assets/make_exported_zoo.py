"""Hash the files that two small networks of the zoo export to, without the versions in their metadata.

Run: .venv/bin/python -m tests.assets.make_exported_zoo, which writes tests/assets/exported_zoo.json (a minute). Run it
again after an upgrade of torch or coremltools that changes exported files, and say so in the changelog.
"""

import hashlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import onnx

from impasto.export.contract import Tolerance
from impasto.export.coreml import exporter as coreml_exporter
from impasto.export.onnx_graph import tiled_pair, weight_compression
from impasto.models import checkpoint, onnx_writer, zoo
from impasto.models.contract import Label

HASHES = Path(__file__).with_name("exported_zoo.json")
NETWORKS = ("zoo/great_wave/tiny", "zoo/starry_night/tiny")


def main() -> None:
    """Write the hashes of all networks."""
    HASHES.write_text(json.dumps({name: hashes(name) for name in NETWORKS}, indent=1) + "\n", encoding="utf-8")


def hashes(name: str) -> dict[str, str]:
    """The SHA-256 of each exported file of a network, with the version of torch and impasto removed."""
    network, card = checkpoint.load(zoo.resolve(name, checkpoint.SUFFIX))
    label = Label.of(card)
    label = replace(label, version="0")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "android").mkdir()
        result = {}
        for io in ("float32_rgb", "uint8_rgba"):
            onnx_writer.write(network, folder / "model.onnx", io, label)
            model = without_versions(onnx.load(folder / "model.onnx"))
            result[io] = _sha256(model)
        result["fp16"] = _sha256(weight_compression.fp16_stored(model))
        result["int8"] = _sha256(weight_compression.int8_stored(model))
        tiled_pair.write(model, folder, 384, Tolerance(max_difference=2))
        for file in (tiled_pair.STATS, tiled_pair.TILE):
            result[file] = _sha256(onnx.load(folder / file))
        coreml_exporter.write_all(network, folder, [(64, 64)], label)
        for path in sorted(folder.glob("*.mlpackage/**/*")):
            if path.is_file() and path.suffix != ".mlmodel":  # .mlmodel names the versions of coremltools and torch
                result[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return result


def without_versions(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a model without the versions of torch and impasto in its metadata."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.producer_version = ""
    properties = {item.key: item.value for item in model.metadata_props}
    onnx.helper.set_model_props(result, properties | {"torch": "", "impasto": ""})
    return result


def _sha256(model: onnx.ModelProto) -> str:
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


if __name__ == "__main__":
    main()
