"""What several wings' tests share: photos, and a tiny run of impasto-train."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Run = subprocess.CompletedProcess[str]
TINY = (
    *("model=mobile", "model.width=0.25", "model.blocks=1", "style=swirls", "style.size=64", "loss.weights=random"),
    *("data.size=32", "data.val_size=32", "data.val_photos=2", "data.workers=0", "data.cache=null"),
    *("precision=fp32", "device=cpu"),
    *("trainer.steps=6", "trainer.batch=2", "trainer.log_every=2", "trainer.validate_every=3"),
    *("trainer.sample_every=6", "trainer.checkpoint_every=3"),
)


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight smooth photos of 80x60, each of colours of its own."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(8):
        small = Image.fromarray(random.integers(0, 255, (5, 6, 3), np.uint8))
        small.resize((80, 60), Image.Resampling.BICUBIC).save(folder / f"photo_{number}.jpg", quality=95)
    return folder


@pytest.fixture(scope="session")
def impasto() -> Callable[..., Run]:
    """Run a console script: impasto("train", "seed=1")."""

    def call(verb: str, *arguments: object, cwd: Path | None = None, timeout: float = 300) -> Run:
        script = Path(sys.executable).with_name(f"impasto-{verb}")
        line = [str(script), *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, cwd=cwd, timeout=timeout, check=False)

    return call


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path, impasto: Callable[..., Run]) -> Path:
    """The directory of a finished tiny run; not to be changed."""
    directory = tmp_path_factory.mktemp("tiny") / "run"
    done = impasto("train", *TINY, f"data.root={photo_folder}", f"hydra.run.dir={directory}")
    assert done.returncode == 0, done.stderr
    return directory
