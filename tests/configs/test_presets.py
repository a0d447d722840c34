"""Every preset composes, passes the checks and names only keys of the schema; every default has one place."""

import shlex
from functools import cache
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import OmegaConf

from impasto import configs
from impasto.configs.cli import app
from impasto.configs.cli.vocabulary import Vocabulary, renames
from impasto.configs.errors import UsageError
from impasto.configs.schema.commands import COMMANDS
from impasto.configs.schema.fields import REQUIRED, Key, keys
from impasto.configs.schema.model import ModelConfig

FOLDER = Path(str(configs.__file__)).parent


@cache
def vocabulary(command: str) -> Vocabulary:
    return Vocabulary(command)


@cache
def keys_of(command: str) -> dict[str, Key]:
    """The keys of a command by name."""
    return keys(COMMANDS[command])


RENAMES = renames()
GROUPED = [command for command in COMMANDS if (FOLDER / command).is_dir()]


def roots(command: str) -> list[Path]:
    """The folders of a command's groups."""
    search_path = OmegaConf.load(FOLDER / command / f"{command}.yaml").hydra.searchpath
    shared = [name.removeprefix("pkg://impasto.configs.") for name in search_path]
    return [FOLDER / command, *(FOLDER.joinpath(*name.split(".")) for name in shared)]


def presets(command: str) -> list[tuple[str, Path]]:
    """Each group of a command and the file of each of its choices."""
    return [(path.parent.name, path) for root in roots(command) for path in sorted(root.glob("*/*.yaml"))]


PRESETS = [(command, group, path) for command in GROUPED for group, path in presets(command)]
IDS = [f"{command}-{group}-{path.stem}" for command, group, path in PRESETS]


def compose(command: str, *lines: str) -> Any:
    """The checked configuration, with a dummy for each mandatory value."""
    with app.session(vocabulary(command)):
        missing = OmegaConf.missing_keys(hydra.compose(command, [*lines]))
    return app.compose(command, [*lines, *(f"{key}=x" for key in missing)])


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_compose_command_without_overrides_is_valid(command: str) -> None:
    one_of_two = ["votes=[x]"] if command == "vote" else []
    assert isinstance(compose(command, *one_of_two), COMMANDS[command])


@pytest.mark.slow
@pytest.mark.parametrize(("command", "group", "path"), PRESETS, ids=IDS)
def test_preset_composes_in_each_of_its_commands(command: str, group: str, path: Path) -> None:
    assert group in vocabulary(command).groups
    assert isinstance(compose(command, f"{group}={path.stem}"), COMMANDS[command])


@pytest.mark.parametrize(("command", "group", "path"), PRESETS, ids=IDS)
def test_preset_sets_every_key_that_has_no_default(command: str, group: str, path: Path) -> None:
    if group == "experiment":
        return
    below = {name.split(".")[1]: key for name, key in keys_of(command).items() if name.startswith(f"{group}.")}
    sections = {name.split(".")[1] for name in keys_of(command) if name.startswith(f"{group}.")}
    mandatory = {name for name, key in below.items() if key.default == REQUIRED}
    content = {str(key) for key in OmegaConf.load(path)}
    if "defaults" in content:  # it adds to another preset, which is checked, too
        mandatory, content = set(), content - {"defaults"}
    assert mandatory <= content <= sections


def names(content: Any, prefix: str = "") -> set[str]:
    """The dotted names of the values of a configuration."""
    if not isinstance(content, dict):
        return {prefix}
    return {name for key, value in content.items() for name in names(value, f"{prefix}.{key}" if prefix else key)}


@pytest.mark.parametrize("command", COMMANDS)
def test_default_has_one_place(command: str) -> None:
    """A key that a YAML file of the command itself gives a value has none in the schema."""
    if command in GROUPED:
        content = OmegaConf.load(FOLDER / command / f"{command}.yaml")
        own = names(OmegaConf.to_container(content))
        assert [name for name, key in keys_of(command).items() if name in own and key.default != REQUIRED] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_key_has_a_description(command: str) -> None:
    for name, key in keys_of(command).items():
        assert key.description.endswith((".", "?")) and key.description[0].isupper(), name
        assert key.expected, name


@pytest.mark.parametrize("command", COMMANDS)
def test_command_has_a_description_and_examples(command: str) -> None:
    schema: Any = COMMANDS[command]
    assert schema.__doc__.endswith((".", "?")) and "\n" not in schema.__doc__
    assert len(schema.examples) >= 2
    assert all(example.split()[0] == f"impasto-{command}" for example in schema.examples)


@pytest.mark.parametrize("command", COMMANDS)
def test_example_names_only_known_keys(command: str) -> None:
    for example in COMMANDS[command].examples:  # type: ignore[attr-defined]
        for word in shlex.split(example)[1:]:
            if word != "-m":
                vocabulary(command).find(word.split("=")[0])


@pytest.mark.parametrize("old", RENAMES)
def test_vocabulary_renamed_key_names_the_new_one(old: str) -> None:
    unknown = 0
    for command in COMMANDS:
        known = vocabulary(command).known
        new = [name for name in RENAMES[old] if name in known or name.startswith("hydra.")]
        if new and old not in known:
            unknown += 1
            with pytest.raises(UsageError) as error:
                vocabulary(command).find(old)
            assert f"(did you mean {new[0]}?)" in str(error.value) or "is a single value" in str(error.value)
    assert unknown, "no command has the new key"


def test_schema_validates_what_python_callers_construct() -> None:
    assert ModelConfig("mobile", 0.25, 1) == ModelConfig(name="mobile", width=0.25, blocks=1)
    with pytest.raises(ValueError, match="from 1 to 64"):
        ModelConfig("mobile", 0.25, 0)
