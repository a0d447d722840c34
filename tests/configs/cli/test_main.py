"""The entry point impasto, and the key reference."""

import os
import runpy
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path

import pytest

import impasto
from impasto.configs.cli import main
from impasto.configs.schema.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[3]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["impasto", *arguments])
        main.main()


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_impasto_help_lists_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    run(monkeypatch, *arguments)
    out = capsys.readouterr().out
    for command, schema in COMMANDS.items():
        assert f"\n  {command:10} {schema.__doc__}\n" in out


def test_impasto_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, "--version")
    assert capsys.readouterr().out == f"impasto {version('impasto')}\n"


def test_impasto_unknown_command_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, "trian", "seed=1")
    streams = capsys.readouterr()
    assert stop.value.code == 2 and streams.out == ""
    assert streams.err.startswith("impasto: trian is not a command (did you mean train?); use one of train, sweep")
    assert streams.err.count("\n") == 1


@pytest.mark.slow
def test_impasto_command_is_the_console_script_of_its_name(tmp_path: Path) -> None:
    code = "import sys; from impasto.configs.cli.main import main; sys.argv[0] = 'impasto'; main()"
    line = [sys.executable, "-c", code, "bench", "model=x", "benchmark.repeats=0"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "impasto-bench: benchmark.repeats=0 is invalid; it must be an integer from 1 to 1000\n"


@pytest.mark.slow
def test_impasto_completes_commands_and_their_keys_in_bash(tmp_path: Path) -> None:
    script = """
        eval "$(impasto -sc install=bash)"
        complete -p impasto
        for COMP_LINE in "impasto tr" "impasto " "impasto train model=" "impasto nothing " ; do
            COMP_CWORD=$(($(wc -w <<< "${COMP_LINE}x") - 1))  # the last word, which may be empty
            hydra_bash_completion
            echo "${COMPREPLY[@]}"
        done
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    line = [shutil.which("bash") or pytest.skip("bash is not installed"), "-c", script]
    done = subprocess.run(
        line, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert done.stderr == "" and lines[0].endswith("hydra_bash_completion impasto")
    models = "model=deep model=johnson model=mobile model=studio model=tiny"
    assert lines[1:] == ["train", " ".join(COMMANDS), models, ""]


@pytest.mark.parametrize("script", ["impasto", "impasto-train"])
def test_completion_that_no_shell_asked_for_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    monkeypatch.delenv("COMP_LINE", raising=False)
    monkeypatch.setattr(sys, "argv", [script, "-sc", "query=bash"])
    with pytest.raises(SystemExit) as stop:
        entry_points(group="console_scripts", name=script)[script].load()()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(
        "impasto-train: -sc query=bash cannot be answered; -sc install=bash (or zsh"
    )


def test_console_scripts_are_the_commands() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert [*scripts] == ["impasto", *(f"impasto-{command}" for command in COMMANDS)]
    for name, value in scripts.items():
        assert EntryPoint(name, value, "console_scripts").load().__name__ == "main"


@pytest.mark.slow
def test_key_reference_is_current() -> None:
    page = (ROOT / "docs" / "reference" / "keys.md").read_text(encoding="utf-8")
    generated = runpy.run_path(str(ROOT / "docs" / "reference" / "keys.py"))["page"]()
    assert page == generated, "run `python docs/reference/keys.py`"


def test_package_version_is_the_installed_one() -> None:
    assert impasto.__version__ == version("impasto")


@pytest.mark.parametrize("line", ["impasto --help", "impasto-train --help", "impasto-train data.root=. --cfg job"])
def test_command_with_closed_output_ends_quietly(line: str) -> None:
    """As with `impasto --help | true`."""
    script, *arguments = line.split()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name(script)), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_command_with_empty_argument_is_one_sentence() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("impasto-train")), ""], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "'' is not of the form key=value" in done.stderr
