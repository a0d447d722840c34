"""From what a user types to what Hydra reads: flags, any path and text, images as styles, resumed runs, sweeps."""

import argparse
import glob
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import NoReturn

import yaml  # type: ignore[import-untyped]
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from impasto.configs.cli.vocabulary import Vocabulary, closest, hint
from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import Key

RUN_DIR, SWEEP_DIR = "hydra.run.dir", "hydra.sweep.dir"  # Hydra's own path-valued keys; the others are in the schema
_GRAMMAR = re.compile(r"|null|(choice|glob|interval|range|shuffle|sort|tag)\(.*\)", re.DOTALL)  # never a path or text
_PART = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^,]+""")


class Arguments(argparse.ArgumentParser):
    """The flags of every command, which are Hydra's, and the `overrides`, in any order."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        name, usage, style = vocabulary.command, "%(prog)s [flags] key=value ...", argparse.RawDescriptionHelpFormatter
        super().__init__(f"impasto-{name}", usage, vocabulary.schema.__doc__, formatter_class=style, add_help=False)
        self.vocabulary = vocabulary
        self.add_argument("overrides", nargs="*", help=argparse.SUPPRESS)
        self.add_argument("-h", "--help", action="store_true", help="print this text")
        self.add_argument("--version", action="version", version=f"impasto {version('impasto')}")
        self.add_argument("-p", "--package", metavar="SECTION", help="with --cfg: print only a section")
        self.add_argument("--resolve", action="store_true", help="with --cfg: resolve interpolations")
        self.add_argument("-cd", "--config-dir", metavar="DIR", help="also take presets from DIR")
        modes = self.add_mutually_exclusive_group()
        modes.add_argument("-c", "--cfg", choices=["job", "hydra", "all"], help="print the composed configuration")
        modes.add_argument("-m", "--multirun", action="store_true", help="run once for each value, as in seed=1,2")
        modes.add_argument("-sc", "--shell-completion", action="store_true", help="-sc install=bash (or zsh, fish)")

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The flags and the `overrides`; UsageError for a flag that is not known."""
        if odd := [text for text in arguments if re.search("[\ud800-\udfff]", text)]:  # Python's stand-ins for bytes
            raise UsageError(f"{odd[0]!r} is not valid UTF-8; rename the file")
        options, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            flag, _, value = unknown[0].partition("=")
            value = value or next(iter(arguments[arguments.index(unknown[0]) + 1 :]), "VALUE")
            key = self.vocabulary.similar(flag.strip("-").replace("-", "_"))
            self.error(f"{flag} is not a flag{hint(key and f'{key}={value}')}; settings are given as key=value")
        if options.config_dir is not None and not Path(options.config_dir).is_dir():
            raise UsageError(f"--config-dir {options.config_dir} is not a directory")
        return options

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help lists the keys and flags")


def translate(lines: Iterable[str], vocabulary: Vocabulary, sweep: bool) -> list[str]:
    """Quote paths and texts for Hydra, make paths absolute, and turn an image given as the style into a style."""
    translated: list[str] = []
    for line in lines:
        key, equals, value = line.lstrip("+~").partition("=")
        if key in (RUN_DIR, SWEEP_DIR):
            path = value if value.startswith("${") else _absolute(_unquote(value))
            translated.append(f"{key}={QuotedString(path, Quote.single).with_quotes()}")
        elif key.startswith(("hydra.", "hydra/")):
            translated.append(line)
        elif not equals and not line.startswith(("+", "~")):
            raise UsageError(f"{line!r} is not of the form key=value; --help lists the keys")
        else:
            known = vocabulary.find(key)
            if line.startswith("~"):
                raise UsageError(f"{line} cannot be removed: impasto-{vocabulary.command} needs {key}; give it a value")
            if key == "style" and not known and not _GRAMMAR.fullmatch(value):
                translated += _style(value, vocabulary.choices(key), sweep)
            else:
                translated.append(f"{key}={_quoted(known, value, sweep) if known else value}")
    return translated


def replay(lines: list[str], vocabulary: Vocabulary, sweep: bool) -> list[str]:
    """Put the overrides of the run that a translated `resume=` names before the new ones, which win.

    Only keys of the schema are replayed. What else a run directory holds could make Hydra instantiate classes.
    """
    resumed = [value for line in lines if key_of(line) == "resume" and (value := parse(line).value())]
    if not resumed:
        return lines
    if sweep:
        raise UsageError("resume continues one run, so it cannot be combined with -m")
    folder = str(OmegaConf.create({"resume": resumed[-1]}).resume)
    saved = Path(folder) / ".hydra" / "overrides.yaml"
    if not saved.is_file():
        raise UsageError(f"resume={folder} is not a run directory: it has no .hydra/overrides.yaml")
    try:
        old = [str(line) for line in yaml.safe_load(saved.read_text(encoding="utf-8")) or []]
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UsageError(f"{saved} cannot be read: {error}") from error
    if not old:
        raise UsageError(f"{saved} is empty: the run stopped before its first step, so start it again")
    # A newly chosen preset also replaces what had been set inside the old one.
    unwanted = ("hydra.", "hydra/", "+", "~", *(f"{key_of(line)}{end}" for line in lines for end in "=."))
    old = [line for line in old if not line.startswith(unwanted)]
    for line in old:
        vocabulary.find(key_of(line))
    return [*old, *lines, f"{RUN_DIR}={quote(folder)}"]


def jobs(lines: list[str], sweep: bool, vocabulary: Vocabulary) -> list[list[str]]:
    """The overrides of each job of a sweep, or of the only job, with their choices checked."""
    parsed = [parse(line, GlobalHydra.instance().config_loader()) for line in lines]
    several = [override for override in parsed if override.is_sweep_override()]
    if several and not sweep:
        raise UsageError(f"{several[0].input_line} holds several values; add -m to run once for each")
    expanded = BasicSweeper.split_arguments(parsed, None)[0] if sweep else [lines]
    if not expanded:
        raise UsageError(f"{' '.join(lines)} has no value at all")
    for line in dict.fromkeys(chain.from_iterable(expanded)):
        group, value = key_of(line), parse(line).value()
        for name in (value if isinstance(value, list) else [value]) if group in vocabulary.groups else []:
            if name not in (choices := vocabulary.choices(group)) and (name or group != "experiment"):
                known = f"{hint(closest(str(name), choices))}; choose one of {', '.join(choices)}"
                raise UsageError(f"{line} is not known{known}")
    return expanded


def parse(line: str, loader: ConfigLoader | None = None) -> Override:
    """One override in Hydra's grammar; `loader` lets it expand glob()."""
    try:
        return OverridesParser.create(loader).parse_overrides([line])[0]
    except HydraException as error:
        remedy = "a value with special characters needs quotes: key='\"a, b\"'"
        raise UsageError(f"{line} cannot be parsed; {remedy}") from error


def key_of(line: str) -> str:
    """The key of an override, without the signs before it."""
    return line.lstrip("+~").partition("=")[0]


def quote(text: str) -> str:
    """A text as Hydra and OmegaConf will read it back, letter by letter."""
    escaped = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)
    return QuotedString(escaped, Quote.single).with_quotes()


def slug(path: str) -> str:
    """A file's stem in lower-case ASCII, as the name of a style."""
    plain = unicodedata.normalize("NFKD", Path(path).stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-") or "picture"


def _quoted(key: Key, value: str, sweep: bool) -> str:
    """A value of a path or text, quoted; any other as it is."""

    def one(text: str) -> str:
        is_word = any(fnmatchcase(text, word) for word in ["null", *key.path.split("|")[1:]])
        return text if is_word else quote(_absolute(text) if key.path else text)

    is_list, is_text = "list[" in str(key.hint), key.path or (key.hint is str and not key.choices)
    if not is_text or _GRAMMAR.fullmatch(value) or (is_list and "],[" in value):
        return value
    if is_list:
        return f"[{','.join(map(one, _values(value.removeprefix('[').removesuffix(']'), True)))}]"
    return ",".join(map(one, _values(value, sweep)))


def _style(value: str, presets: Sequence[str], sweep: bool) -> list[str]:
    """The overrides that a value of `style` stands for: a preset's, an image's, or several images' in a sweep."""
    texts = _values(value, sweep)
    images = [text for text in texts if text not in presets]
    for text in images:
        if not Path(_absolute(text)).is_file():
            known = f"{hint(closest(text, presets))}; the presets are {', '.join(presets)}"
            raise UsageError(f"style={text} is neither a preset nor the path of an image file{known}")
    if images and len(images) < len(texts):
        raise UsageError(f"style={value} mixes presets and images; sweep over presets or over images")
    paths = ",".join(quote(_absolute(text)) for text in images)
    return ["style=picture", f"style.image={paths}"] if images else [f"style={value}"]


def _values(value: str, several: bool) -> list[str]:
    """The texts that a value stands for: itself; or those between commas, and the files that match a pattern."""
    if not several or _exists(value):
        return [_unquote(value)]
    texts = [_unquote(part.strip()) for part in _PART.findall(value) if part.strip()]
    files = [[] if _exists(text) else glob.glob(_absolute(text)) for text in texts]  # noqa: PTH207 - it may be absolute
    return [path for text, paths in zip(texts, files, strict=True) for path in sorted(paths) or [text]]


def _unquote(text: str) -> str:
    """What is inside the quotes of somebody who knows Hydra's grammar; else the text itself."""
    is_quoted = text[:1] in ("'", '"') and text[-1] == text[0] and not _exists(text)
    return str(parse(f"key={text}").value()) if is_quoted else text


def _absolute(text: str) -> str:
    path = Path.cwd() / os.path.expanduser(text)  # noqa: PTH111 - `~draft.jpg` stays a file, not a user's home
    return f"{path}{'/' if text.endswith('/') else ''}"


def _exists(text: str) -> bool:
    return bool(text) and os.path.exists(_absolute(text))  # noqa: PTH110 - Path.exists raises if a name is too long
