"""Train the small network that the tests of exported files use: the demo's settings, half as wide, 600 steps of 4.

Run: .venv/bin/python -m tests.assets.make_network, which writes tests/assets/swirls.safetensors (minutes on two cores).
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import demo

NETWORK = Path(__file__).with_name("swirls.safetensors")
SETTINGS = (
    *("experiment=demo", "model.width=0.5", "trainer.minutes=null", "trainer.steps=600", "trainer.batch=4"),
    *("trainer.lr=0.003", "device=cpu"),
)


def main() -> None:
    """Train on the demo's photos, and keep the last checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        train, held_out = demo.photos(home / "train", demo.TRAIN), demo.photos(home / "held_out", demo.HELD_OUT)
        line = [str(Path(sys.executable).with_name("impasto-train")), *SETTINGS]
        line += [f"data.root={train}", f"data.val_root={held_out}", f"hydra.run.dir={home / 'run'}"]
        subprocess.run(line, check=True)
        shutil.copyfile(max((home / "run").glob("*.safetensors")), NETWORK)


if __name__ == "__main__":
    main()
