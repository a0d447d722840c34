"""Commands: compose a configuration from the command line, check it, run the task, end with one sentence."""

import copy
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from impasto.configs import launchers, overrides, rules, schema, sweeps
from impasto.configs.errors import FULL_ERROR, CheckError, RequestError, exit_code, sentence
from impasto.configs.keys import Vocabulary
from impasto.configs.rundir import Start, claim
from impasto.configs.watch import Watch

_FOLDER = Path(__file__).parent
_VERSION = "1.3"  # of Hydra's defaults
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
    """What Hydra is asked for, and the folders it will touch: each job's, and last that of a sweep.

    `jobs` are those of a sweep; `away` says that they run in other processes.
    """

    arguments: list[str]
    starts: list[Start]
    jobs: list[sweeps.Note]
    away: bool

    @property
    def sweep(self) -> Path | None:
        """The folder of a sweep."""
        return self.starts[-1].folder if self.jobs else None


def run(verb: str, task: Callable[[Any], None], swept: Callable[[Path], None] | None = None) -> None:
    """Run a command: compose its configuration from sys.argv, check it, call `task` with it (schema.VERBS[verb]).

    `swept` is called with the folder of a sweep when its jobs have ended, failed ones included (sweeps.read).
    Ends the process with one sentence on stderr where that fails: exit code 2 for a wrong request, 1 otherwise.
    """
    try:
        with _terminable():
            command = overrides.read(sys.argv[1:])
            if command.options.shell_completion:
                _register(verb)
                _call_hydra(verb, lambda config: None, sys.argv[1:])
            else:
                _launch(verb, task, _plan(verb, command), swept or (lambda folder: None))
    except (Exception, KeyboardInterrupt) as error:
        if _wants_traceback():
            raise
        sys.exit(_say(verb, error))


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does, so that what is written aside is removed; a task may differ."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    mine = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    before = signal.signal(signal.SIGTERM, stop) if mine else None
    try:
        yield
    finally:
        if mine:
            signal.signal(signal.SIGTERM, before)


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
    launchers.check(command.overrides, command.sweeps or not command.runs)
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
        starts: list[Start] = []
        noted: list[sweeps.Note] = []
        if command.runs and _follows():
            lines += [f"{overrides.RUN_DIR}=.", "hydra.output_subdir=null"]
        elif command.runs:
            with _hydra_errors():
                starts = _starts(composed, lines, command.sweeps)
            if command.sweeps:
                noted = _notes(composed, starts)
            key = overrides.SWEEP_DIR if command.sweeps else overrides.RUN_DIR
            lines.append(f"{key}={overrides.quote(str(starts[-1].folder))}")
        if not any(overrides.key_of(line) == "hydra.job.name" for line in lines):
            lines.append(f"hydra.job.name=impasto-{verb}")  # Hydra would take the name of a file
        away = launchers.away(composed[0].hydra)
        return _Plan([*command.flags, *lines], starts, noted, away)


def _follows() -> bool:
    """Whether torchrun started this process beside a first one, which alone has a folder to write to."""
    return int(os.environ.get("RANK", "0")) > 0


def _starts(composed: Sequence[DictConfig], lines: Sequence[str], several: bool) -> list[Start]:
    first = composed[0].hydra
    HydraConfig.instance().set_config(composed[0])  # for ${hydra:...} in the name of a folder
    key, root = (overrides.SWEEP_DIR, first.sweep.dir) if several else (overrides.RUN_DIR, first.run.dir)
    job_files = f"{first.output_subdir}/*" if first.output_subdir else None
    files = "multirun.yaml" if several else job_files
    given = any(overrides.key_of(line) == key for line in lines)
    folder = Path(root).absolute()
    if given and folder.exists() and not folder.is_dir():
        raise RequestError(f"{key}={folder} is a file; give a folder")
    if several and given and any(note.code == 0 for note in sweeps.read(folder)):
        raise RequestError(f"{key}={folder} holds an earlier sweep; name another folder")
    start = claim(folder, files) if files and not given else Start(folder, files)
    if not several:
        return [start]
    subdirs = []
    for config in composed:
        HydraConfig.instance().set_config(config)
        subdirs.append(str(config.hydra.sweep.subdir))
    return [*(Start(start.folder / subdir, job_files) for subdir in subdirs), start]


def _notes(composed: Sequence[DictConfig], starts: Sequence[Start]) -> list[sweeps.Note]:
    """A note of each job of a sweep that has not begun."""
    folder, notes = starts[-1].folder, []
    for number, (config, start) in enumerate(zip(composed, starts, strict=False)):
        place = os.path.relpath(start.folder, folder)
        notes.append(sweeps.Note(number, place, [*config.hydra.overrides.task]))
    return notes


def _launch(verb: str, task: Callable[[Any], None], plan: _Plan, swept: Callable[[Path], None]) -> None:
    job = sweeps.Job(verb, task, plan.sweep)
    if plan.sweep is not None:
        _launch_sweep(job, plan, plan.sweep, swept)
        return
    try:
        _call_hydra(verb, job, plan.arguments)
        if job.failures:
            raise job.failures[0]
    except BaseException:
        for start in plan.starts:
            start.undo()
        raise


def _launch_sweep(job: sweeps.Job, plan: _Plan, folder: Path, swept: Callable[[Path], None]) -> None:
    for note in plan.jobs:
        note.write(folder)
    try:
        with Watch(job.verb, folder, len(plan.jobs)) if plan.away else nullcontext():
            _call_hydra(job.verb, job, plan.arguments)
        if job.failures and _wants_traceback():
            raise job.failures[0]
    except Exception as error:
        if not plan.away or isinstance(error, RequestError):
            raise
        raise CheckError(f"the launcher lost a job ({sentence(error)}); what it left goes on with resume=") from error
    finally:
        notes = sweeps.read(folder)
        if _undo_jobs(plan, folder, notes):
            swept(folder)
    if failed := [note for note in notes if note.code]:
        sys.exit(failed[0].code)  # each job has said its sentence


def _undo_jobs(plan: _Plan, folder: Path, notes: Sequence[sweeps.Note]) -> bool:
    """Undo the starts of jobs that failed; whether anything is left of the sweep."""
    # Jobs elsewhere may yet begin, after a launcher has given up.
    kept = [note for note in notes if note.code == 0 or (plan.away and note.code is None)]
    for start in plan.starts[:-1]:
        if start.folder not in [folder / note.folder for note in kept]:
            start.undo()
    if kept or any((folder / note.folder).exists() for note in notes):
        return True
    sweeps.forget(folder)
    plan.starts[-1].undo()
    return False


def _call_hydra(verb: str, job: Callable[[DictConfig], None], arguments: Sequence[str]) -> None:
    typed = sys.argv
    sys.argv = [typed[0], *arguments]
    try:
        # With this variable Hydra raises what it would print.
        with sweeps.environment(FULL_ERROR, "1"), _hydra_errors():
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
    launchers.register()
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


def _wants_traceback() -> bool:
    return os.environ.get(FULL_ERROR) == "1"


def _say(verb: str, error: BaseException) -> int:
    """Print the one line that an error gets and return its exit code."""
    if not (_follows() and isinstance(error, KeyboardInterrupt)):  # the first process says it
        print(f"impasto-{verb}: {sentence(error)}", file=sys.stderr)
    return exit_code(error)
