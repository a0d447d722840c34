"""Every preset composes, passes the checks and names exactly the keys of the schema."""

import tomllib
from collections.abc import Iterator
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import hydra
import omegaconf
import pytest
from omegaconf import OmegaConf

from impasto.configs import app, schema

FOLDER = Path(schema.__file__).parent
VERBS = sorted(schema.VERBS)
PRESETS = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.glob("*/*.yaml"))
WIDE = [name for name in PRESETS if (FOLDER / f"{name}.yaml").read_text().startswith("# @package _global_\n")]


def load(name: str) -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{name}.yaml"), resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key not in ("defaults", "hydra")}


def users_of(group: str) -> list[str]:
    """The commands whose defaults list names a group."""
    return [verb for verb in VERBS if group in groups(verb)]


@cache
def groups(verb: str) -> list[str]:
    with app.composing(verb) as vocabulary:
        return [*vocabulary.groups]


def compose(verb: str, *lines: str) -> Any:
    """The checked configuration, with a dummy for each mandatory value."""
    with app.composing(verb):
        missing = OmegaConf.missing_keys(hydra.compose(verb, [*lines]))
    return app.compose(verb, [*lines, *(f"{key}=x" for key in missing)])


def holders(holder: type) -> Iterator[type]:
    """A dataclass of the schema and all below it."""
    yield holder
    for hint in get_type_hints(holder).values():
        if isinstance(hint, type) and is_dataclass(hint):
            yield from holders(hint)


def keys(holder: type) -> set[str]:
    return {item.name for item in fields(holder)}


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_composes(verb: str) -> None:
    assert isinstance(compose(verb), schema.VERBS[verb])


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_composes(preset: str) -> None:
    group, name = preset.split("/")
    assert users_of(group), f"no command has the group {group}"
    for verb in users_of(group):
        assert isinstance(compose(verb, f"{group}={name}"), schema.VERBS[verb])


@pytest.mark.parametrize("preset", [name for name in PRESETS if name not in WIDE])
def test_a_preset_sets_every_key_of_its_group(preset: str) -> None:
    group = preset.split("/")[0]
    for verb in users_of(group):
        assert {*load(preset)} == keys(get_type_hints(schema.VERBS[verb])[group])


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_sets_every_other_key(verb: str) -> None:
    content, hints = load(verb), get_type_hints(schema.VERBS[verb])
    assert {*content} == keys(schema.VERBS[verb]) - {*groups(verb)}
    for name, value in content.items():
        if is_dataclass(hints[name]):
            assert {*value} == keys(hints[name])


@pytest.mark.parametrize("verb", VERBS)
def test_the_schema_holds_no_default_value(verb: str) -> None:
    for holder in holders(schema.VERBS[verb]):
        for item in fields(holder):
            assert (item.default, item.default_factory) == (omegaconf.MISSING, NO_DEFAULT), f"{holder}.{item.name}"


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_says_what_it_does(verb: str) -> None:
    assert str(schema.VERBS[verb].__doc__).startswith(f"impasto-{verb}: ")
    examples = OmegaConf.load(FOLDER / f"{verb}.yaml").hydra.help.footer.splitlines()
    assert len(examples) == 2
    assert all(line.startswith(f"impasto-{verb} ") for line in examples)


def test_every_folder_of_presets_is_installed() -> None:
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())
    listed = {name for name in project["tool"]["setuptools"]["packages"] if name.startswith("impasto.configs.")}
    assert listed == {f"impasto.configs.{preset.split('/')[0]}" for preset in PRESETS}
