import logging
from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.train.data.dataset import PhotoSet
from tests.helpers.photos import photo


def outputs(root: Path) -> None:
    """A run, a sweep, an evaluation and an optimized picture, among photos."""
    marks = ["run/metrics.csv", "run/.hydra/config.yaml", "sweep/sweep.csv", "sweep/.jobs/0.json"]
    marks += ["evaluation/evaluation.json", "out.trace.json"]
    written = ["run/curves.png", "run/samples/step_00000001.png", "run/samples/step_00000001/photo_0.png"]
    written += ["sweep/sheet.png", "evaluation/sheet.png", "out.png", "out.frames/000050.png"]
    photos = ["run/own.jpg", "evaluation/a/sheet.png", "samples/b.jpg", "c.jpg"]
    for name in marks + written + photos:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name in marks:
            (root / name).touch()
        else:
            photo(1).save(root / name)


def test_photo_set_leaves_out_what_impasto_wrote(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outputs(tmp_path)
    with caplog.at_level(logging.WARNING, "impasto"):
        names = PhotoSet(tmp_path, "data.root").names
    assert names == ["c.jpg", "evaluation/a/sheet.png", "run/own.jpg", "samples/b.jpg"]
    assert caplog.messages == [
        f"data.root={tmp_path}: 7 pictures are left out, which impasto wrote (such as evaluation/sheet.png)"
    ]


@pytest.mark.parametrize("root", ["run/samples", "run/samples/step_00000001"])
def test_photo_set_inside_a_run_has_no_photos(tmp_path: Path, root: str) -> None:
    outputs(tmp_path)
    with pytest.raises(UsageError, match="holds no photos"):
        PhotoSet(tmp_path / root, "data.root")
