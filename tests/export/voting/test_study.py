"""The folder of a page: names that tell nothing, and which photos and networks it takes."""

from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.export.voting import study
from tests.helpers import onnx_models
from tests.helpers.stylize import noise, save


def test_find_models_names_them_without_the_paths_of_this_machine(tmp_path: Path) -> None:
    one = onnx_models.model(tmp_path / "old" / "android" / "model.onnx", note="1")
    other = onnx_models.model(tmp_path / "new" / "android" / "model.onnx", note="2")
    models = study.find_models([str(one), str(tmp_path / "new"), "zoo/udnie/tiny"])
    assert [*models] == ["model.onnx", "new", "zoo/udnie/tiny"] and [*models.values()][:2] == [one, other]
    assert [*study.find_models([str(one), str(other)])] == ["old/android/model.onnx", "new/android/model.onnx"]


def test_find_models_of_one_network_under_two_names_is_one_sentence(tmp_path: Path) -> None:
    one = onnx_models.model(tmp_path / "a.onnx")
    copy = onnx_models.model(tmp_path / "b.onnx")
    with pytest.raises(UsageError, match=f"^models: {one} and {copy} are the same network; name networks that differ$"):
        study.find_models([str(one), str(copy)])


def test_find_photos_leaves_out_the_pictures_of_the_page(tmp_path: Path) -> None:
    photo = save(tmp_path / "sub" / "cat.png", noise(20, 20))
    save(tmp_path / "page" / "pictures" / "x.png", noise(20, 20))
    jobs, problems = study.find_photos(tmp_path, tmp_path / "page")
    assert [(job.photo, job.name) for job in jobs] == [(photo, Path("sub/cat.png"))] and problems == []
