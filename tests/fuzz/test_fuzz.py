from pathlib import Path

import pytest

from tests.fuzz import corpus, run
from tests.fuzz.targets import Target


@pytest.fixture(scope="module")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, run.Tally]:
    return run.fuzz(tmp_path_factory.mktemp("fuzz"), pictures=60, models=40, seed=0, heavy=False)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pictures", "zips", "checkpoints", "onnx"])
def test_targets_broken_file_one_sentence_or_a_result(tallies: dict[str, run.Tally], kind: str) -> None:
    """Never a traceback, a hang, or over 2 GB; the long run is python -m tests.fuzz.run."""
    tally = tallies[kind]
    assert not tally.failures, "\n".join(tally.failures)
    assert any("refused" in outcome for outcome in tally.outcomes)


@pytest.mark.slow
def test_corpus_same_seed_same_files() -> None:
    few = [dict(corpus.pictures(20, seed, heavy=False)) for seed in (3, 3, 4)]
    assert few[0] == few[1] != few[2]
    assert len(few[0]) > 25


def _bad(path: Path) -> None:
    if path.name.startswith("00000"):
        raise ValueError("an error that nobody caught")
    _ = b"x" * (2200 << 20)


def _bad_targets(folder: Path) -> dict[str, Target]:
    return {"bad": _bad}


@pytest.mark.slow
def test_run_targets_traceback_and_memory_are_reported(tmp_path: Path) -> None:
    cases = [("00000.jpg", b""), ("00001.jpg", b"")]
    advanced: list[int] = []
    tally = run.run_targets(_bad_targets, iter(cases), tmp_path, lambda: advanced.append(1))
    assert len(advanced) == tally.files == 2
    traceback, memory = tally.failures
    assert traceback.startswith("00000.jpg through bad: traceback") and "nobody caught" in traceback
    assert memory.startswith("00001.jpg through bad: holds 2")
