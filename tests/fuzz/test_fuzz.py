from pathlib import Path

import pytest

from tests.fuzz import corpus, run
from tests.fuzz.entrances import Entrance


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, run.Tally]:
    return run.fuzz(tmp_path_factory.mktemp("fuzz"), pictures=60, models=40, seed=0, heavy=False)


@pytest.mark.parametrize("kind", ["pictures", "zips", "checkpoints", "onnx"])
def test_broken_files_get_a_sentence(found: dict[str, run.Tally], kind: str) -> None:
    """Never a traceback, a hang, or over 2 GB; the long run is python -m tests.fuzz.run."""
    tally = found[kind]
    assert not tally.wrong, "\n".join(tally.wrong)
    assert any("refused" in end for end in tally.ends)


def test_the_corpus_comes_from_its_seed() -> None:
    few = [dict(corpus.pictures(20, seed, heavy=False)) for seed in (3, 3, 4)]
    assert few[0] == few[1] != few[2]
    assert len(few[0]) > 25


def _bad(path: Path) -> None:
    if path.name.startswith("00000"):
        raise ValueError("of a kind that nobody caught")
    _ = b"x" * (2200 << 20)


def _bad_entrances(folder: Path) -> dict[str, Entrance]:
    return {"bad": _bad}


def test_what_must_not_be_is_found(tmp_path: Path) -> None:
    cases = [("00000.jpg", b""), ("00001.jpg", b"")]
    seen: list[int] = []
    tally = run.through(_bad_entrances, iter(cases), tmp_path, lambda: seen.append(1))
    assert len(seen) == tally.files == 2
    traceback, memory = tally.wrong
    assert traceback.startswith("00000.jpg through bad: traceback") and "nobody caught" in traceback
    assert memory.startswith("00001.jpg through bad: holds 2")
