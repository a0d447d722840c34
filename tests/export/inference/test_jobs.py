from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.export.inference.jobs import is_several, plan
from tests.helpers.stylize import noise, save


def test_plan_of_a_pattern_takes_the_files_that_match(tmp_path: Path) -> None:
    names = ("a.jpg", "b.jpg", "c.png", "deep/d.jpg")
    for name in names:
        save(tmp_path / "in" / name, noise(16, 16))
    (tmp_path / "in" / "folder.jpg").mkdir()

    def planned(pattern: str) -> list[tuple[str, str]]:
        work = plan(tmp_path / "in" / pattern, tmp_path / "out")
        return [(str(job.name), str(job.target.relative_to(tmp_path))) for job in work.jobs]

    assert planned("*.jpg") == [("a.jpg", "out/a.jpg"), ("b.jpg", "out/b.jpg")]
    assert planned("[bc].*") == [("b.jpg", "out/b.jpg"), ("c.png", "out/c.png")]
    assert planned("**/d.jpg") == [("deep/d.jpg", "out/deep/d.jpg")]
    assert [name for name, _ in planned("*/*.jpg")] == ["deep/d.jpg"]
    with pytest.raises(UsageError, match="contains no pictures"):
        plan(tmp_path / "in" / "*.tif", tmp_path / "out")
    with pytest.raises(UsageError, match="is the input folder"):
        plan(tmp_path / "in" / "*.jpg", tmp_path / "in")


def test_plan_of_a_name_like_a_pattern_takes_the_photo(tmp_path: Path) -> None:
    photo = save(tmp_path / "photo [1].jpg", noise(16, 16))
    save(tmp_path / "photo 1.jpg", noise(16, 16))
    assert not is_several(photo)
    assert [job.photo for job in plan(photo, tmp_path / "out.jpg").jobs] == [photo]
    with pytest.raises(UsageError, match=r"gone\.jpg does not exist"):
        plan(tmp_path / "gone.jpg", tmp_path / "out.jpg")
