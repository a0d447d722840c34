"""What a user types and what reaches the configuration: paths of any letters, images as styles, resumed runs."""

import io
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from impasto.configs.cli import app, overrides
from impasto.configs.cli.vocabulary import Vocabulary
from impasto.configs.errors import UsageError
from impasto.configs.schema.export import ExportConfig
from impasto.configs.schema.stylize import StylizeConfig
from tests.helpers.cli import Start, fail, files

ODD_NAMES = [
    "a b.jpg",
    "a,b.jpg",
    "a=b.jpg",
    "[a]{b}(c).jpg",
    'it\'s "a".jpg',
    "$a ${b} \\${c}.jpg",
    "Ünï 神.jpg",
    "~draft.jpg",
    "a\\",
    "a:b #%&*?!;|.jpg",
    "null.jpg",
    "-",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_compose_odd_path_is_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    config = app.compose("stylize", [f"model={name}", f"input={tmp_path}/in/{name}", f"output=./out/{name}"])
    assert isinstance(config, StylizeConfig)
    expected = [str(tmp_path / folder / name) for folder in ("", "in", "out")]
    assert [config.model, config.input, config.output] == expected


def test_compose_quotes_belong_to_a_file_of_that_name_else_to_hydra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["model='a, b'", "input=x", "output=y"]
    assert app.compose("stylize", lines).model == str(tmp_path / "a, b")
    (tmp_path / "'a, b'").touch()
    assert app.compose("stylize", lines).model == str(tmp_path / "'a, b'")


def test_run_odd_path_reaches_the_task(start: Start, tmp_path: Path) -> None:
    name = ODD_NAMES[4] + ODD_NAMES[5]
    outcome = start(f"model={name}", f"input={name}", f"output=~{name}", verb="stylize")
    assert outcome.err == ""
    [config] = outcome.configs
    assert [config.model, config.input, config.output] == [str(tmp_path / end) for end in (name, name, f"~{name}")]


def test_run_odd_paths_of_images_and_runs_are_unchanged(start: Start, tmp_path: Path) -> None:
    name = "it's a [b], c=d ${e} Ü.jpg"
    (tmp_path / name).touch()
    outcome = start(f"style={name}", f"data.root={name}", "hydra.run.dir=r, [1] 'Ü'=/x", "style.artist=Dürer, A.")
    assert outcome.err == ""
    [config] = outcome.configs
    assert config.style.image == config.data.root == str(tmp_path / name)
    assert config.style.artist == "Dürer, A."
    run = tmp_path / "r, [1] 'Ü'=" / "x"
    assert (run / ".hydra" / "config.yaml").is_file()
    [again] = start(f"resume={run}").configs
    assert again.style == config.style and again.resume == str(run)


def test_compose_home_words_and_null_in_paths_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    lines = ["data.root=~/photos/", "data.val_root=null", "init=a", "loss.weights=random"]
    config = app.compose("train", lines)
    assert (config.data.root, config.data.val_root) == ("/home/me/photos/", None)
    assert (config.init, config.loss.weights) == (str(tmp_path / "a"), "random")
    config = app.compose("train", ["data.root=x", "loss.weights=vgg.onnx"])
    assert config.loss.weights == str(tmp_path / "vgg.onnx")
    config = app.compose("export", ["checkpoint=zoo/swirls", "output=out"])
    assert isinstance(config, ExportConfig)
    assert (config.checkpoint, config.output) == ("zoo/swirls", str(tmp_path / "out"))


def test_run_directory_with_interpolations_is_resolved(start: Start, tmp_path: Path) -> None:
    assert start("data.root=x", "hydra.run.dir=runs/${model.name}-${seed}", "seed=3").err == ""
    assert (tmp_path / "runs" / "mobile-3" / ".hydra").is_dir()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Starry Night.JPG", "starry-night"), ("Dürer_2 (a)-b.png", "durer_2-a-b"), ("神奈川.png", "神奈川")],
)
def test_compose_image_as_style_is_named_by_its_stem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    config = app.compose("train", [f"style={name}", "data.root=x"])
    assert (config.style.name, config.style.image) == (expected, str(tmp_path / name))
    assert config.style.painter is None


def test_compose_image_as_style_keeps_the_given_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    config = app.compose("train", ["style.name=Mine 7", f"style={tmp_path}/a.jpg", "data.root=x"])
    assert config.style.name == "Mine 7"


def test_compose_preset_wins_over_a_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "swirls").touch()
    assert app.compose("train", ["style=swirls", "data.root=x"]).style.painter == "swirls"
    assert app.compose("train", ["style=./swirls", "data.root=x"]).style.image == str(tmp_path / "swirls")


def test_run_config_dir_adds_presets(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "small.yaml").write_text("name: mobile\nwidth: 0.25\nblocks: 1\n")
    [config] = start("--config-dir", "mine", "model=small", "data.root=x").configs
    assert config.model.width == 0.25


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


def test_resume_unreadable_overrides_are_one_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("{: [")
    assert "cannot be read" in start("resume=.").sentence(2)


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


def test_run_name_that_the_terminal_has_no_letters_for_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "argv", ["impasto-sweep", "sweep=神奈川"])
    app.run("sweep", lambda config: print(config.sweep))
    output.flush()
    assert output.buffer.getvalue().endswith(b"\\u795e\\u5948\\u5ddd\n")


def test_translate_pattern_with_commas_in_a_sweep_is_one_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine, old").mkdir()
    for name in ("b.pt", "a.pt"):
        (tmp_path / "mine, old" / name).touch()
    [line] = overrides.translate(["init=mine, old/*.pt"], Vocabulary("train"), sweep=True)
    assert line == f"init='{tmp_path}/mine, old/a.pt','{tmp_path}/mine, old/b.pt'"
    [line] = overrides.translate(["init=mine, old/a.pt,zoo/udnie"], Vocabulary("train"), sweep=True)
    assert line == f"init='{tmp_path}/mine','{tmp_path}/old/a.pt',zoo/udnie"


@pytest.mark.parametrize(
    "text",
    [
        *("5", "abc", "{}", "[null]", "[[1]]", "- =", "- ${nope:1}", "- style.name=${oc.env:HOME}", "- ${oc.env:HOME}"),
        *(
            "- style.name=${style.name}${oc.env:HOME}",
            '- "\\uD800=1"',
            '- "\\e[2J=1"',
            f"- seed={'9' * 6000}",
            "[" * 3000,
        ),
        *("- !!python/object/apply:os.getcwd []", "&a [*a]", "\t- a", "- style=${oc.env:HOME}"),
    ],
)
def test_resume_of_odd_overrides_is_one_sentence(start: Start, tmp_path: Path, text: str) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text(text)
    sentence = start("resume=.").sentence(2)
    assert sentence.isprintable() and str(Path.home()) not in sentence and len(sentence) < 1000
