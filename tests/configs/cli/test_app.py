"""Commands end to end: what reaches the task, what an error says, what stays behind."""

import os
import signal
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from impasto.configs.cli import app, overrides, run_dir, sweep
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
    options = overrides.Arguments(Vocabulary("train")).read(["seed=1,2", "-m", "data.root=x", "-p", "loss"])
    assert (options.multirun, options.package, options.overrides) == (True, "loss", ["seed=1,2", "data.root=x"])


SENTENCES = [  # arguments, and what the sentence must name
    (["trainer.stepz=3"], ["trainer.stepz", "did you mean trainer.steps?", "minutes", "batch"]),
    (["trainr.steps=3"], ["trainr.steps", "did you mean trainer.steps?", "model", "precision"]),
    (["+trainer.foo=1"], ["trainer.foo", "keys of trainer", "steps, minutes"]),
    (["foo=1"], ["foo", "experiment", "resume"]),
    (["optimizer=lbfgs"], ["optimizer=lbfgs", "choose one of adam"]),
    (["experiment=gatys2016"], ["experiment=gatys2016", "demo, johnson2016, short"]),
    (["optimizer.betas=[0.9]"], ["optimizer.betas=[0.9]", "[0.9,0.999]"]),
    (["--style", "x.jpg"], ["--style is not a flag", "did you mean style=x.jpg?"]),
    (["--batch-size=8"], ["--batch-size is not a flag", "did you mean trainer.batch_size=8?"]),
    (["seed.x=1"], ["seed.x", "single value"]),
    (["model=jonson"], ["model=jonson", "did you mean johnson?", "johnson, mobile, tiny"]),
    (["model=null"], ["model=null", "johnson, mobile, tiny"]),
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
    (["hydra.foo=1"], ["hydra.foo"]),
    (["-m", "hydra/launcher=x"], ["hydra/launcher", "basic"]),
    (["hydra/launcher=basic"], ["hydra/launcher=basic", "-m"]),
    (["--foo"], ["--foo", "--help"]),
    (["--cfg", "x"], ["--cfg", "job"]),
    (["--cfg", "job", "-m"], ["--cfg", "--multirun"]),
    (["--experimental-rerun=x.pickle"], ["--experimental-rerun is not a flag"]),
    (["--config-name=x"], ["--config-name"]),
    (["--config-dir=nowhere"], ["--config-dir nowhere", "directory"]),
    (["hydra.run.dir=file"], ["hydra.run.dir=", "is a file"]),
    (["style=swirl"], ["style=swirl", "did you mean swirls?", "facets, picture, swirls", "path"]),
    (["style=nowhere.jpg"], ["style=nowhere.jpg", "facets, picture, swirls", "path"]),
    (["style=folder"], ["style=folder", "swirls", "image file"]),
    (["style=picture"], ["style.image is missing; add style.image=FILE"]),
    (["-m", "style=file,swirls"], ["file,swirls", "mixes"]),
    (["-m", "style=*.png"], ["style=*.png", "neither a preset nor the path"]),
    (["-m", "style=swirls,swril"], ["style=swril", "facets, picture, swirls"]),
    (["-m", "model=mobile,jonson"], ["model=jonson", "johnson, mobile, tiny"]),
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


def test_claim_impossible_directory_is_an_error(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "NotADirectoryError" in start("data.root=x", "hydra.run.dir=file/run").sentence(1)
    assert files(tmp_path) == ["file"]


def test_run_with_full_errors_raises_them(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(UsageError):
        start("model=jonson")
    with pytest.raises(ZeroDivisionError):
        start("data.root=x", task=fail(ZeroDivisionError()))
    assert files(tmp_path) == []


def test_run_task_sees_the_users_environment(start: Start) -> None:
    seen: list[str | None] = []
    start("data.root=x", task=lambda config: seen.append(os.environ.get("HYDRA_FULL_ERROR")))
    assert seen == [None]


def test_run_failing_task_keeps_what_it_wrote(start: Start, tmp_path: Path) -> None:
    def task(config: Any) -> None:
        (run_dir.claim() / "metrics.csv").touch()
        run_dir.save(config)
        raise RuntimeError

    assert start("data.root=x", "hydra.run.dir=run", task=task).code == 1
    assert {"run/metrics.csv", "run/.hydra/overrides.yaml"} <= {*files(tmp_path)}


def test_run_task_that_fails_its_checks_leaves_other_directories_alone(start: Start, tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "run").mkdir()
    assert start("data.root=x", task=fail(UsageError("no"))).code == 2
    assert start("data.root=x", "hydra.run.dir=run", task=fail(KeyboardInterrupt())).code == 130
    assert files(tmp_path) == ["outputs", "run"]


def test_run_task_that_fails_its_checks_creates_no_directory(start: Start, tmp_path: Path) -> None:
    assert start("data.root=x", "hydra.run.dir=a/b/c", task=fail(CheckFailed("no"))).code == 1
    assert files(tmp_path) == []


def test_claim_taken_default_name_is_numbered(start: Start, tmp_path: Path) -> None:
    arguments = ["data.root=x", "--config-dir", "."]
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "here.yaml").write_text("# @package _global_\nhydra: {run: {dir: same}}\n")
    for _ in range(2):
        assert start(*arguments, "experiment=here").err == ""
    assert [path.name for path in sorted(tmp_path.glob("same*"))] == ["same", "same-2"]
    assert run_dir.create(tmp_path / "same", exist_ok=False) == tmp_path / "same-3"


@pytest.mark.slow
def test_resume_replays_the_overrides_of_the_run(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    [third] = start(f"resume={tmp_path / 'run'}", "style=swirls").configs
    assert (third.seed, third.trainer.steps, third.model.name) == (4, 9, "johnson")
    assert (third.style.name, third.style.image) == ("swirls", None)
    assert files(tmp_path / "elsewhere") == []


def test_resume_failing_task_changes_nothing(start: Start, tmp_path: Path) -> None:
    start("data.root=x", "seed=4", "hydra.run.dir=run")
    (tmp_path / "run" / "net").touch()
    saved = (tmp_path / "run" / ".hydra" / "overrides.yaml").read_text()
    assert start("resume=run", "seed=5", task=fail(UsageError("no"))).code == 2
    assert (tmp_path / "run" / ".hydra" / "overrides.yaml").read_text() == saved
    assert (tmp_path / "run" / "net").exists()


@pytest.mark.parametrize(
    "line",
    [
        "+hydra.callbacks.evil={_target_:pathlib.Path.touch,self:{_target_:pathlib.Path,_args_:[evil]}}",
        "hydra.job_logging.handlers.console.class=evil",
        "hydra/launcher=ray",
        "hydra.searchpath=[file://.]",
        "+experiment@hydra=evil",
        "++data.flip={_target_:pathlib.Path}",
    ],
)
def test_resume_of_a_manipulated_run_instantiates_nothing(start: Start, tmp_path: Path, line: str) -> None:
    start("data.root=x", "seed=4", "hydra.run.dir=run")
    file = tmp_path / "run" / ".hydra" / "overrides.yaml"
    file.write_text(OmegaConf.to_yaml(OmegaConf.create([*OmegaConf.load(file), line])))
    [config] = start("resume=run", task=lambda config: None).configs
    assert config.seed == 4 and config.data.flip is True
    assert not (tmp_path / "evil").exists()


def test_resume_of_a_run_with_an_unknown_key_is_one_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- trainer.batch=3\n")
    assert "did you mean trainer.batch_size?" in start("resume=.").sentence(2)
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- experiment=../../../../evil\n")
    assert "choose one of demo" in start("resume=.").sentence(2)


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


def test_resume_unreadable_overrides_are_one_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("{: [")
    assert "cannot be read" in start("resume=.").sentence(2)


@pytest.mark.slow
def test_sweep_runs_every_job(start: Start, tmp_path: Path) -> None:
    outcome = start("-m", "seed=1", "style=swirls,facets", "data.root=x", "hydra.sweep.dir=s w")
    assert outcome.err == outcome.out == ""
    assert [config.style.name for config in outcome.configs] == ["swirls", "facets"]
    jobs = sorted(path.name for path in (tmp_path / "s w").glob("[0-9]*"))
    assert jobs == ["0-mobile-swirls", "1-mobile-facets"]
    [again] = start(f"resume={tmp_path}/s w/1-mobile-facets").configs
    assert (again.seed, again.style.name) == (1, "facets")


@pytest.mark.slow
def test_sweep_over_images_gives_each_its_style(start: Start, tmp_path: Path) -> None:
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


def test_translate_sweep_over_paths_quotes_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c,d").touch()
    lines = ["init=null,a b.onnx,'c,d'", "loss.weights=auto,vgg.onnx", "data.root=c,d", "data.val_root=choice(a,b)"]
    assert overrides.translate(lines, Vocabulary("train"), sweep=True) == [
        f"init=null,'{tmp_path}/a b.onnx','{tmp_path}/c,d'",
        f"loss.weights=auto,'{tmp_path}/vgg.onnx'",
        f"data.root='{tmp_path}/c,d'",
        "data.val_root=choice(a,b)",
    ]


@pytest.mark.slow
def test_sweep_failed_job_does_not_stop_the_others(start: Start, tmp_path: Path) -> None:
    def task(config: Any) -> None:
        if config.seed < 3:
            raise CheckFailed(f"seed {config.seed} fails")

    outcome = start("-m", "seed=1,2,3", "data.root=x", "hydra.sweep.dir=sweep", task=task)
    assert outcome.code == 1
    assert outcome.err == "impasto-train: job 0: seed 1 fails\nimpasto-train: job 1: seed 2 fails\n"
    assert len(outcome.configs) == 3
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == [".jobs", "multirun.yaml"]
    assert [(status.job, status.code) for status in sweep.read(tmp_path / "sweep")] == [(0, 1), (1, 1), (2, 0)]
    again = start("-m", "seed=1,2", "data.root=x", "hydra.sweep.dir=sweep")
    assert "holds an earlier sweep" in again.sentence(2)
    for _ in range(2):  # a sweep of which nothing succeeded may be repeated in its directory
        line = ["-m", "seed=1,2", "data.root=x", "hydra.sweep.dir=other"]
        assert start(*line, task=fail(CheckFailed("no"))).code == 1


@pytest.mark.slow
def test_help_version_and_cfg_print_and_write_nothing(start: Start, tmp_path: Path) -> None:
    text = start("--help").out
    for words in (
        "Train a network on one painting.",
        "model: johnson, mobile, tiny",
        "optimizer: adam\n",
        "trainer.batch_size=4\n      an integer from 1 to 1024. Photos per step, over all processes.",
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
    assert start("-sc", "query=bash").out.split() == ["style=facets", "style=picture", "style=swirls"]
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
    assert (
        done.stderr
        == "impasto-train: model=jonson is not known (did you mean johnson?); choose one of johnson, mobile, tiny\n"
    )
    done = shell(tmp_path, "model=jonson", HYDRA_FULL_ERROR="1")
    assert "Traceback" in done.stderr and done.returncode == 1
