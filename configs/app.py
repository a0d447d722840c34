"""Commands: compose a configuration from the command line, check it, run the task, end with one sentence."""

import copy
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from impasto.configs import overrides, rules, schema
from impasto.configs.errors import CheckError, RequestError
from impasto.configs.keys import Vocabulary
from impasto.configs.rundir import Start, claim

_FOLDER = Path(__file__).parent
_VERSION = "1.3"  # of Hydra's defaults
_FULL_ERROR = "HYDRA_FULL_ERROR"
_HELP = """\
Keys and their defaults (key=value; ??? must be given; a path is taken as it is, blanks and commas included):

$CONFIG
Examples:

${hydra.help.footer}

Flags: --cfg job prints the configuration without a run, -m runs once for each of several values (seed=1,2),
--hydra-help lists the others."""
_GROUPS = "Groups and their choices (group=choice):\n\n$APP_CONFIG_GROUPS\n"


@dataclass(frozen=True)
class _Plan:
    """What Hydra is asked for, and the folders it will touch: each job's, and last that of a sweep."""

    arguments: list[str]
    starts: list[Start]
    sweeps: bool


def run(verb: str, task: Callable[[Any], None]) -> None:
    """Run a command: compose its configuration from sys.argv, check it, call `task` with it (schema.VERBS[verb]).

    Ends the process with one sentence on stderr where that fails: exit code 2 for a wrong request, 1 otherwise.
    """
    try:
        command = overrides.read(sys.argv[1:])
        if command.options.shell_completion:
            _register(verb)
            _call_hydra(verb, lambda config: None, sys.argv[1:])
        else:
            _launch(verb, task, _plan(verb, command))
    except (Exception, KeyboardInterrupt) as error:
        if _wants_traceback():
            raise
        sys.exit(_say(verb, error))


def compose(verb: str, lines: Sequence[str] = ()) -> Any:
    """The checked configuration (schema.VERBS[verb]) of a command with these overrides, written as a user would."""
    with composing(verb) as vocabulary:
        return _checked(_composed(verb, overrides.translate(lines, vocabulary, sweep=False)), vocabulary)


@contextmanager
def composing(verb: str, presets: Sequence[str] = ()) -> Iterator[Vocabulary]:
    """Make Hydra ready to compose a command; `presets` are overrides that say where to look for more of them."""
    _register(verb)
    with hydra.initialize_config_module(_package(verb), version_base=_VERSION):
        loader = GlobalHydra.instance().config_loader()
        yield Vocabulary(
            schema.VERBS[verb],
            _groups(verb),
            lambda group: loader.get_group_options(group, overrides=[*presets]),
        )


def _plan(verb: str, command: overrides.Command) -> _Plan:
    """Compose and check every job, so that what cannot be started fails before a folder is touched."""
    with composing(verb, command.presets) as vocabulary:
        lines = overrides.translate(command.overrides, vocabulary, command.sweeps)
        if "resume" in vocabulary.keys:
            lines = overrides.replay(lines, command.sweeps)
        composed = []
        for number, job in enumerate(overrides.jobs(lines, command.sweeps, GlobalHydra.instance().config_loader())):
            for override in job:
                vocabulary.check(override)
            words = [override.input_line or "" for override in job]
            composed.append(_composed(verb, [*command.presets, *words, f"hydra.job.num={number}"]))
            if command.runs:
                _checked(composed[-1], vocabulary)
        if command.runs and _follows():
            starts = []
            lines += [f"{overrides.RUN_DIR}=.", "hydra.output_subdir=null"]
        elif command.runs:
            with _hydra_errors():
                starts = _starts(composed, lines, command.sweeps)
            key = overrides.SWEEP_DIR if command.sweeps else overrides.RUN_DIR
            lines.append(f"{key}={overrides.quote(str(starts[-1].folder))}")
        else:
            starts = []
        return _Plan([*command.flags, *lines], starts, command.sweeps)


def _follows() -> bool:
    """Whether torchrun started this process beside a first one, which alone has a folder to write to."""
    return int(os.environ.get("RANK", "0")) > 0


def _starts(composed: Sequence[DictConfig], lines: Sequence[str], sweeps: bool) -> list[Start]:
    first = composed[0].hydra
    HydraConfig.instance().set_config(composed[0])  # for ${hydra:...} in the name of a folder
    key, root = (overrides.SWEEP_DIR, first.sweep.dir) if sweeps else (overrides.RUN_DIR, first.run.dir)
    job_files = f"{first.output_subdir}/*" if first.output_subdir else None
    files = "multirun.yaml" if sweeps else job_files
    given = any(overrides.key_of(line) == key for line in lines)
    folder = Path(root).absolute()
    if given and folder.exists() and not folder.is_dir():
        raise RequestError(f"{key}={folder} is a file; give a folder")
    start = claim(folder, files) if files and not given else Start(folder, files)
    if not sweeps:
        return [start]
    subdirs = []
    for config in composed:
        HydraConfig.instance().set_config(config)
        subdirs.append(str(config.hydra.sweep.subdir))
    return [*(Start(start.folder / subdir, job_files) for subdir in subdirs), start]


def _launch(verb: str, task: Callable[[Any], None], plan: _Plan) -> None:
    failures: list[Exception] = []
    asked = os.environ.get(_FULL_ERROR)
    starts = {start.folder.resolve(): start for start in plan.starts}

    def job(config: DictConfig) -> None:
        try:
            with _environment(_FULL_ERROR, asked):
                checked = OmegaConf.to_object(config)
                rules.check(checked)  # again, for sweepers that make up values
                task(checked)
        except Exception as error:
            # Kept from Hydra, which would print a line of its own.
            failures.append(error)
            if plan.sweeps and asked != "1":
                _say(verb, error, f"job {HydraConfig.get().job.num}: ")
        else:
            starts.pop(Path(HydraConfig.get().runtime.output_dir).resolve(), None)

    try:
        _call_hydra(verb, job, plan.arguments)
        if failures:
            raise failures[0]
    except BaseException as error:
        for start in starts.values():
            start.undo()
        if plan.sweeps and error in failures and not _wants_traceback():
            sys.exit(_code(failures[0]))  # each job has said its sentence
        raise


def _call_hydra(verb: str, job: Callable[[DictConfig], None], arguments: Sequence[str]) -> None:
    typed = sys.argv
    sys.argv = [typed[0], *arguments]
    try:
        # With this variable Hydra raises what it would print.
        with _environment(_FULL_ERROR, "1"), _hydra_errors():
            hydra.main(config_path=f"pkg://{_package(verb)}", config_name=verb, version_base=_VERSION)(job)()
    finally:
        sys.argv = typed


def _composed(verb: str, lines: Sequence[str]) -> DictConfig:
    with _hydra_errors():
        return hydra.compose(verb, [*lines], return_hydra_config=True)


def _checked(config: DictConfig, vocabulary: Vocabulary) -> Any:
    config = copy.deepcopy(config)
    with open_dict(config):
        del config["hydra"]
    with _hydra_errors():
        missing = OmegaConf.missing_keys(config)
        if missing:
            raise RequestError(vocabulary.missing(missing))
        checked = OmegaConf.to_object(config)
    rules.check(checked)
    return checked


def _register(verb: str) -> None:
    store = ConfigStore.instance()
    store.store(name=f"{verb}_schema", node=schema.VERBS[verb])
    about = f"{schema.VERBS[verb].__doc__}\n\n{_GROUPS if _groups(verb) else ''}"
    store.store(group="hydra/help", name="impasto", node={"template": about + _HELP})
    if not _groups(verb):
        store.store(name=verb, node=OmegaConf.load(_FOLDER / f"{verb}.yaml"))


def _package(verb: str) -> str:
    """Where Hydra looks for files; ours only if the command has groups, or `model=FILE` would choose from `model/`."""
    return "impasto.configs" if _groups(verb) else "hydra.conf"


@cache
def _groups(verb: str) -> tuple[str, ...]:
    """The config groups in the defaults list of a command."""
    defaults = OmegaConf.load(_FOLDER / f"{verb}.yaml").defaults
    entries = [key for entry in defaults if not isinstance(entry, str) for key in entry]
    return tuple(sorted(str(key) for key in entries if not str(key).startswith("override ")))


@contextmanager
def _hydra_errors() -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise about a configuration into a RequestError of one line."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        text = f"{error}".partition("\nConfig search path")[0]
        if isinstance(error.__cause__, OmegaConfBaseException):
            text += f"\n{error.__cause__}"
        lines = [line.strip().replace("full_key: ", "at ") for line in text.splitlines()]
        noise = ("See https://", "To append to", "reference_type=", "object_type=")
        raise RequestError(" ".join(line for line in lines if line and not line.startswith(noise))) from error


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    before = os.environ.get(name)
    try:
        _set_environment(name, value)
        yield
    finally:
        _set_environment(name, before)


def _set_environment(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _wants_traceback() -> bool:
    return os.environ.get(_FULL_ERROR) == "1"


def _code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 130  # 128 + SIGINT, as shells count
    return 2 if isinstance(error, RequestError) else 1


def _say(verb: str, error: BaseException, job: str = "") -> int:
    """Print the one line that an error gets and return its exit code."""
    if isinstance(error, RequestError | CheckError):
        text = str(error)
    elif isinstance(error, KeyboardInterrupt):
        text = str(error) or "interrupted"
    else:
        what = ": ".join(part for part in (type(error).__name__, str(error)) if part)
        text = f"{what}; set {_FULL_ERROR}=1 for the traceback"
    if not (_follows() and isinstance(error, KeyboardInterrupt)):  # the first process says it
        print(f"impasto-{verb}: {job}{' '.join(text.splitlines())}", file=sys.stderr)
    return _code(error)
