import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.helpers.commands import TINY, Run

Impasto = Callable[..., Run]


def test_train_photos_that_vanish_save_the_run(photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    photos, run = shutil.copytree(photo_folder, tmp_path / "photos"), tmp_path / "run"
    words = [*TINY, f"data.root={photos}", f"hydra.run.dir={run}", "data.cache=null", "data.workers=1"]
    words += ["trainer.steps=100000", "trainer.checkpoint_every=100000", "trainer.validate_every=100000"]
    script = Path(sys.executable).with_name("impasto-train")
    process = subprocess.Popen([script, *words], stderr=subprocess.PIPE, text=True)
    metrics = run / "metrics.csv"
    while process.poll() is None and not (metrics.is_file() and metrics.read_text().count("\n") > 3):
        time.sleep(0.1)
    shutil.rmtree(photos)
    _, printed = process.communicate(timeout=100)
    assert process.returncode == 1, printed
    sentence = printed.splitlines()[-1]
    newest = max(run.glob("*.state")).stem
    assert newest > "step_00000002"
    assert (
        sentence.startswith("impasto-train: none of the 7 photos of ") and " can be read; the first error: " in sentence
    )
    assert sentence.endswith(f"; training is saved as {newest}, resume with: impasto-train resume={run}")
    shutil.copytree(photo_folder, photos)
    again = impasto("train", f"resume={run}", f"trainer.steps={int(newest[5:]) + 1}")
    assert again.returncode == 0, again.stderr


def test_train_no_readable_photo_is_a_wrong_request(photo_folder: Path, tmp_path: Path, impasto: Impasto) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_text("not a photo")
    words = [*TINY, f"data.root={tmp_path}", f"data.val_root={photo_folder}", f"hydra.run.dir={tmp_path / 'run'}"]
    done = impasto("train", *words, "data.workers=1", "data.cache=null")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"impasto-train: none of the 3 photos of {tmp_path} can be read")
