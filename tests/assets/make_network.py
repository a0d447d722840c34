"""Train the small network for the tests of exported files: the demo's settings, half the width, 600 steps of batch 4.

Run: python -m tests.assets.make_network, which writes tests/assets/swirls.safetensors in minutes on two cores
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import demo

NETWORK = Path(__file__).with_name("swirls.safetensors")
SETTINGS = (
    *("experiment=demo", "model.width=0.5", "trainer.minutes=null", "trainer.steps=600", "trainer.batch_size=4"),
    *("optimizer.lr=0.003", "device=cpu"),
)


def main() -> None:
    """Train on the demo's photos, and copy the last checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        train, val_photos = demo.photos(home / "train", demo.TRAIN), demo.photos(home / "val_photos", demo.VAL_PHOTOS)
        line = [str(Path(sys.executable).with_name("impasto-train")), *SETTINGS]
        line += [f"data.root={train}", f"data.val_root={val_photos}", f"hydra.run.dir={home / 'run'}"]
        subprocess.run(line, check=True)
        shutil.copyfile(max((home / "run").glob("*.safetensors")), NETWORK)


if __name__ == "__main__":
    main()
