"""A bundle that takes no time: its files hold their names, and nothing was exported."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from impasto.configs.cli.app import compose
from impasto.configs.schema.export import ExportConfig
from impasto.export.bundle import artifacts, writer
from impasto.export.bundle.artifacts import BuiltBundle
from impasto.export.bundle.manifest import Manifest
from tests.helpers.bundles import SETTINGS, built, file_names

Export = Callable[..., tuple[Manifest, BuiltBundle]]


@cache
def settings() -> ExportConfig:
    config = compose("export", ["checkpoint=x", "output=y", *SETTINGS])
    assert isinstance(config, ExportConfig)
    return config


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch, saved: Path) -> Export:
    """Write a bundle around files that no exporter wrote: export(output)."""

    def fill(network: object, staging: Path, *arguments: object) -> BuiltBundle:
        for name in file_names():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_text(name)
        return built()

    monkeypatch.setattr(artifacts, "fill", fill)

    def call(output: Path, checkpoint: Path = saved) -> tuple[Manifest, BuiltBundle]:
        config = replace(settings(), checkpoint=str(checkpoint), output=str(output))
        return writer.write(config, lambda line: None)

    return call
