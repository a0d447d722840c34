"""From what a user types to what Hydra reads: any path and text, images as styles, resumed runs, sweeps."""

import glob
import os
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

import hydra
import yaml  # type: ignore[import-untyped]
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig

from impasto.configs.cli.vocabulary import Vocabulary, hint
from impasto.configs.errors import UsageError
from impasto.configs.extras import remedy
from impasto.configs.schema.fields import Key, shown

RUN_DIR, SWEEP_DIR, LAUNCHER = "hydra.run.dir", "hydra.sweep.dir", "hydra/launcher"
_LAUNCHER_EXTRAS = {"ray": "ray", "submitit_slurm": "slurm", "submitit_local": "slurm"}  # what installs each one
_GRAMMAR = re.compile(r"|null|(choice|glob|interval|range|shuffle|sort|tag)\(.*\)", re.DOTALL)  # never a path or text
_SURROGATE = re.compile("[\ud800-\udfff]")  # Python's stand-ins for bytes that are not UTF-8
_RESOLVER = re.compile(r"(?<!\\)\$\{[^}]*:")  # ${oc.env:NAME} would put what the environment holds into the card
_PART = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^,]+""")


def translate(lines: Sequence[str], vocabulary: Vocabulary, sweep: bool) -> list[str]:
    """Quote paths and texts for Hydra, make paths absolute, and turn an image given as the style into a style.

    The overrides of the run that `resume=` names come first.
    """
    translated: list[str] = []
    for line in _replayed(lines, vocabulary, sweep):
        key, equals, value = line.lstrip("+~").partition("=")
        if key in (RUN_DIR, SWEEP_DIR):
            path = value if value.startswith("${") else _absolute(_unquote(value))
            if Path(path).is_file():
                raise UsageError(f"{key}={path} is a file; give a directory")
            translated.append(f"{key}={QuotedString(path, Quote.single).with_quotes()}")
        elif key.startswith(("hydra.", "hydra/")) or not (equals or line.startswith("~")):
            translated.append(line)
        elif (known := vocabulary.find(key)) and not line.startswith("~"):
            translated.append(f"{key}={_quoted(known, value, sweep)}")
        elif line.startswith("~"):
            raise UsageError(f"{line} cannot be removed: impasto-{vocabulary.command} needs {key}; give it a value")
        elif key == "style" and not _GRAMMAR.fullmatch(value):
            translated += _style(value, vocabulary, sweep)
        else:
            translated.append(f"{key}={value}")
    return translated


def _replayed(lines: Sequence[str], vocabulary: Vocabulary, sweep: bool) -> Sequence[str]:
    """Put the overrides of the run that `resume=` names before the new ones, which win.

    Only keys of the schema are replayed, with plain values. What else a run directory holds could make Hydra
    instantiate classes, or read the environment.
    """
    *_, resume = "", *(line for line in lines if line.startswith("resume=") and "resume" in vocabulary.keys)
    if resume in ("", "resume=", "resume=null"):
        return lines
    if sweep:
        raise UsageError("resume continues one run, so it cannot be combined with -m")
    folder = _absolute(_unquote(resume.removeprefix("resume=")))
    try:
        old = yaml.safe_load((Path(folder) / ".hydra" / "overrides.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{resume} is not a run directory: .hydra/overrides.yaml cannot be read: {reason}") from error
    if not old:
        raise UsageError(f"{resume}: its .hydra/overrides.yaml is empty, so no step was taken; start the run again")
    if not isinstance(old, list) or not all(isinstance(line, str) for line in old):
        raise UsageError(f"{resume}: its .hydra/overrides.yaml is not a list of texts; start the run again")
    # A newly chosen preset also replaces what had been set inside the old one.
    unwanted = ("hydra.", "hydra/", "+", "~", *(f"{key_of(line)}{end}" for line in lines for end in "=."))
    replayed = [line for line in old if not line.startswith(unwanted)]
    if resolved := next((line for line in replayed if _RESOLVER.search(line)), None):
        raise UsageError(f"{resume}: its {resolved} is not a plain value; give {key_of(resolved)} again")
    return [*replayed, *lines, f"{RUN_DIR}={quote(folder)}"]


def jobs(lines: list[str], sweep: bool, vocabulary: Vocabulary) -> list[DictConfig]:
    """The configuration of each job of a sweep, or of the only job, composed after their choices were checked."""
    parsed = [parse(line, GlobalHydra.instance().config_loader()) for line in lines]
    several = [override for override in parsed if override.is_sweep_override()]
    if several and not sweep:
        raise UsageError(f"{several[0].input_line} holds several values; add -m to run once for each")
    expanded = BasicSweeper.split_arguments(parsed, None)[0] if sweep else [lines]
    if not expanded:
        raise UsageError(f"{' '.join(lines)} has no value at all")
    for line in dict.fromkeys(chain.from_iterable(expanded)):
        group, value = key_of(line), parse(line).value()
        if group not in (LAUNCHER, *vocabulary.groups) or (not value and group == "experiment"):
            continue
        if (name := shown(value)) not in (choices := vocabulary.choices(group)):
            what = "neither a preset nor the path of an image file" if group == "style" else "not known"
            if group == LAUNCHER and name in _LAUNCHER_EXTRAS:
                raise UsageError(f"{group}={name} is not installed; {remedy(_LAUNCHER_EXTRAS[name])}")
            root = f"{group}.root"  # what a folder of photos is for
            meant = f" (did you mean {root}={name}?)" if root in vocabulary.keys else hint(name, choices)
            known = f"{meant}; choose one of {', '.join(choices)}"
            raise UsageError(f"{group}={name} is {what}{known}")
    return [
        hydra.compose(vocabulary.command, [*job, f"hydra.job.num={number}"], return_hydra_config=True)
        for number, job in enumerate(expanded)
    ]


def parse(line: str, loader: ConfigLoader | None = None) -> Override:
    """One override in Hydra's grammar; `loader` lets it expand glob()."""
    if _SURROGATE.search(line):
        raise UsageError(f"{line!r} is not valid UTF-8; rename the file")
    try:
        return OverridesParser.create(loader).parse_overrides([line])[0]
    except (HydraException, ValueError) as error:  # ValueError: a number of thousands of digits
        remedy = "a value with special characters needs quotes: key='\"a, b\"'"
        raise UsageError(f"{line[:200]!r} is not of the form key=value; {remedy}") from error


def key_of(line: str) -> str:
    """The key of an override, without the signs before it."""
    return line.lstrip("+~").partition("=")[0]


def quote(text: str) -> str:
    """A text as Hydra and OmegaConf will read it back, letter by letter."""
    escaped = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)
    return QuotedString(escaped, Quote.single).with_quotes()


def _quoted(key: Key, value: str, sweep: bool) -> str:
    """A value of a path or text, quoted; any other as it is."""

    def one(text: str) -> str:
        is_word = any(fnmatchcase(text, word) for word in ["null", *key.path.split("|")[1:]])
        return text if is_word else quote(_absolute(text) if key.path else text)

    is_list, is_text = "list[" in str(key.hint), key.path or (key.hint in (str, str | None) and not key.choices)
    if not is_text or _GRAMMAR.fullmatch(value) or (is_list and "],[" in value):
        return value
    if is_list:
        return f"[{','.join(map(one, _values(value.removeprefix('[').removesuffix(']'), True)))}]"
    return ",".join(map(one, _values(value, sweep)))


def _style(value: str, vocabulary: Vocabulary, sweep: bool) -> list[str]:
    """The overrides that a value of `style` stands for: presets, an image, several in a sweep, or those of a store."""
    presets, store = vocabulary.choices("style"), vocabulary.keys.get("style.images")
    if (value[:1] == "[" and not _exists(value)) or (value not in presets and Path(_absolute(value)).is_dir()):
        if store is not None:
            return ["style=store", f"style.images={_quoted(store, value, sweep)}"]
        raise UsageError(
            f"style={value} is several paintings, which impasto-train learns as a store of styles; name one here"
            + (", and those to blend it with in styles=[FILE,FILE] blend=[...]" if "blend" in vocabulary.keys else "")
        )
    texts = _values(value, sweep)
    images = [quote(_absolute(text)) for text in texts if text not in presets and Path(_absolute(text)).is_file()]
    if images and len(images) < len(texts):
        raise UsageError(f"style={value} mixes images with presets or with files that do not exist; name one kind")
    if images:
        return ["style=picture", f"style.image={','.join(images)}"]
    return [f"style={','.join(text if text in presets else quote(text) for text in texts)}"]


def _values(value: str, several: bool) -> list[str]:
    """The texts that a value stands for: itself; or those between commas, and the files that match a pattern."""
    if not several or _exists(value):
        return [_unquote(value)]
    texts = [_unquote(part.strip()) for part in _PART.findall(value) if part.strip()]
    return _matches(value) or [path for text in texts for path in _matches(text) or [text]]


def _matches(pattern: str) -> list[str]:
    """The files that match a pattern; none for the path of a file, which may contain the same characters."""
    if not pattern or _exists(pattern):
        return []
    return sorted(glob.glob(_absolute(pattern)))  # noqa: PTH207 - it may be absolute


def _unquote(text: str) -> str:
    """What is inside the quotes of `quote`, or of somebody who knows Hydra's grammar; else the text itself."""
    if text[:1] not in ("'", '"') or text[-1] != text[0] or _exists(text):
        return text
    return re.sub(r"(\\+)\$\{", lambda match: "\\" * (len(match[1]) // 2) + "${", str(parse(f"key={text}").value()))


def _absolute(text: str) -> str:
    path = Path.cwd() / os.path.expanduser(text)  # noqa: PTH111 - `~draft.jpg` stays a file, not a user's home
    return f"{path}{'/' if text.endswith('/') else ''}"


def _exists(text: str) -> bool:
    return bool(text) and os.path.exists(_absolute(text))  # noqa: PTH110 - Path.exists raises if a name is too long
