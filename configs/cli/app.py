"""Run a command: parse, compose with Hydra, validate one typed object, call the task. Errors end in one sentence."""

import argparse
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from impasto.configs import extras, interrupt
from impasto.configs.cli import overrides, runs
from impasto.configs.cli.vocabulary import CONFIGS, Vocabulary, hint
from impasto.configs.errors import UsageError, ending
from impasto.configs.schema.style import slug
from impasto.configs.terminal import log_to_stderr, printable_lines, quiet_closed_pipe

log = logging.getLogger("impasto")
_HYDRA = ["hydra/job_logging=none", "hydra/hydra_logging=none", "hydra.output_subdir=null"]
_COMPLETION = "-sc install=bash (or zsh, fish) prints what eval needs to complete keys and choices"


class Arguments(argparse.ArgumentParser):
    """The flags of every command, which are Hydra's, and the `overrides`, in any order."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        name, usage, about = vocabulary.command, "%(prog)s [flags] key=value ...", vocabulary.schema.__doc__
        layout = partial(argparse.RawDescriptionHelpFormatter, max_help_position=6)
        super().__init__(f"impasto-{name}", usage, about, formatter_class=layout, add_help=False)
        self.add_argument("overrides", nargs="*", help=argparse.SUPPRESS)
        self.add_argument("-h", "--help", action="store_true", help="print this text")
        self.add_argument(
            "--version", action="version", version=f"impasto {version('impasto')}", help="print the version"
        )
        self.add_argument("-p", "--package", metavar="SECTION", help="with --cfg: print only a section")
        self.add_argument("--resolve", action="store_true", help="with --cfg: resolve interpolations")
        self.add_argument("-cd", "--config-dir", metavar="DIR", help="also take presets from DIR")
        modes = self.add_mutually_exclusive_group()
        modes.add_argument("-c", "--cfg", choices=["job", "hydra", "all"], help="print the composed configuration")
        modes.add_argument("-m", "--multirun", action="store_true", help="run once for each value, as in seed=1,2")
        modes.add_argument("-sc", "--shell-completion", action="store_true", help=_COMPLETION)

    def read(self, arguments: Sequence[str], known: Sequence[str]) -> argparse.Namespace:
        """The flags and the `overrides`; UsageError for a flag that does not exist, with one of the `known` keys."""
        options, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            flag, _, value = unknown[0].partition("=")
            value = value or next(iter(arguments[arguments.index(unknown[0]) + 1 :]), "VALUE")
            key = hint(flag.strip("-").replace("-", "_"), known, f"={value}")
            self.error(f"{flag} is not a flag{key}; settings are given as key=value")
        if options.config_dir is not None and not Path(options.config_dir).is_dir():
            raise UsageError(f"--config-dir {options.config_dir} is not a directory")
        return options

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help lists the keys and flags")


def run(command: str, task: Callable[[Any], None], extra: str | None = None) -> None:
    """Call `task` with the validated settings (COMMANDS[command]) that the arguments in sys.argv give.

    The task needs the libraries of `extra` (configs/extras.py); --help and --cfg need none of them.

    Ends the process with one sentence on stderr if that fails: exit code 2 for a wrong request, 1 otherwise.
    """
    log_to_stderr(log)
    os.environ["PYTHONSAFEPATH"] = "1"  # Python processes that libraries start import nothing of the current folder
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends a task as Ctrl-C does; it may differ
    with interrupt.bounded():
        try:
            _run(command, task, sys.argv[1:], extra)
        except (Exception, KeyboardInterrupt) as error:
            code, sentence = ending(error)
            if code != 130 or os.environ.get("RANK", "0") == "0":  # rank 0 reports an interrupt
                log.error(f"impasto-{command}: {sentence}")  # no argument: a traceback has line breaks
            sys.exit(code)
        finally:
            signal.signal(signal.SIGTERM, before)


def compose(command: str, lines: Sequence[str] = ()) -> Any:
    """The validated settings (COMMANDS[command]) of a command with these overrides, written as a user would."""
    return compose_run(command, lines)[0]


def compose_run(command: str, lines: Sequence[str] = ()) -> tuple[Any, runs.Run]:
    """The settings as `compose` returns them, and the run that they describe, which `resume=` may continue."""
    vocabulary = Vocabulary(command)
    with session(vocabulary):
        [job] = overrides.jobs([*_HYDRA, *overrides.translate(lines, vocabulary, False)], False, vocabulary)
        return vocabulary.validated(job), runs.composed(job.hydra)


@contextmanager
def session(vocabulary: Vocabulary, presets: str | None = None) -> Iterator[None]:
    """Let Hydra compose a command. What it raises about a configuration becomes a UsageError of one line.

    `presets` is a directory of more choices for the command's groups.
    """
    command, store = vocabulary.command, ConfigStore.instance()
    OmegaConf.register_new_resolver("slug", slug, replace=True)
    store.store(f"{command}_defaults" if vocabulary.groups else command, vocabulary.defaults)
    module = f"impasto.configs.{command if vocabulary.groups else 'schema'}"
    with hydra.initialize_config_module(module, f"impasto-{command}", version_base="1.3"):
        for file in (CONFIGS / "launcher").glob("*.yaml"):  # our defaults over those of an installed plugin
            if file.name in store.list(overrides.LAUNCHER):
                launcher = store.load(f"{overrides.LAUNCHER}/{file.name}").node
                store.store(file.stem, OmegaConf.merge(launcher, OmegaConf.load(file)), overrides.LAUNCHER)
        if presets is not None:
            search_path = GlobalHydra.instance().config_loader().get_search_path()
            search_path.prepend("command-line", f"file://{Path(presets).absolute()}", SearchPathQuery("schema"))
        try:
            yield
        except (HydraException, OmegaConfBaseException) as error:
            raise UsageError(_sentence(error, error.__cause__)) from error


@quiet_closed_pipe()
def _run(command: str, task: Callable[[Any], None], arguments: Sequence[str], extra: str | None) -> None:
    vocabulary = Vocabulary(command)
    parser = Arguments(vocabulary)
    options = parser.read(arguments, vocabulary.known)
    with session(vocabulary, options.config_dir):
        engine = GlobalHydra.instance().hydra
        assert engine is not None
        if options.shell_completion:
            try:
                engine.shell_completion(command, options.overrides)
            except (KeyError, ValueError, RuntimeError) as error:  # without the line that a shell passes, and so on
                raise UsageError(f"-sc {' '.join(options.overrides)} cannot be answered; {_COMPLETION}") from error
            return
        launchers = [line for line in options.overrides if overrides.key_of(line) == overrides.LAUNCHER]
        if launchers and not (options.multirun or options.cfg):
            raise UsageError(f"{launchers[0]} is for sweeps; add -m")
        lines = [*_HYDRA, *overrides.translate(options.overrides, vocabulary, options.multirun)]
        jobs = overrides.jobs(lines, options.multirun, vocabulary)
        if options.help:
            vocabulary.describe(parser, jobs[0])
            sys.stdout.write(printable_lines(parser.format_help()))
            return
        if options.cfg:
            shown, section = engine.get_sanitized_cfg(jobs[0], options.cfg), options.package
            if section and OmegaConf.select(shown, section) is None:
                parser.error(f"--package {section} is not in --cfg {options.cfg}{hint(section, map(str, shown))}")
            engine.show_cfg(command, lines, options.cfg, options.package, options.resolve)
            return
        settings = [vocabulary.validated(job) for job in jobs]
        if extra is not None:
            extras.require(extra)
        if options.multirun:
            runs.check_outputs(settings)
            runs.launch(engine, command, task, lines, jobs)
            return
    HydraConfig.instance().set_config(jobs[0])  # where the jobs of a sweep find it, too
    task(settings[0])


def _sentence(error: Exception, cause: Any) -> str:
    """What Hydra and OmegaConf raise about a configuration, on one line."""
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):  # for a key of Hydra: ours were found before
        key = str(cause.full_key)
        section = key.rpartition(".")[0]
        known = [f"{section}.{name}" for name in cause.parent_node or ()] if section else [overrides.LAUNCHER]
        return f"{key} is not known{hint(key, known)}; choose one of {', '.join(known)}"
    text = "{}\n{}".format(str(error).partition("\nConfig search path")[0], cause or "")
    noise = r"See https://.*|(reference|object)_type=.*|full_key: "
    return " ".join(re.sub(noise, "", text).split())
