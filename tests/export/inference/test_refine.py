"""What impasto-stylize refine= refuses before it trains."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import UsageError
from impasto.export.inference import refine
from impasto.models.image.decode import read
from impasto.models.image.grain import add_grain
from tests.helpers.stylize import noise, run_stylize, save


@pytest.mark.parametrize("line", ["refine=20", "painting=a.png"])
def test_refine_needs_both_keys(line: str) -> None:
    with pytest.raises(UsageError, match="give both refine and painting=FILE"):
        compose("stylize", ["model=zoo/udnie", "input=a.png", "output=b.png", line])


def test_refine_of_a_folder_or_a_video_is_refused(inverter: Path, tmp_path: Path) -> None:
    painting = save(tmp_path / "painting.png", noise(20, 30))
    save(tmp_path / "photos" / "a.png", noise(20, 30))
    (tmp_path / "clip.mp4").write_bytes(b"")
    for name, target in (("photos", "out"), ("clip.mp4", "out.mp4")):
        with pytest.raises(UsageError, match="refine fits the network to one photo"):
            run_stylize(inverter, tmp_path / name, tmp_path / target, "refine=2", f"painting={painting}")
        assert not (tmp_path / target).exists()


def test_refine_of_an_exported_file_without_checkpoint_is_refused(inverter: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.png", noise(20, 30))
    with pytest.raises(UsageError, match=f"model={re.escape(str(inverter))} has no checkpoint"):
        run_stylize(inverter, photo, tmp_path / "b.png", "refine=2", f"painting={photo}")
    with pytest.raises(UsageError, match=r"painting=.*c\.png does not exist"):
        run_stylize(inverter, photo, tmp_path / "b.png", "refine=2", f"painting={tmp_path / 'c.png'}")


def test_refine_without_the_extra_names_it(inverter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.configs.extras._is_installed", lambda module: module != "torch")
    config = compose("stylize", [f"model={inverter}", "input=a", "output=b", "refine=20", "painting=c"])
    with pytest.raises(UsageError, match=r"^refine=20 needs PyTorch; install it by pip install \"impasto\[train\]\"$"):
        refine.check(config, several=False)


def test_refined_network_runs_with_the_defaults_of_the_model(
    inverter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = onnx.load(inverter)
    onnx.helper.set_model_props(named, {"stroke_resolution": "60", "grain": "3.0"})
    onnx.save(named, tmp_path / "named.onnx")
    photo = save(tmp_path / "photo.png", noise(60, 90))

    @contextmanager
    def refined(*arguments: object) -> Iterator[str]:
        assert arguments[3] == 60
        yield str(inverter)

    monkeypatch.setattr(refine, "check", lambda config, several: inverter)
    monkeypatch.setattr(refine, "refined", refined)
    run_stylize(tmp_path / "named.onnx", photo, tmp_path / "out.png", "refine=2", f"painting={photo}")
    np.testing.assert_array_equal(read(tmp_path / "out.png").rgb, 255 - add_grain(read(photo).rgb, 3))
