"""impasto/training.py: train, optimize and evaluate leave the process as it was."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import impasto
from impasto.models.image.decode import read
from impasto.train.image_optimization.inputs import OptimizationInputs
from tests.helpers.photos import photo

pytestmark = pytest.mark.slow  # torch

TINY: dict[str, object] = {
    **{
        "model.width": 0.25,
        "model.blocks": 1,
        "style.size": 64,
        "loss.weights": "random",
        "trainer.batch_size": 2,
        "loss": "johnson",
    },
    **{"data.size": 32, "data.val_size": 32, "data.val_photos": 2, "data.workers": 0, "data.cache": None},
    **{"trainer.log_every": 2, "trainer.validate_every": 3, "trainer.checkpoint_every": 3, "precision": "fp32"},
}


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in signal.valid_signals()]


def environment() -> dict[str, str]:
    """The environment but for what PyTorch sets as it is imported."""
    return {key: value for key, value in os.environ.items() if not key.startswith("TORCH")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> impasto.TrainingRun:
    """A finished run, trained in a thread."""
    folder, runs, before = tmp_path_factory.mktemp("api"), [], (environment(), handlers())
    photo(1, (80, 80)).save(folder / "painting.png")
    overrides = TINY | {"loss.style_strength": 2}

    def target() -> None:
        runs.append(impasto.train(Path("painting.png"), photo_folder, steps=6, overrides=overrides, progress=False))

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert before == (environment(), handlers())
    return runs[0]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    photo(1, (80, 80)).save("painting.png")
    photo(2, (48, 36)).save("photo.jpg", quality=95)
    return tmp_path


def test_train_in_a_thread_returns_the_run(run: impasto.TrainingRun) -> None:
    assert run.folder.parent.parent.name == "outputs" and run.folder.name.endswith("-mobile-painting")
    assert run.checkpoint == run.folder / "step_00000006.safetensors" and run.checkpoint.is_file()
    assert [row["step"] for row in run.metrics if "total" in row] == [2, 4, 6]
    assert [row["step"] for row in run.metrics if "val_total" in row] == [0, 3, 6]
    assert [path.name for path in run.samples] == ["step_00000006.png"]
    stylized = impasto.stylize(photo(3), run.model)
    assert impasto.stylize(photo(3), run.folder) == stylized and stylized.size == (80, 60)


def test_train_interrupted_is_saved_and_resumes(
    here: Path, photo_folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = handlers()

    def interrupt() -> None:
        while not list(here.glob("run/step_*.safetensors")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt, match=r"saved at step \d+; resume with"):
        impasto.train("painting.png", photo_folder, steps=10**6, folder="run", overrides=TINY, progress=False)
    thread.join()
    assert handlers() == before
    step = int(max(here.glob("run/step_*.safetensors")).stem.removeprefix("step_"))
    with pytest.raises(impasto.UsageError, match="contains step_"):
        impasto.train("painting.png", photo_folder, folder="run", progress=False)
    few = TINY | {"data.val_photos": 16}
    impasto.train("painting.png", photo_folder, steps=1, folder="short", overrides=few, progress=False)
    assert "data.val_photos=16 is more than the photos" in caplog.text  # logged, and not printed
    assert capfd.readouterr() == ("", "")
    run = impasto.train(resume="run", steps=step + 2)
    assert run.folder == here / "run" and run.metrics[-1]["step"] == step + 2
    out, err = capfd.readouterr()
    assert out == "" and "100%" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"style": "painting.png"}, "data is missing; name a folder of photos"),
        ({"data": "nothing"}, "data.root="),
        ({"data": "nothing", "style": "nothing.png"}, "style=nothing.png is neither a preset nor the path of an image"),
        ({"resume": "nothing"}, "is not a run directory"),
        ({"data": "nothing", "minutes": -1}, "trainer.minutes=-1 is invalid"),
        ({"data": "nothing", "overrides": {"device": "gpu"}}, "device=gpu is invalid"),
    ],
)
def test_train_wrong_request_is_a_usage_error(here: Path, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(impasto.UsageError) as caught:
        impasto.train(**arguments)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert not Path("outputs").exists()


FAST: dict[str, object] = {"loss.weights": "random", "style.size": 32, "loss.style_layers": ["relu1_2"]}


def test_optimize_returns_the_picture_and_writes_it_only_to_an_output(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.iterdir())
    small = impasto.optimize("photo.jpg", "painting.png", size=32, iterations=3, overrides=FAST, progress=False)
    assert sorted(here.iterdir()) == before
    assert small.image.size == (43, 32) and small.trace.iterations == 3
    written = impasto.optimize(
        "photo.jpg", "painting.png", size=32, iterations=3, output="out.png", overrides=FAST, progress=False
    )
    np.testing.assert_array_equal(read(here / "out.png").rgb, np.asarray(small.image))
    np.testing.assert_array_equal(np.asarray(written.image), np.asarray(small.image))
    assert (here / "out.trace.json").is_file()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("output", "words"), [(None, "was not written"), ("out.png", "is in .*out.png")])
def test_optimize_interrupted_says_where_the_picture_is(
    here: Path, monkeypatch: pytest.MonkeyPatch, output: str | None, words: str
) -> None:
    before = handlers()
    initial = OptimizationInputs.initial

    def interrupted(*arguments: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return initial(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(OptimizationInputs, "initial", interrupted)
    with pytest.raises(KeyboardInterrupt, match=f"stopped after 1 iterations; the picture so far {words}"):
        impasto.optimize("photo.jpg", size=32, iterations=50, output=output, overrides=FAST, progress=False)
    assert handlers() == before
    assert (here / "out.png").is_file() == bool(output)


def test_evaluate_returns_the_report_and_raises_it_with_a_failed_limit(
    here: Path, run: impasto.TrainingRun, photo_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    overrides: dict[str, object] = {"weights": "random", "evaluate.sizes": [32], "evaluate.starts": ["noise"]}
    overrides |= {"evaluate.iterations": 3, "evaluate.count": 1, "evaluate.display": None}
    report = impasto.evaluate(run.checkpoint, photo_folder, "painting.png", overrides=overrides, progress=False)
    assert report.passed and report.medians[0].size == 32
    assert {"evaluation.json", "sheet.png"} < {path.name for path in Path("outputs/evaluation").iterdir()}
    overrides["evaluate.max_ratio"] = 1e-6
    with pytest.raises(impasto.CheckFailed, match=r"evaluate.max_ratio=1e-06") as caught:
        impasto.evaluate(run.folder, photo_folder, "painting.png", overrides=overrides, progress=False)
    assert isinstance(caught.value.report, impasto.EvaluationReport) and not caught.value.report.passed
    assert capfd.readouterr() == ("", "")
