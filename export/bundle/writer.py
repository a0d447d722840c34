"""Write a bundle: the folder appears complete, or stays as it was."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.export import ExportConfig
from impasto.export.bundle import artifacts, licenses, readme, store
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
    label = Label.of(card)
    with _atomic_folder(output) as staging:
        built = artifacts.fill(network, staging, config, label, on_progress, store.variants(card))
        entry = store.write_styles(staging, network, card) if isinstance(network, Store) else None
        built = replace(built, descriptions=built.descriptions | (store.DESCRIPTIONS if entry else {}))
        sizes = {name: (staging / name).stat().st_size for name in file_names(staging)}
        chain = licenses.chain(card, config.licenses, staging)
        (staging / README).write_text(readme.render(label, built, sizes, chain, entry), encoding="utf-8")
        licenses.write(staging)
        shutil.copyfile(SCHEMA_FILE, staging / SCHEMA)
        (staging / ATTRIBUTES).write_text(ATTRIBUTES_TEXT, encoding="utf-8", newline="\n")
        libraries = [name for form in FORMATS.values() for name in form.libraries]
        manifest = Manifest(
            format=FORMAT,
            style=Style(label.style, label.stroke_resolution),
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


@contextmanager
def _atomic_folder(output: Path) -> Iterator[Path]:
    """A hidden folder beside `output` to write to, which replaces it at the end, and is removed where that fails.

    An OSError becomes a UsageError. (configs.atomic_file does the same for files.)
    """
    created = [folder for folder in output.parents if not folder.exists()]
    staging = output.parent / f".impasto-{uuid.uuid4().hex}.part"
    try:
        staging.mkdir(parents=True)
        yield staging
        check_target(output)  # again, since an export takes minutes
        _replace(output, staging)
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in created:
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise UsageError(f"output={output} cannot be written: {_reason(error)}") from error
        raise


def _replace(output: Path, staging: Path) -> None:
    """Rename `staging` to `output`; an earlier `output` is removed afterwards, and restored where that fails."""
    old = output.parent / f".impasto-{uuid.uuid4().hex}.old"
    try:
        if output.exists():
            output.rename(old)
        staging.rename(output)
    except BaseException:
        if old.exists() and not output.exists():
            old.rename(output)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _reason(error: OSError) -> str:
    """The reason in a few words; an error of copytree is a list of (source, target, reason)."""
    why = str(error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror or error)
    return why.split("] ")[-1].split(":")[0].strip("\"'] ")


def _entry(path: Path) -> FileEntry:
    return FileEntry(path.stat().st_size, sha256(path))
