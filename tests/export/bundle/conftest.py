"""Fixtures for the tests of bundles."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto.configs.cli.app import compose
from impasto.export.bundle import artifacts, writer
from impasto.export.bundle.artifacts import BuiltBundle
from impasto.export.bundle.manifest import Manifest
from tests.helpers.bundles import SETTINGS
from tests.helpers.commands import Run


@pytest.fixture
def export(
    monkeypatch: pytest.MonkeyPatch, saved: Path, exported: tuple[Path, Run]
) -> Callable[..., tuple[Manifest, BuiltBundle]]:
    """Write a bundle of files that impasto-export converted and validated before."""
    folder, _ = exported
    earlier = Manifest.load(folder)
    built = BuiltBundle(earlier.models, {}, earlier.parity, earlier.skipped_runtimes, earlier.graph, None)

    def copy(network: object, staging: Path, *arguments: object) -> BuiltBundle:
        for name in ("android", "ios", "golden"):
            shutil.copytree(folder / name, staging / name)
        return built

    monkeypatch.setattr(artifacts, "fill", copy)

    def call(output: Path, checkpoint: Path = saved) -> tuple[Manifest, BuiltBundle]:
        config = compose("export", [f"checkpoint={checkpoint}", f"output={output}", *SETTINGS])
        return writer.write(config, lambda line: None)

    return call
