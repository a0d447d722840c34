"""Write a bundle: the folder appears complete, or stays as it was."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from impasto.configs.atomic_folder import atomic_folder
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.export import ExportConfig
from impasto.export.bundle import artifacts, licenses, page, readme, store
from impasto.export.bundle.manifest import (
    ATTRIBUTES,
    ATTRIBUTES_TEXT,
    FILE_MANAGER,
    FORMAT,
    MANIFEST,
    MEASURED,
    README,
    SCHEMA,
    SCHEMA_FILE,
    CheckpointEntry,
    FileEntry,
    Manifest,
    Style,
    file_names,
)
from impasto.export.formats import FORMATS
from impasto.export.runtime import tools_folder
from impasto.models import checkpoint, zoo
from impasto.models.contract import Label
from impasto.models.provenance import sha256, versions
from impasto.models.store import Store


def write(config: ExportConfig, on_progress: Callable[[str], object]) -> tuple[Manifest, artifacts.BuiltBundle]:
    """Export a checkpoint into the folder `config.output`, which appears complete or stays as it was.

    Args:
        config: The configuration.
        on_progress: Receives a line on the current step.

    Raises:
        UsageError: The checkpoint or the folder cannot be used.
        CheckFailed: A file differs from the network by more than its tolerance.
    """
    source = zoo.resolve(config.checkpoint, checkpoint.SUFFIX, config.model)
    output = Path(config.output).expanduser().resolve()
    check_target(output)
    network, card = store.load(source, config.style, config.style_files)
    if config.sample and isinstance(network, Store):
        raise UsageError("sample=true is for one painting; export a style of the store with style=NAME")
    label = Label.of(card)
    with atomic_folder(output, check_target) as staging:
        built = artifacts.fill(network, staging, config, label, on_progress, store.variants(card))
        entry = store.write_styles(staging, network, card) if isinstance(network, Store) else None
        built = replace(built, descriptions=built.descriptions | (store.DESCRIPTIONS if entry else {}))
        if config.onnx.io == "uint8_rgba":
            page.write(staging, label, card, tools_folder(config.tools_dir))
        sizes = {name: (staging / name).stat().st_size for name in file_names(staging)}
        chain = licenses.chain(card, config.licenses, staging)
        (staging / README).write_text(readme.render(label, built, sizes, chain, entry), encoding="utf-8")
        licenses.write(staging)
        shutil.copyfile(SCHEMA_FILE, staging / SCHEMA)
        (staging / ATTRIBUTES).write_text(ATTRIBUTES_TEXT, encoding="utf-8", newline="\n")
        libraries = [name for form in FORMATS.values() for name in form.libraries]
        manifest = Manifest(
            format=FORMAT,
            style=Style(label.style, label.stroke_resolution, label.grain),
            licenses=chain,
            models=built.models,
            graph=built.graph,
            parity=built.parity,
            skipped_runtimes=built.skipped_runtimes,
            files={name: _entry(staging / name) for name in file_names(staging) if name != MEASURED},
            checkpoint=CheckpointEntry(sha256(source), card),
            versions=versions(*libraries),
            store=entry,
        )
        manifest.save(staging)
    return manifest, built


def check_target(output: Path) -> None:
    """Raise UsageError unless `output` does not exist, is empty, or is an earlier bundle without any change.

    It will be deleted, so its files must be those that were exported: neither edits nor foreign files may get lost.
    """
    if not output.exists():
        return
    if not output.is_dir():
        raise UsageError(f"output={output} is a file; name a folder")
    if not any(output.iterdir()):
        return
    if not (output / MANIFEST).is_file():
        raise UsageError(f"output={output} is neither empty nor an earlier bundle; name another folder")
    remedy = "name another folder, or delete this one"
    try:
        manifest = Manifest.load(output)
        damage = manifest.damage(output)
    except (CheckFailed, UsageError, OSError) as error:
        raise UsageError(f"output={output} is not an intact bundle ({error}); {remedy}") from error
    if damage:
        raise UsageError(f"output={output} was changed since its export ({damage[0].partition(';')[0]}); {remedy}")
    added = [name for name in manifest.additions(output) if Path(name).name not in FILE_MANAGER]
    if added:
        raise UsageError(f"output={output} contains {added[0]}, which is not part of the bundle there; move it away")


def _entry(path: Path) -> FileEntry:
    return FileEntry(path.stat().st_size, sha256(path))
