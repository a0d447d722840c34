"""Commands end to end: what reaches the task, what an error says, what stays behind."""

import os
import signal
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from impasto.configs.cli import app
from impasto.configs.cli.vocabulary import Vocabulary
from impasto.configs.errors import CheckFailed, UsageError
from impasto.configs.schema.train import TrainConfig
from tests.helpers.cli import Start, fail, files, shell


def test_run_valid_request_calls_the_task_with_the_typed_settings(start: Start, tmp_path: Path) -> None:
    outcome = start("data.root=photos", "trainer.steps=7", "hydra.run.dir=run")
    assert outcome.code == 0 and outcome.err == "" and outcome.out == ""
    [config] = outcome.configs
    assert isinstance(config, TrainConfig)
    assert config.trainer.steps == 7
    assert config.data.root == str(tmp_path / "photos")
    assert files(tmp_path) == [
        "run",
        *(f"run/.hydra{name}" for name in ("", "/config.yaml", "/overrides.yaml")),
    ]


def test_read_flags_between_overrides_are_separated() -> None:
    options = app.Arguments(Vocabulary("train")).read(["seed=1,2", "-m", "data.root=x", "-p", "loss"], [])
    assert (options.multirun, options.package, options.overrides) == (True, "loss", ["seed=1,2", "data.root=x"])


SENTENCES = [  # arguments, and what the sentence must name
    (["trainer.stepz=3"], ["trainer.stepz", "did you mean trainer.steps?", "minutes", "batch"]),
    (["trainr.steps=3"], ["trainr.steps", "did you mean trainer.steps?", "model", "precision"]),
    (["+trainer.foo=1"], ["trainer.foo", "keys of trainer", "steps, minutes"]),
    (["foo=1"], ["foo", "experiment", "resume"]),
    (["optimizer=lbfgs"], ["optimizer=lbfgs", "choose one of adam"]),
    (["experiment=gatys2016"], ["experiment=gatys2016", "demo, johnson2016"]),
    (["optimizer.betas=[0.9]"], ["optimizer.betas=[0.9]", "[0.9,0.999]"]),
    (["lattice_weight=3"], ["lattice_weight", "did you mean loss.checkerboard_weight?"]),  # of the first edition
    (["loss.stability_weight=3"], ["loss.stability_weight", "did you mean loss.temporal_weight?"]),
    (["lr=0.1"], ["lr", "did you mean optimizer.lr?"]),
    (["--style", "x.jpg"], ["--style is not a flag", "did you mean style=x.jpg?"]),
    (["--batch-size=8"], ["--batch-size is not a flag", "did you mean trainer.batch_size=8?"]),
    (["seed.x=1"], ["seed.x", "single value"]),
    (["model=jonson"], ["model=jonson", "did you mean johnson?", "johnson, mobile, studio, tiny"]),
    (["model=null"], ["model=null", "johnson, mobile, studio, tiny"]),
    (["experiment=x"], ["experiment=x", "demo, johnson2016"]),
    (["modle=johnson"], ["modle", "did you mean model?", "trainer", "device"]),
    (["trainer.steps=many"], ["trainer.steps=many", "an integer of at least 1 or null"]),
    (["trainer.batch_size=2.5"], ["trainer.batch_size=2.5", "an integer"]),
    (["trainer.batch_size=null"], ["trainer.batch_size=null", "an integer"]),
    (["data.flip=maybe"], ["data.flip=maybe", "true or false"]),
    (["data.scale_range=[1,x]"], ["data.scale_range=[1,x]", "a list, each element a number"]),
    (["loss.style_layers=relu1_2"], ["loss.style_layers=relu1_2", "a list", "relu1_2"]),
    (["loss.style_layers=[relu9_9]"], ["relu9_9", "relu1_2"]),
    (["loss.style_layer_weights=[x]"], ["loss.style_layer_weights=[x]", "a number of at least 0 or null"]),
    (["data.scale_range=[2,1]"], ["data.scale_range"]),
    (["data.size=big"], ["data.size=big", "an integer from 32 to 2048 and a multiple of 4 or one of auto"]),
    (["data.size=32"], ["data.size=32 is too small for the loss", "at least 64"]),
    (["data.val_size=32"], ["data.val_size=32 is too small", "loss=johnson"]),
    (["style.size=32"], ["style.size=32 is too small", "at least 64"]),
    (["trainer.batch_size=0"], ["trainer.batch_size=0", "from 1 to 1024"]),
    (["trainer.minutes=inf"], ["trainer.minutes=inf", "at least 0.01"]),
    (["optimizer.lr=nan"], ["optimizer.lr=nan", "from 1e-08 to 1"]),
    (["device=tpu"], ["device=tpu", "auto, cpu, cuda"]),
    (["seed=1,2"], ["seed=1,2", "-m"]),
    (["seed=[1"], ["seed=[1", "quotes"]),
    (["seed=é"], ["seed=é", "quotes"]),
    (["seed"], ["seed", "key=value"]),
    (["photo.jpg"], ["photo.jpg", "key=value"]),
    (["seed=${foo}"], ["seed", "foo"]),
    (["~model"], ["~model", "needs model"]),
    (["~trainer.steps"], ["~trainer.steps", "needs trainer.steps"]),
    (["~foo"], ["foo is not known"]),
    (["trainer.divergence=3"], ["trainer.divergence", "is a group of keys; set one of them"]),
    (["+trainer.divergence={foo:3}"], ["trainer.divergence.foo"]),
    (["trainer.steps=true"], ["trainer.steps=true", "an integer"]),
    (["data.flip=2"], ["data.flip=2", "true or false"]),
    (["trainer=3"], ["trainer=3", "choose one of standard"]),
    (["data=photos"], ["data=photos", "did you mean data.root=photos?"]),
    (["hydra.foo=1"], ["hydra.foo", "hydra.run"]),
    (["hydra.run.dri=x"], ["hydra.run.dri", "did you mean hydra.run.dir?"]),
    (["hydra/launchr=x"], ["hydra/launchr", "did you mean hydra/launcher?"]),
    (["seed=${oc.env:IMPASTO_NO_SUCH}"], ["seed", "IMPASTO_NO_SUCH"]),
    (["-m", "hydra/launcher=x"], ["hydra/launcher=x", "basic"]),
    (["--cfg", "job", "-p", "trainr"], ["--package trainr", "did you mean trainer?"]),
    (["--cfg", "job", "-p", "hydra.run"], ["--package hydra.run", "--cfg job"]),
    (["hydra.sweep.dir=file"], ["hydra.sweep.dir=", "is a file"]),
    (["hydra/launcher=basic"], ["hydra/launcher=basic", "-m"]),
    (["--foo"], ["--foo", "--help"]),
    (["--cfg", "x"], ["--cfg", "job"]),
    (["--cfg", "job", "-m"], ["--cfg", "--multirun"]),
    (["--experimental-rerun=x.pickle"], ["--experimental-rerun is not a flag"]),
    (["--config-name=x"], ["--config-name"]),
    (["--config-dir=nowhere"], ["--config-dir nowhere", "directory"]),
    (["hydra.run.dir=file"], ["hydra.run.dir=", "is a file"]),
    (["style=swirl"], ["style=swirl", "did you mean swirls?", "facets, picture, store, swirls", "path"]),
    (["style=nowhere.jpg"], ["style=nowhere.jpg", "facets, picture, store, swirls", "path"]),
    (["style=picture"], ["style.image is missing; add style.image=FILE"]),
    (["-m", "style=file,swirls"], ["file,swirls", "mixes"]),
    (["style=no 'such' file, here.jpg"], ["style=no 'such' file, here.jpg", "image file"]),
    (["-m", "style=*.png"], ["style=*.png", "neither a preset nor the path"]),
    (["-m", "style=swirls,swril"], ["style=swril", "facets, picture, store, swirls"]),
    (["-m", "model=mobile,jonson"], ["model=jonson", "johnson, mobile, studio, tiny"]),
    (["-m", "seed=1,x"], ["seed=x", "an integer from 0"]),
    (["-m", "trainer.batch_size=1,2,0"], ["trainer.batch_size=0", "1024"]),
    (["-m", "seed=range(1,1)"], ["seed=range(1,1)", "no value"]),
    (["resume=nowhere"], ["nowhere", "not a run directory"]),
    (["resume=folder"], ["folder", "not a run directory", ".hydra/overrides.yaml"]),
    (["-m", "resume=folder"], ["resume", "-m"]),
    (["init=a\udcff"], ["UTF-8"]),
]


@pytest.mark.parametrize(
    ("arguments", "names"), SENTENCES, ids=[" ".join(row[0]) for row in SENTENCES[:-1]] + ["bytes"]
)
def test_run_wrong_request_is_one_sentence_and_no_file(
    start: Start, tmp_path: Path, arguments: list[str], names: Sequence[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    outcome = start("data.root=x", *arguments)
    sentence = outcome.sentence(2)
    assert [name for name in names if name not in sentence] == [], sentence
    assert outcome.configs == [] and outcome.out == ""
    assert files(tmp_path) == ["file", "folder"]


def test_run_missing_values_are_named_with_a_placeholder(start: Start, tmp_path: Path) -> None:
    assert start().sentence(2) == "data.root is missing; add data.root=DIR"
    outcome = start("model=x.onnx", verb="stylize")
    assert outcome.sentence(2, "stylize") == "input and output are missing; add input=PATH output=PATH"
    sentence = start(verb="stylize").sentence(2, "stylize")
    assert sentence == "input, model and output are missing; add input=PATH model=PATH output=PATH"
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UsageError("data.root=x\nholds no photo"), 2, "data.root=x holds no photo"),
        (CheckFailed("parity is lost"), 1, "parity is lost"),
        (
            OSError(28, "No space left"),
            1,
            "OSError: [Errno 28] No space left; set HYDRA_FULL_ERROR=1 for the traceback",
        ),
        (MemoryError(), 1, "MemoryError; set HYDRA_FULL_ERROR=1 for the traceback"),
        (ValueError("a bug"), 1, "ValueError: a bug; set HYDRA_FULL_ERROR=1 for the traceback"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_run_failing_task_has_its_exit_code_and_one_sentence(
    start: Start, tmp_path: Path, error: BaseException, code: int, sentence: str
) -> None:
    outcome = start("model=x", "input=x", "output=x", verb="stylize", task=fail(error))
    assert outcome.sentence(code, "stylize") == sentence
    assert files(tmp_path) == []


def test_run_sigterm_ends_the_task_as_ctrl_c_does(start: Start) -> None:
    before = signal.getsignal(signal.SIGTERM)
    ended: list[bool] = []

    def task(config: Any) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            ended.append(True)

    assert start("model=x", "input=x", "output=x", verb="stylize", task=task).sentence(130, "stylize") == "interrupted"
    assert ended and signal.getsignal(signal.SIGTERM) is before


def test_run_sigterm_does_not_hide_the_error_that_is_being_raised(start: Start) -> None:
    def task(config: Any) -> None:
        try:
            raise CheckFailed("process 0 of 2 lost another process")
        finally:
            signal.raise_signal(signal.SIGTERM)

    outcome = start("model=x", "input=x", "output=x", verb="stylize", task=task)
    assert outcome.sentence(1, "stylize") == "process 0 of 2 lost another process"


def test_run_with_full_errors_logs_the_traceback(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    wrong, failing = start("model=jonson"), start("data.root=x", task=fail(ZeroDivisionError()))
    for outcome, code, last in ((wrong, 2, "UsageError: model=jonson"), (failing, 1, "ZeroDivisionError")):
        assert outcome.code == code
        assert "Traceback (most recent call last)" in outcome.err
        assert last in outcome.err.splitlines()[-1] or last in outcome.err.splitlines()[-2]
    assert files(tmp_path) == []


def test_run_task_sees_the_users_environment(start: Start) -> None:
    seen: list[str | None] = []
    start("data.root=x", task=lambda config: seen.append(os.environ.get("HYDRA_FULL_ERROR")))
    assert seen == [None]


def test_torchrun_other_ranks_write_nothing(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert len(start("data.root=x", task=lambda config: None).configs) == 1
    outcome = start("data.root=x", task=fail(KeyboardInterrupt()))
    assert (outcome.code, outcome.err) == (130, "")
    assert files(tmp_path) == []


def test_preset_with_an_unknown_key_is_one_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("name: mobile\nwidth: 1.0\nblocks: 1\ndepth: 3\n")
    assert start("--config-dir", ".", "model=mine", "data.root=x").sentence(2).startswith("model.depth is not known")


@pytest.mark.slow
def test_help_version_and_cfg_print_and_write_nothing(start: Start, tmp_path: Path) -> None:
    text = start("--help").out
    for words in (
        "Train a network on one painting, or a store of styles on several.",
        "model: deep, johnson, mobile, studio, tiny",
        "optimizer: adam, soap\n",
        "trainer.batch_size=1\n      an integer from 1 to 1024. Photos per step, over all processes.",
        "data.root=???",
        "-m loss.style_weight=2,5,10",
    ):
        assert words in text
    assert start("-h").out == text
    assert "loss.pooling=average" in start("--help", "loss=gatys2016").out
    text = start("--help", verb="stylize").out
    assert "quality=95" in text and "Groups" not in text
    assert start("--version").out == f"impasto {version('impasto')}\n"
    outcome = start("--cfg", "job", "trainer.steps=3", "-p", "trainer")
    assert outcome.out.startswith("# @package trainer\nsteps: 3\n")
    assert "dir:" in start("--cfg", "hydra").out
    assert start("--help", "model=jonson").sentence(2)
    assert files(tmp_path) == []


@pytest.mark.slow
def test_completion_lists_only_the_commands_own_groups(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", "impasto-train style=")
    assert start("-sc", "query=bash").out.split() == ["style=facets", "style=picture", "style=store", "style=swirls"]
    monkeypatch.setenv("COMP_LINE", "impasto-stylize mod")
    assert start("-sc", "query=bash", verb="stylize").out.split() == ["model="]
    monkeypatch.setenv("COMP_LINE", "impasto-optimize ")
    words = start("-sc", "query=bash", verb="optimize").out.split()
    assert {"experiment=", "optimizer=", "style="} <= {*words} and not {"model=", "data=", "trainer="} & {*words}


def test_compose_python_caller_gets_the_typed_settings() -> None:
    config = app.compose("train", ["data.root=/a, b", "trainer.steps=3"])
    assert isinstance(config, TrainConfig)
    assert (config.data.root, config.trainer.steps) == ("/a, b", 3)
    with pytest.raises(UsageError, match=r"data\.root"):
        app.compose("train")


@pytest.mark.slow
def test_run_in_a_shell_has_clean_streams_and_exit_codes(tmp_path: Path) -> None:
    done = shell(tmp_path, "data.root=a b", "hydra.run.dir=run")
    assert done.returncode == 0 and done.stderr == ""
    assert f"root='{tmp_path}/a b'" in done.stdout
    saved = OmegaConf.load(tmp_path / "run" / ".hydra" / "config.yaml")
    assert saved.data.root == str(tmp_path / "a b")
    done = shell(
        tmp_path, "model=jonson", code="import atexit; atexit.register(lambda: print('torch' in sys.modules))\n"
    )
    assert (done.returncode, done.stdout) == (2, "False\n")
    sentence = "model=jonson is not known (did you mean johnson?); choose one of deep, johnson, mobile, studio, tiny"
    assert done.stderr == f"impasto-train: {sentence}\n"
    done = shell(tmp_path, "model=jonson", HYDRA_FULL_ERROR="1")
    assert "Traceback" in done.stderr and done.returncode == 2
