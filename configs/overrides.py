"""From what a user types to what Hydra reads: flags and overrides, pictures as styles, any path, resumed runs."""

import argparse
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]

from impasto.configs.errors import RequestError
from impasto.configs.keys import Vocabulary, suggestion

RUN_DIR, SWEEP_DIR = "hydra.run.dir", "hydra.sweep.dir"  # Hydra's own path-valued keys; the others are in the schema
_OURS = {  # flags of Hydra that make no sense here, and why
    "config_name": "each command has one configuration",
    "config_path": "each command has one configuration; --config-dir adds presets",
    "experimental_rerun": "it loads a pickle; resume=RUN_DIR goes on with a run",
}
_FUNCTION = re.compile(r"(choice|glob|interval|range|shuffle|sort|tag)\(.*\)", re.DOTALL)
_PART = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^,]+""")


class _ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message}; --help lists what can be given")


@dataclass(frozen=True)
class Command:
    """A command line: the flags in the user's words, the overrides, and what the flags mean."""

    flags: list[str]
    overrides: list[str]
    options: argparse.Namespace

    @property
    def runs(self) -> bool:
        shows = self.options.help or self.options.hydra_help or self.options.cfg or self.options.info
        return not shows

    @property
    def presets(self) -> list[str]:
        """Where the user keeps more presets, as an override."""
        folder = self.options.config_dir
        if folder is None:
            return [line for line in self.overrides if key_of(line) == "hydra.searchpath"]
        return [f"hydra.searchpath=[{quote(f'file://{Path(folder).absolute()}')}]"]

    @property
    def sweeps(self) -> bool:
        return bool(self.options.multirun) or "hydra.mode=MULTIRUN" in self.overrides


def read(arguments: Sequence[str]) -> Command:
    """Split a command line into flags and overrides, in any order."""
    for argument in arguments:
        if any("\ud800" <= letter <= "\udfff" for letter in argument):  # Python's stand-in for a byte
            raise RequestError(f"{argument!r} is not valid UTF-8; rename the file")
    options = _ArgumentParser(add_help=False, parents=[get_args_parser()]).parse_intermixed_args(arguments)
    for name, reason in _OURS.items():
        if getattr(options, name) is not None:
            raise RequestError(f"--{name.replace('_', '-')} is not supported: {reason}")
    if options.config_dir is not None and not Path(options.config_dir).is_dir():
        raise RequestError(f"--config-dir {options.config_dir} is no folder")
    flags, rest = [], list(options.overrides)
    for argument in arguments:
        if rest and argument == rest[0]:
            rest.pop(0)
        else:
            flags.append(argument)
    return Command(flags, list(options.overrides), options)


def translate(lines: Iterable[str], vocabulary: Vocabulary, sweep: bool) -> list[str]:
    """Quote every path and text for Hydra, make paths absolute, and turn a picture given as the style into a style."""
    lines = list(lines)
    named = any(key_of(line) == "style.name" for line in lines)
    translated: list[str] = []
    for line in lines:
        prefix, key, equals, value = _split(line)
        if not equals and prefix != "~":
            raise RequestError(f"{line} is not of the form key=value; --help lists the keys")
        if key in (RUN_DIR, SWEEP_DIR):
            translated.append(f"{prefix}{key}={_paths(value, sweep=False, interpolate=True)}")
        elif key.startswith(("hydra.", "hydra/")) or "@" in key:
            translated.append(line)
        elif key == "style" and key in vocabulary.groups and equals and not prefix:
            translated += _style(value, vocabulary.choices(key), named, sweep)
        else:
            setting = vocabulary.find(key)
            if setting and setting.is_path and setting.is_list:
                value = _path_list(value)
            elif setting and setting.is_path:
                value = _paths(value, sweep, keep=setting.rule["words"])
            elif setting and setting.is_text:
                value = _each(value, sweep, _quoted)
            translated.append(f"{prefix}{key}{equals}{value}")
    return translated


def replay(lines: list[str], sweep: bool) -> list[str]:
    """Put the overrides of the run that a translated `resume=` names before the new ones, which win."""
    value = next((parse(line).value() for line in reversed(lines) if key_of(line) == "resume"), None)
    if not value:
        return lines
    if sweep:
        raise RequestError("resume goes on with one run, so it cannot be combined with -m")
    folder = Path(OmegaConf.create({"resume": value}).resume)
    if not folder.is_dir():
        raise RequestError(f"resume={folder} is no folder; give the directory of a run")
    saved = folder / ".hydra" / "overrides.yaml"
    if not saved.is_file():
        raise RequestError(f"resume={folder} is no run directory: it has no .hydra/overrides.yaml")
    try:
        old = [str(line) for line in OmegaConf.to_container(OmegaConf.load(saved), resolve=False) or []]
    except (OSError, ValueError, YAMLError) as error:
        raise RequestError(f"{saved} cannot be read: {error}") from error
    if not old:
        raise RequestError(f"{saved} is empty: the run was stopped at its very start, so start it again")
    new = {key_of(line) for line in lines}
    # A newly chosen preset also replaces what had been set inside the old one.
    kept = [line for line in old if not any(f"{key_of(line)}.".startswith(f"{key}.") for key in new)]
    # The task writes what it goes on with itself, whole or not at all: Hydra would cut the old file off first.
    return [*kept, f"{RUN_DIR}={quote(str(folder))}", "hydra.output_subdir=null", *lines]


def jobs(lines: list[str], sweep: bool, loader: ConfigLoader) -> list[list[Override]]:
    """The overrides of each job of a sweep, or of the only job."""
    overrides = [parse(line, loader) for line in lines]
    if not sweep:
        for override in overrides:
            if override.is_sweep_override():
                raise RequestError(f"{override.input_line} holds several values; add -m to run once for each")
        return [overrides]
    choices: dict[str, list[Override]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            choices[key] = [override]
        elif override.is_discrete_sweep():  # the others are for sweepers that make up values
            choices[key] = [parse(f"{key}={value}") for value in override.sweep_string_iterator()]
            if not choices[key]:
                raise RequestError(f"{override.input_line} stands for no value at all")
    return [list(job) for job in itertools.product(*choices.values())]


def parse(line: str, loader: ConfigLoader | None = None) -> Override:
    """One override in Hydra's grammar; `loader` lets it count what glob() stands for."""
    try:
        return OverridesParser.create(loader).parse_overrides([line])[0]
    except HydraException as error:
        raise RequestError(
            f"{line} cannot be read; a value with special characters needs quotes: key='\"a, b\"'"
        ) from error


def key_of(line: str) -> str:
    """The key of an override, without the signs before it."""
    return _split(line)[1]


def quote(path: str) -> str:
    """A path as Hydra and OmegaConf will read it back, letter by letter."""
    return _quoted(re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", path))


def _quoted(value: str) -> str:
    return QuotedString(value, Quote.single).with_quotes()


def _split(line: str) -> tuple[str, str, str, str]:
    signs = line[: len(line) - len(line.lstrip("+~"))]
    key, equals, value = line[len(signs) :].partition("=")
    return signs, key, equals, value


def _style(value: str, presets: Sequence[str], named: bool, sweep: bool) -> list[str]:
    """The overrides that a value of `style` stands for: a preset's, a picture's, or several pictures' in a sweep."""
    texts = _texts(value, sweep)
    if texts is None or (value.startswith("{") and not _exists(value)):
        return [f"style={value}"]
    texts = [found for text in texts for found in _matching(text, sweep)]
    pictures = [text for text in texts if text not in presets]
    for text in pictures:
        if not Path(_absolute(text)).is_file():
            raise RequestError(
                f"style={text} is neither a preset nor a picture's path{suggestion(text, presets)}; "
                f"the presets are {', '.join(presets)}, and a path must be that of a file"
            )
    if not pictures:
        return [f"style={','.join(texts)}"]
    if len(pictures) < len(texts):
        raise RequestError(f"style={value} mixes presets and pictures; sweep over the one or the other")
    images = [quote(_absolute(text)) for text in pictures]
    names = [_quoted(_name(text)) for text in pictures]
    if len(pictures) == 1:
        return ["style=picture", f"style.image={images[0]}", *([] if named else [f"style.name={names[0]}"])]
    # One dictionary for each, since the name goes with the image; `++` lets Hydra take it beside the group's choice.
    given = [
        f"{{image:{image}}}" if named else f"{{image:{image},name:{name}}}"
        for image, name in zip(images, names, strict=True)
    ]
    return ["style=picture", f"++style={','.join(given)}"]


def _matching(text: str, sweep: bool) -> list[str]:
    """The files that a pattern of a sweep stands for, as in a shell; else the text itself."""
    if not sweep or _exists(text) or not any(sign in text for sign in "*?["):
        return [text]
    pattern = Path(_absolute(text))
    found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    return sorted(map(str, found)) or [text]


def _name(picture: str) -> str:
    plain = unicodedata.normalize("NFKD", Path(picture).stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-") or "picture"


def _texts(value: str, sweep: bool) -> list[str] | None:
    """The texts that a value stands for; None if Hydra is to read it: null, nothing, a function of a sweep."""
    if value == "" or value.lower() == "null" or (sweep and _FUNCTION.fullmatch(value)):
        return None
    several = sweep and not _exists(value)
    return [_unquote(part.strip()) for part in _PART.findall(value)] if several else [_unquote(value)]


def _each(value: str, sweep: bool, change: Callable[[str], str]) -> str:
    texts = _texts(value, sweep)
    return value if texts is None else ",".join(text if text == "null" else change(text) for text in texts)


def _paths(value: str, sweep: bool, keep: Sequence[str] = (), interpolate: bool = False) -> str:
    def change(text: str) -> str:
        if interpolate:
            return _quoted(text if text.startswith("${") else _absolute(text))
        return text if any(fnmatchcase(text, word) for word in keep) else quote(_absolute(text))

    return _each(value, sweep, change)


def _path_list(value: str) -> str:
    """A list of paths, [a.jpg,b.jpg], or a single path for a list of one; sweeps of lists are left to Hydra."""
    if value.startswith("[") and value.endswith("]") and not _exists(value):
        paths = [_unquote(part.strip()) for part in _PART.findall(value[1:-1])]
    elif value == "" or value.startswith(("[", "${")):
        return value
    else:
        paths = [_unquote(value)]
    return f"[{','.join(quote(_absolute(path)) for path in paths if path)}]"


def _unquote(text: str) -> str:
    """What is inside the quotes of somebody who knows Hydra's grammar; else the text itself."""
    if text[:1] in ("'", '"') and text[-1] == text[0] and not _exists(text):
        with suppress(HydraException):
            parsed = OverridesParser.create().parse_rule(text, "value")
            return parsed.text if isinstance(parsed, QuotedString) else text
    return text


def _absolute(text: str) -> str:
    with suppress(RuntimeError):  # `~draft.jpg` is a file, not the home of a user called draft.jpg
        text = f"{Path(text).expanduser()}{'/' if text.endswith('/') else ''}"
    return text if Path(text).is_absolute() else f"{Path.cwd() / text}{'/' if text.endswith('/') else ''}"


def _exists(text: str) -> bool:
    with suppress(OSError, RuntimeError):  # too long for a name; the home of nobody
        return Path(text).expanduser().exists() or Path(text).exists()
    return False
