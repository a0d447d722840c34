"""The manifest: the one description of a bundle, and the check that the files beside it are those it describes."""

import hashlib
import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, Literal

from impasto.configs.errors import CheckFailed, UsageError
from impasto.export.bundle import checksummed_json
from impasto.export.bundle.licenses import License
from impasto.export.contract import ImageSize, ModelArtifact
from impasto.export.validation.parity import ParityResult
from impasto.models.card import Card
from impasto.models.provenance import sha256
from impasto.models.typed_json import ForeignJson, TypedJson

FORMAT: Final = "impasto-bundle-4"
MANIFEST = "manifest.json"
SCHEMA = "manifest.schema.json"
CHECKSUMS = "SHA256SUMS"
MEASURED = "measured.json"  # beside the manifest, since it differs between machines
SIGNATURES = (f"{CHECKSUMS}.sig", f"{CHECKSUMS}.sigstore.json")  # of ssh-keygen and of Sigstore: added by who releases
ATTRIBUTES = ".gitattributes"
ATTRIBUTES_TEXT = "# Git must not convert line ends here: SHA256SUMS has the checksum of every byte.\n* -text\n"
UNLISTED = {MANIFEST, MEASURED, CHECKSUMS, *SIGNATURES}  # in Manifest.files
README = "README.md"
BLEND = "blend"  # the name of the blend of styles in which the models of a store are compared
SCHEMA_FILE = Path(__file__).parents[1] / "schemas" / SCHEMA
FILE_MANAGER = {".DS_Store", "Thumbs.db", "desktop.ini"}  # file managers create these in any folder
_REMEDY = "get the bundle again from its source"
_SIDES = 16, 4096  # px of a function of a model


@dataclass(frozen=True)
class Style(TypedJson):
    """The style image."""

    name: str
    stroke_resolution: int | None = None
    """The short side in px at which a photo is stylized by default; null means the size of the photo itself."""
    grain: float = 0.0
    """The standard deviation, in levels, of the smooth noise that a photo gets by default."""


@dataclass(frozen=True)
class StoreStyle(TypedJson):
    """A style of a store."""

    name: str
    stroke_resolution: int | None
    file: str
    """The file of the style, by its path in the bundle."""


@dataclass(frozen=True)
class Store(TypedJson):
    """The styles of a store, which its models have in this order."""

    styles: list[StoreStyle]
    golden: dict[str, dict[str, float]]
    """The folders of golden images, with the weights of the styles that they show."""

    def weights(self, folder: str) -> tuple[float, ...]:
        """The weight of each style in a folder of golden images."""
        return tuple(self.golden[folder].get(style.name, 0.0) for style in self.styles)


@dataclass(frozen=True)
class FileEntry(TypedJson):
    """A file of the bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class MemoryEstimate(TypedJson):
    """The memory that android/model.onnx needs for an image, computed from its graph."""

    size: ImageSize
    bytes: int


@dataclass(frozen=True)
class GraphReport(TypedJson):
    """The graph of android/model.onnx."""

    operators: dict[str, int]
    """The number of nodes of each operator."""
    execution_providers: dict[str, str]
    """How much of the graph each execution provider supports."""
    memory: list[MemoryEstimate]


@dataclass(frozen=True)
class CheckpointEntry(TypedJson):
    """The checkpoint that the bundle was exported from."""

    sha256: str
    card: Card
    """The checkpoint's card: architecture, style, loss, training."""


@dataclass(frozen=True)
class Manifest(ForeignJson):
    """The description of a bundle."""

    format: Literal["impasto-bundle-4"]
    style: Style
    licenses: list[License]
    """The licenses of the code and the network, and of what the network was trained with."""
    models: list[ModelArtifact]
    graph: GraphReport
    parity: list[ParityResult]
    """How far the images of each model were from PyTorch's when the bundle was exported."""
    skipped_runtimes: dict[str, str]
    """The reason for each runtime that did not run."""
    files: dict[str, FileEntry]
    """Each file by its path in the bundle, except this one, SHA256SUMS and measured.json."""
    checkpoint: CheckpointEntry
    versions: dict[str, str]
    """The versions of the libraries that wrote the bundle."""
    store: Store | None = None
    """The styles of a store; the manifest of a network of one painting has no such key."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        values = super().to_json()
        return {key: value for key, value in values.items() if key != "store" or value is not None}

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Read the manifest of a bundle.

        Raises:
            UsageError: The folder is not a bundle, or one of another format.
            CheckFailed: The manifest was changed after it was written.
        """
        path = folder / MANIFEST
        if not folder.is_dir():
            raise UsageError(f"bundle={folder} is not a folder; name one that impasto-export wrote")
        if not path.is_file():
            raise UsageError(
                f"bundle={folder} is not a bundle: it contains no {MANIFEST}; name a folder that impasto-export wrote"
            )
        values = checksummed_json.read(path)
        if values.get("format") != FORMAT:
            raise UsageError(_other_format(folder, values.get("format")))
        manifest = cls.from_json(values)
        problem = _contradiction(manifest.models, manifest.files) or _store_contradiction(manifest)
        if problem is not None:
            raise CheckFailed(f"{MANIFEST} is inconsistent: {problem}; get the bundle again from its source")
        return manifest

    def save(self, folder: Path) -> None:
        """Write the manifest of a bundle, and SHA256SUMS."""
        checksummed_json.write(folder / MANIFEST, self.to_json())
        (folder / CHECKSUMS).write_text(self._checksums(folder), encoding="utf-8")

    def digest(self, folder: Path) -> str:
        """Return the SHA-256 of SHA256SUMS as it must be: it stands for every byte of the bundle but measured.json."""
        return hashlib.sha256(self._checksums(folder).encode()).hexdigest()

    def check_file(self, folder: Path, name: str) -> None:
        """Raise CheckFailed if a file of the bundle, listed or not, is missing, changed, a link or not part of it."""
        path, entry = folder / name, self.files.get(name)
        try:
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise CheckFailed(f"{name} is outside the bundle; {_REMEDY}")
            if path.is_symlink():
                raise CheckFailed(f"{name} is a link; put the file itself there")
            if not path.exists():
                raise CheckFailed(f"{name} is missing; {_REMEDY}")
            if not path.is_file():
                raise CheckFailed(f"{name} is not a regular file; {_REMEDY}")
            if name == MEASURED:
                checksummed_json.read(path)
            elif name == CHECKSUMS:
                if path.read_bytes() != self._checksums(folder).encode():
                    raise CheckFailed(f"{name} was changed: it differs from the manifest; {_REMEDY}")
            elif entry is None:
                raise CheckFailed(f"{name} is not part of the bundle; delete it before the bundle is used")
            elif (size := path.stat().st_size) != entry.bytes:
                raise CheckFailed(f"{name} was changed: it has {size:,} bytes, not {entry.bytes:,}; {_REMEDY}")
            elif sha256(path) != entry.sha256:
                raise CheckFailed(f"{name} was changed: its SHA-256 is not the one in the manifest; {_REMEDY}")
        except OSError as error:
            raise CheckFailed(f"{name} cannot be read: {error.strerror or error}; {_REMEDY}") from error

    def names(self, folder: Path) -> list[str]:
        """Return the paths that `check_file` must be called for: what is listed, and what else the folder contains."""
        added = [name for name in self.additions(folder) if name.split("/")[0] != ".git"]  # it may be a repository
        measured = [MEASURED] if MEASURED in file_names(folder) else []
        linked = [MANIFEST] if (folder / MANIFEST).is_symlink() else []
        return [*linked, *self.files, CHECKSUMS, *measured, *added]

    def check_files(self, folder: Path) -> None:
        """Raise CheckFailed unless the files of a bundle are those of its manifest, and no others."""
        for name in self.names(folder):
            self.check_file(folder, name)

    def damage(self, folder: Path) -> list[str]:
        """Return a sentence for each listed file of a bundle that is missing, changed, a link or a device."""
        problems = []
        for name in (*self.files, CHECKSUMS):
            try:
                self.check_file(folder, name)
            except CheckFailed as error:
                problems.append(str(error))
        return problems

    def additions(self, folder: Path) -> list[str]:
        """Return the files of a bundle's folder that the manifest does not list."""
        return sorted({*file_names(folder)} - {*UNLISTED, *self.files})

    def _checksums(self, folder: Path) -> str:
        """The lines that `sha256sum -c` reads, for all files but those that differ between machines."""
        entries = {name: entry.sha256 for name, entry in self.files.items()} | {MANIFEST: sha256(folder / MANIFEST)}
        return "".join(f"{digest}  {name}\n" for name, digest in sorted(entries.items()))


def manifest_schema() -> dict[str, Any]:
    """Return the JSON schema of manifest.json."""
    schema = Manifest.schema()
    digest = {"description": "The SHA-256 of the JSON above it.", "type": "string", "pattern": "^[0-9a-f]{64}$"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "properties": schema["properties"] | {checksummed_json.HASH_KEY: digest},
        "required": [*schema["required"], checksummed_json.HASH_KEY],
    }


def write_schema(path: Path) -> None:
    """Write the JSON schema of manifest.json; `python -m impasto.export.bundle.manifest` writes SCHEMA_FILE."""
    path.write_text(json.dumps(manifest_schema(), indent=2) + "\n", encoding="utf-8")


def file_names(folder: Path) -> list[str]:
    """Return the paths of the files below a folder. A link counts as a file, whatever it leads to."""
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _contradiction(models: Sequence[ModelArtifact], files: Container[str]) -> str | None:
    """The first thing that a manifest says of its models and that cannot be, since anyone may have written it."""
    for model in models:
        tiling, sizes = model.tiling, model.functions.values()
        contracts = [model.contract] if tiling is None else [model.contract, tiling.stats_contract]
        if model.file not in files and f"{model.file}/Manifest.json" not in files:
            return f"the model {model.file} is not among its files"
        if tiling is not None and tiling.stats not in files:
            return f"{tiling.stats} is not among its files"
        if not all(contract.inputs for contract in contracts):
            return f"{model.file} has no input"
        if not all(_SIDES[0] <= side <= _SIDES[1] for size in sizes for side in (size.width, size.height)):
            return f"{model.file} has a function of an impossible size"
        if tiling is not None and not 1 <= tiling.multiple <= tiling.side <= _SIDES[1]:
            return f"{model.file} has impossible tiles"
        if tiling is not None and not 0 <= 2 * tiling.margin < tiling.side:
            return f"{model.file} has an impossible margin"
        tolerances = [model.tolerance, *model.runtime_tolerances.values()]
        if any((tolerance.max_difference is None) == (tolerance.min_psnr is None) for tolerance in tolerances):
            return f"{model.file} has no tolerance, or two"
    return None


def _store_contradiction(manifest: Manifest) -> str | None:
    """The first thing that a manifest says of its store and that cannot be."""
    store = manifest.store
    if store is None:
        return None
    names = [style.name for style in store.styles]
    if not names or len({*names}) < len(names):
        return "its store has no styles, or two of one name"
    if absent := [style.file for style in store.styles if style.file not in manifest.files]:
        return f"{absent[0]} is not among its files"
    for folder, weights in store.golden.items():
        if not weights.keys() <= {*names} or abs(sum(weights.values()) - 1) > 1e-3:
            return f"{folder} has weights of styles that it lacks, or that do not sum to 1"
    return None


def _other_format(folder: Path, found: Any) -> str:
    """The sentence on a bundle of another format."""
    known, number = FORMAT.rpartition("-")[::2], str(found).rpartition("-")[2]
    newer = str(found).startswith(f"{known[0]}-") and number.isdecimal() and int(number) > int(known[1])
    remedy = "update impasto" if newer else "export it again with this version of impasto"
    return f"bundle={folder} has the format {found}, not {FORMAT}; {remedy}"


if __name__ == "__main__":
    write_schema(SCHEMA_FILE)
