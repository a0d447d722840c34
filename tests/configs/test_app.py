"""Commands end to end: what reaches the task, what an error says, what stays behind."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from impasto.configs import app, overrides
from impasto.configs.errors import CheckError, RequestError
from impasto.configs.keys import Vocabulary
from impasto.configs.rundir import claim
from impasto.configs.schema import TrainConfig
from tests.configs.conftest import Start, fail, files, shell


def test_the_task_gets_the_checked_dataclass(start: Start, tmp_path: Path) -> None:
    outcome = start("data.root=photos", "trainer.steps=7", "hydra.run.dir=run")
    assert outcome.code == 0 and outcome.err == "" and outcome.out == ""
    [config] = outcome.configs
    assert isinstance(config, TrainConfig)
    assert config.trainer.steps == 7
    assert config.data.root == str(tmp_path / "photos")
    assert files(tmp_path) == [
        "run",
        *(f"run/.hydra{name}" for name in ("", "/config.yaml", "/hydra.yaml", "/overrides.yaml")),
    ]


def test_flags_may_stand_between_overrides() -> None:
    command = overrides.read(["seed=1,2", "-m", "data.root=x", "--cfg", "job"])
    assert (command.flags, command.overrides) == (["-m", "--cfg", "job"], ["seed=1,2", "data.root=x"])


SENTENCES = [  # arguments, and what the sentence must name
    (["trainer.stepz=3"], ["trainer.stepz", "did you mean trainer.steps?", "minutes", "batch"]),
    (["trainr.steps=3"], ["trainr.steps", "did you mean trainer.steps?", "model", "precision"]),
    (["+trainer.foo=1"], ["trainer.foo", "keys of trainer", "steps, minutes"]),
    (["foo=1"], ["foo", "experiment", "resume"]),
    (["seed.x=1"], ["seed.x", "single value"]),
    (["model=jonson"], ["model=jonson", "did you mean johnson?", "johnson, mobile, tiny"]),
    (["model=null"], ["model=null", "johnson, mobile, tiny"]),
    (["experiment=x"], ["experiment=x", "demo, johnson2016"]),
    (["modle=johnson"], ["modle", "did you mean model?", "trainer", "device"]),
    (["trainer.steps=many"], ["trainer.steps=many", "whole number, or null"]),
    (["trainer.batch=2.5"], ["trainer.batch=2.5", "whole number"]),
    (["trainer.batch=null"], ["trainer.batch=null", "whole number"]),
    (["data.flip=maybe"], ["data.flip=maybe", "true or false"]),
    (["data.zoom=[1,x]"], ["data.zoom=[1,x]", "list", "number"]),
    (["loss.style_layers=relu1_2"], ["loss.style_layers=relu1_2", "list", "text"]),
    (["loss.style_layers=[relu9_9]"], ["relu9_9", "relu1_2"]),
    (["loss.style_layer_weights=[x]"], ["loss.style_layer_weights=[x]", "number, or null"]),
    (["data.zoom=[2,1]"], ["data.zoom"]),
    (["trainer.batch=0"], ["trainer.batch=0", "from 1 to 1024"]),
    (["trainer.minutes=inf"], ["trainer.minutes=inf", "at least 0.01"]),
    (["trainer.lr=nan"], ["trainer.lr=nan", "from 1e-08 to 1"]),
    (["device=tpu"], ["device=tpu", "auto, cpu, cuda"]),
    (["seed=1,2"], ["seed=1,2", "-m"]),
    (["seed=[1"], ["seed=[1", "quotes"]),
    (["seed=é"], ["seed=é", "quotes"]),
    (["seed"], ["seed", "key=value"]),
    (["photo.jpg"], ["photo.jpg", "key=value"]),
    (["seed=${foo}"], ["seed", "foo"]),
    (["~model"], ["model is missing", "model=johnson|mobile"]),
    (["~trainer.steps"], ["trainer.steps"]),
    (["hydra.foo=1"], ["hydra.foo"]),
    (["-m", "hydra/launcher=x"], ["hydra/launcher", "basic"]),
    (["hydra/launcher=basic"], ["hydra/launcher=basic", "-m"]),
    (["--foo"], ["--foo", "--help"]),
    (["--cfg", "x"], ["--cfg", "job"]),
    (["--cfg", "job", "-m"], ["Only one of"]),
    (["--experimental-rerun=x.pickle"], ["--experimental-rerun", "pickle", "resume=RUN_DIR"]),
    (["--config-name=x"], ["--config-name"]),
    (["--config-dir=nowhere"], ["--config-dir nowhere", "folder"]),
    (["hydra.run.dir=file"], ["hydra.run.dir=", "is a file"]),
    (["style=swirl"], ["style=swirl", "did you mean swirls?", "facets, picture, swirls", "path"]),
    (["style=nowhere.jpg"], ["style=nowhere.jpg", "facets, picture, swirls", "path"]),
    (["style=folder"], ["style=folder", "swirls", "file"]),
    (["style=picture"], ["style.image and style.name are missing", "style.image=FILE", "style.name=TEXT"]),
    (["-m", "style=file,swirls"], ["file,swirls", "mixes"]),
    (["-m", "style=*.png"], ["style=*.png", "neither a preset nor"]),
    (["-m", "style=swirls,swril"], ["style=swril", "facets, picture, swirls"]),
    (["-m", "model=mobile,jonson"], ["model=jonson", "johnson, mobile, tiny"]),
    (["-m", "seed=1,x"], ["seed=x", "whole number"]),
    (["-m", "trainer.batch=1,2,0"], ["trainer.batch=0", "1024"]),
    (["-m", "seed=range(1,1)"], ["seed=range(1,1)", "no value"]),
    (["resume=nowhere"], ["nowhere", "no folder"]),
    (["resume=folder"], ["folder", "no run directory", ".hydra/overrides.yaml"]),
    (["-m", "resume=folder"], ["resume", "-m"]),
    (["init=a\udcff"], ["UTF-8"]),
]


@pytest.mark.parametrize(
    ("arguments", "names"), SENTENCES, ids=[" ".join(row[0]) for row in SENTENCES[:-1]] + ["bytes"]
)
def test_a_wrong_request(start: Start, tmp_path: Path, arguments: list[str], names: Sequence[str]) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    outcome = start("data.root=x", *arguments)
    sentence = outcome.sentence(2)
    assert [name for name in names if name not in sentence] == [], sentence
    assert outcome.configs == [] and outcome.out == ""
    assert files(tmp_path) == ["file", "folder"]


def test_mandatory_values_are_named_with_a_placeholder(start: Start, tmp_path: Path) -> None:
    assert start().sentence(2) == "data.root is missing; add data.root=DIR"
    outcome = start("model=x.onnx", verb="stylize")
    assert outcome.sentence(2, "stylize") == "input and output are missing; add input=PATH output=PATH"
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (RequestError("data.root=x\nholds no photo"), 2, "data.root=x holds no photo"),
        (CheckError("parity is lost"), 1, "parity is lost"),
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
def test_a_task_that_fails(start: Start, tmp_path: Path, error: BaseException, code: int, sentence: str) -> None:
    outcome = start("model=x", "input=x", "output=x", verb="stylize", task=fail(error))
    assert outcome.sentence(code, "stylize") == sentence
    assert files(tmp_path) == []


def test_sigterm_ends_a_task_as_ctrl_c_does(start: Start) -> None:
    before = signal.getsignal(signal.SIGTERM)
    ended: list[bool] = []

    def task(config: Any) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            ended.append(True)

    assert start("model=x", "input=x", "output=x", verb="stylize", task=task).sentence(130, "stylize") == "interrupted"
    assert ended and signal.getsignal(signal.SIGTERM) is before


def test_a_folder_that_cannot_be_made(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "NotADirectoryError" in start("data.root=x", "hydra.run.dir=file/run").sentence(1)
    assert files(tmp_path) == ["file"]


def test_full_errors_go_through(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(RequestError):
        start("model=jonson")
    with pytest.raises(ZeroDivisionError):
        start("data.root=x", task=fail(ZeroDivisionError()))
    assert files(tmp_path) == []


def test_the_task_sees_the_users_environment(start: Start) -> None:
    seen: list[str | None] = []
    start("data.root=x", task=lambda config: seen.append(os.environ.get("HYDRA_FULL_ERROR")))
    assert seen == [None]


def test_what_a_task_wrote_stays(start: Start, tmp_path: Path) -> None:
    def task(config: Any) -> None:
        (tmp_path / "run" / "metrics.csv").touch()
        raise RuntimeError

    assert start("data.root=x", "hydra.run.dir=run", task=task).code == 1
    assert {"run/metrics.csv", "run/.hydra/overrides.yaml"} <= {*files(tmp_path)}


def test_a_failed_start_leaves_other_folders_alone(start: Start, tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "run").mkdir()
    assert start("data.root=x", task=fail(RequestError("no"))).code == 2
    assert start("data.root=x", "hydra.run.dir=run", task=fail(KeyboardInterrupt())).code == 130
    assert files(tmp_path) == ["outputs", "run"]


def test_a_failed_start_takes_its_folders_away(start: Start, tmp_path: Path) -> None:
    assert start("data.root=x", "hydra.run.dir=a/b/c", task=fail(CheckError("no"))).code == 1
    assert files(tmp_path) == []


def test_two_runs_never_share_a_default_folder(start: Start, tmp_path: Path) -> None:
    arguments = ["data.root=x", "--config-dir", "."]
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "here.yaml").write_text("# @package _global_\nhydra: {run: {dir: same}}\n")
    for _ in range(2):
        assert start(*arguments, "experiment=here").err == ""
    assert [path.name for path in sorted(tmp_path.glob("same*"))] == ["same", "same-2"]
    assert claim(tmp_path / "same", ".hydra/*").folder == tmp_path / "same-3"


def test_resume_replays_the_run(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b.jpg").touch()
    first = start("style=a b.jpg", "data.root=ph, otos", "trainer.steps=5", "seed=4", "hydra.run.dir=run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    [second] = start("resume=../run", "trainer.steps=9", "model=johnson").configs
    assert second.style == first.configs[0].style
    assert second.data == first.configs[0].data
    assert (second.seed, second.trainer.steps, second.model.name) == (4, 9, "johnson")
    assert Path(second.resume).resolve() == tmp_path / "run"
    monkeypatch.chdir("/")
    # Hydra writes nothing into the folder of a run that goes on: impasto-train itself does (train/resume.py).
    [third] = start(f"resume={tmp_path / 'run'}", "style=swirls").configs
    assert (third.seed, third.trainer.steps, third.model.name) == (4, 5, "mobile")
    assert (third.style.name, third.style.image) == ("swirls", None)
    assert files(tmp_path / "elsewhere") == []


def test_a_failed_resume_changes_nothing(start: Start, tmp_path: Path) -> None:
    start("data.root=x", "seed=4", "hydra.run.dir=run", task=lambda config: (tmp_path / "run" / "net").touch())
    saved = (tmp_path / "run" / ".hydra" / "overrides.yaml").read_text()
    assert start("resume=run", "seed=5", task=fail(RequestError("no"))).code == 2
    assert (tmp_path / "run" / ".hydra" / "overrides.yaml").read_text() == saved
    assert (tmp_path / "run" / "net").exists()


def test_an_unreadable_run_is_one_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("{: [")
    assert "cannot be read" in start("resume=.").sentence(2)


def test_a_sweep_runs_every_job(start: Start, tmp_path: Path) -> None:
    outcome = start("-m", "seed=1", "style=swirls,facets", "data.root=x", "hydra.sweep.dir=s w")
    assert outcome.err == outcome.out == ""
    assert [config.style.name for config in outcome.configs] == ["swirls", "facets"]
    jobs = sorted(path.name for path in (tmp_path / "s w").glob("[0-9]*"))
    assert jobs == ["0-mobile-swirls", "1-mobile-facets"]
    [again] = start(f"resume={tmp_path}/s w/1-mobile-facets").configs
    assert (again.seed, again.style.name) == (1, "facets")


def test_a_sweep_over_pictures(start: Start, tmp_path: Path) -> None:
    names = ["b.jpg", "it's c.jpg"]
    for name in names:
        (tmp_path / name).touch()
    outcome = start("-m", f"style={','.join(names)}", "data.root=x", "hydra.sweep.dir=sweep")
    assert [config.style.image for config in outcome.configs] == [str(tmp_path / name) for name in names]
    assert [config.style.name for config in outcome.configs] == ["b", "it-s-c"]
    [again] = start("resume=sweep/1-mobile-it-s-c", "seed=3").configs
    assert again.style == outcome.configs[1].style
    outcome = start("-m", "style=*.j?g", "data.root=x", "hydra.sweep.dir=other")
    assert [config.style.image for config in outcome.configs] == [str(tmp_path / name) for name in names]


def test_a_sweep_over_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c,d").touch()
    lines = ["init=null,a b.onnx,'c,d'", "loss.weights=auto,vgg.onnx", "data.root=c,d", "data.val_root=choice(a,b)"]
    assert overrides.translate(lines, Vocabulary(TrainConfig), sweep=True) == [
        f"init=null,'{tmp_path}/a b.onnx','{tmp_path}/c,d'",
        f"loss.weights=auto,'{tmp_path}/vgg.onnx'",
        f"data.root='{tmp_path}/c,d'",
        "data.val_root=choice(a,b)",
    ]


def test_a_failed_job_does_not_stop_a_sweep(start: Start, tmp_path: Path) -> None:
    def task(config: Any) -> None:
        if config.seed < 3:
            raise CheckError(f"seed {config.seed} fails")

    outcome = start("-m", "seed=1,2,3", "data.root=x", "hydra.sweep.dir=sweep", task=task)
    assert outcome.code == 1
    assert outcome.err == "impasto-train: job 0: seed 1 fails\nimpasto-train: job 1: seed 2 fails\n"
    assert len(outcome.configs) == 3
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == [".jobs", "2-mobile-swirls", "multirun.yaml"]
    assert start("-m", "seed=1,2", "data.root=x", "hydra.sweep.dir=other", task=fail(CheckError("no"))).code == 1
    assert not (tmp_path / "other").exists()


def test_help_and_configuration_leave_nothing(start: Start, tmp_path: Path) -> None:
    text = start("--help").out
    for words in (
        "train a network on one painting",
        "model: johnson, mobile, tiny",
        "batch: 4",
        "-m loss.style_weight=2,5,10",
    ):
        assert words in text
    text = start("--help", verb="stylize").out
    assert "quality: 95" in text and "Groups" not in text
    outcome = start("--cfg", "job", "trainer.steps=3", "-p", "trainer")
    assert outcome.out.startswith("# @package trainer\nsteps: 3\n")
    assert "dir:" in start("--cfg", "hydra").out
    assert start("--help", "model=jonson").sentence(2)
    assert files(tmp_path) == []


def test_completion(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", "impasto-train style=")
    assert start("-sc", "query=bash").out.split() == ["style=facets", "style=picture", "style=swirls"]
    monkeypatch.setenv("COMP_LINE", "impasto-stylize mod")
    assert start("-sc", "query=bash", verb="stylize").out.split() == ["model="]


def test_compose_for_callers_in_python() -> None:
    config = app.compose("train", ["data.root=/a, b", "trainer.steps=3"])
    assert isinstance(config, TrainConfig)
    assert (config.data.root, config.trainer.steps) == ("/a, b", 3)
    with pytest.raises(RequestError, match=r"data\.root"):
        app.compose("train")


def test_in_a_shell(tmp_path: Path) -> None:
    done = shell(tmp_path, "data.root=a b", "hydra.run.dir=run")
    assert done.returncode == 0 and done.stderr == ""
    assert f"root='{tmp_path}/a b'" in done.stdout
    saved = OmegaConf.load(tmp_path / "run" / ".hydra" / "config.yaml")
    assert saved.data.root == str(tmp_path / "a b")
    done = shell(
        tmp_path, "model=jonson", code="import atexit; atexit.register(lambda: print('torch' in sys.modules))\n"
    )
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert (
        done.stderr
        == "impasto-train: model=jonson is not known (did you mean johnson?); choose one of johnson, mobile, tiny\n"
    )
    done = shell(tmp_path, "model=jonson", HYDRA_FULL_ERROR="1")
    assert "Traceback" in done.stderr and done.returncode == 1
