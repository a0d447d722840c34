"""The run directory: its name is known before a task starts, and the task creates it once its checks have passed."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override

from impasto.configs.cli.overrides import RUN_DIR
from impasto.configs.errors import UsageError


@contextmanager
def selected(config: DictConfig) -> Iterator[None]:
    """Let the block see the composed configuration through HydraConfig, as Hydra's own jobs do."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    try:
        _select(directory(HydraConfig.get().run.dir, RUN_DIR))
        yield
    finally:
        HydraConfig.instance().cfg = before


def directory(path: str, key: str) -> Path:
    """The absolute path of a directory, which need not exist; UsageError if it is a file."""
    if Path(path).exists() and not Path(path).is_dir():
        raise UsageError(f"{key}={Path(path).absolute()} is a file; give a directory")
    return Path(path).absolute()


def claim() -> Path:
    """Create the directory of the current run; if its default name is taken, NAME-2, NAME-3 and so on."""
    hydra = HydraConfig.get()
    named = hydra.mode == RunMode.MULTIRUN or any(line.startswith(f"{RUN_DIR}=") for line in hydra.overrides.hydra)
    return _select(create(Path(hydra.runtime.output_dir), exist_ok=named))


def create(path: Path, exist_ok: bool) -> Path:
    """Create a directory, or the first free one of PATH-2, PATH-3 and so on if `exist_ok` is False."""
    for candidate in chain([path], (path.with_name(f"{path.name}-{number}") for number in count(2))):
        with suppress(FileExistsError):
            candidate.mkdir(parents=True, exist_ok=exist_ok)
            return candidate
    raise AssertionError


def save(settings: Any) -> None:
    """Write settings and overrides of the current run into its directory, for resume=."""
    folder = Path(HydraConfig.get().runtime.output_dir) / ".hydra"
    write(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(asdict(settings))))
    write(folder / "overrides.yaml", OmegaConf.to_yaml(HydraConfig.get().overrides.task))


def write(path: Path, text: str) -> None:
    """Write a file and its directory, the file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{uuid.uuid4().hex}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _select(path: Path) -> Path:
    hydra: Any = HydraConfig.get()
    with flag_override(hydra, ["readonly", "struct"], False):
        hydra.runtime.output_dir = str(path)
    return path
