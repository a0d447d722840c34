"""Run a command: parse, compose with Hydra, validate one typed object, call the task. Errors end in one sentence."""

import functools
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.initialize import get_gh_backup, restore_gh_from_backup
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from impasto.configs.cli import overrides, run_dir, sweep
from impasto.configs.cli.vocabulary import CONFIGS, Vocabulary, help_text
from impasto.configs.errors import FULL_ERROR, UsageError, exit_code, quiet_closed_pipe, sentence

log = logging.getLogger("impasto")
_LAUNCHER = "hydra/launcher"
EXTRAS = {"ray": "ray", "submitit_slurm": "slurm", "submitit_local": "slurm"}  # that bring a launcher
_HYDRA = ["hydra/job_logging=none", "hydra/hydra_logging=none", "hydra.output_subdir=null"]


class _Handler(logging.Handler):
    """Messages on the current stderr, errors with the command's name."""

    def emit(self, record: logging.LogRecord) -> None:
        name = f"{self.name}: " if record.levelno >= logging.ERROR else ""
        print(f"{name}{record.getMessage()}", file=sys.stderr)


def run(command: str, task: Callable[[Any], None]) -> None:
    """Call `task` with the validated settings (COMMANDS[command]) that the arguments in sys.argv give.

    Ends the process with one sentence on stderr if that fails: exit code 2 for a wrong request, 1 otherwise.
    """
    log.handlers[:] = [_Handler()]
    log.handlers[0].name = f"impasto-{command}"
    log.setLevel(logging.INFO)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends a task as Ctrl-C does; it may differ
    try:
        with quiet_closed_pipe():
            _run(Vocabulary(command), task, sys.argv[1:])
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get(FULL_ERROR) == "1":
            raise
        if not (isinstance(error, KeyboardInterrupt) and int(os.environ.get("RANK", "0"))):  # rank 0 says it
            log.error(sentence(error))
        sys.exit(exit_code(error))
    finally:
        signal.signal(signal.SIGTERM, before)


def compose(command: str, lines: Sequence[str] = ()) -> Any:
    """The validated settings (COMMANDS[command]) of a command with these overrides, written as a user would."""
    vocabulary = Vocabulary(command)
    with session(vocabulary), _usage_errors():
        job, *_ = overrides.jobs(overrides.translate(lines, vocabulary, sweep=False), False, vocabulary)
        return vocabulary.validated(hydra.compose(command, job))


@contextmanager
def session(vocabulary: Vocabulary, presets: str | None = None) -> Iterator[Hydra]:
    """Let Hydra compose a command; `presets` is a directory of more choices for its groups."""
    OmegaConf.register_new_resolver("slug", overrides.slug, replace=True)
    _register_launchers()
    command, groups = vocabulary.command, vocabulary.groups
    ConfigStore.instance().store(f"{command}_defaults" if groups else command, vocabulary.defaults)
    search_path = create_config_search_path(f"pkg://impasto.configs.{command}" if groups else None)
    if presets is not None:
        search_path.prepend("command-line", f"file://{Path(presets).absolute()}", SearchPathQuery("schema"))
    before = get_gh_backup()
    hydra.version.setbase("1.3")  # Hydra's defaults of that version
    try:
        yield Hydra.create_main_hydra2(f"impasto-{command}", search_path)
    finally:
        restore_gh_from_backup(before)


def _run(vocabulary: Vocabulary, task: Callable[[Any], None], arguments: Sequence[str]) -> None:
    command, parser = vocabulary.command, overrides.Arguments(vocabulary)
    options = parser.read(arguments)
    sweeps = options.multirun or "hydra.mode=MULTIRUN" in options.overrides
    with session(vocabulary, options.config_dir) as engine:
        if options.shell_completion:
            engine.shell_completion(command, options.overrides)
            return
        with _usage_errors():
            _check_launcher(options.overrides, sweeps or options.cfg)
            lines = overrides.translate(options.overrides, vocabulary, sweeps)
            lines = [*_HYDRA, *overrides.replay(lines, vocabulary, sweeps)]
            numbered = enumerate(overrides.jobs(lines, sweeps, vocabulary))
            compose_job = functools.partial(hydra.compose, command, return_hydra_config=True)
            jobs = [compose_job([*job, f"hydra.job.num={number}"]) for number, job in numbered]
            if options.help:
                print(parser.format_help(), help_text(vocabulary, jobs[0]), sep="\n")
                return
            if options.cfg:
                engine.show_cfg(command, lines, options.cfg, options.package, options.resolve)
                return
            settings = [vocabulary.validated(job) for job in jobs]
        if sweeps:
            sweep.launch(engine, sweep.Job(command, task), lines, jobs)
            return
    with run_dir.selected(jobs[0]):
        task(settings[0])


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise about a configuration into a UsageError of one line."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        text = "{}\n{}".format(str(error).partition("\nConfig search path")[0], error.__cause__ or "")
        noise = r"See https://.*|To append to.*|(reference|object)_type=.*|full_key: "
        raise UsageError(" ".join(re.sub(noise, "", text).split())) from error


def _register_launchers() -> None:
    """Merge our defaults into those of the installed plugins."""
    Plugins.instance()  # the plugins register theirs once, now
    store = ConfigStore.instance()
    for file in (CONFIGS / "launcher").glob("*.yaml"):
        if file.name in store.list(_LAUNCHER):
            defaults = store.load(f"{_LAUNCHER}/{file.name}").node
            store.store(group=_LAUNCHER, name=file.stem, node=OmegaConf.merge(defaults, OmegaConf.load(file)))


def _check_launcher(lines: Sequence[str], sweep: bool) -> None:
    """UsageError for a launcher that is not installed, or for any launcher without a sweep."""
    for name in (line.partition("=")[2] for line in lines if line.startswith(f"{_LAUNCHER}=")):
        if name in EXTRAS and f"{name}.yaml" not in ConfigStore.instance().list(_LAUNCHER):
            extra = f"pip install 'impasto[{EXTRAS[name]}]'"
            raise UsageError(f"{_LAUNCHER}={name} needs a package that is not installed: {extra}")
        if not sweep:
            raise UsageError(f"{_LAUNCHER}={name} is for sweeps; add -m")
