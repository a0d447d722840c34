"""Runs of impasto-train that benchmarks share: one per painting and network, with the same budget."""

import csv
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from impasto.models import checkpoint

SETTINGS = (  # of the networks that docs/benchmarks.md and docs/experiments.md compare
    *("init=null", "loss=johnson", "style.size=256", "optimizer=adam", "trainer.batch_size=4"),
    *("data.size=128", "data.scale_range=[1.0,2.25]", "trainer.validate_every=200", "trainer.sample_every=400"),
)


@dataclass(frozen=True)
class Painting:
    """A painting as a folder's styles.csv lists it: columns file, title, artist, year, artist_died, note."""

    path: Path
    artist: str
    title: str

    @property
    def name(self) -> str:
        return self.path.stem


def paintings(folder: Path, names: list[str]) -> list[Painting]:
    """The paintings with these names (file stems) in a folder with a styles.csv."""
    with (folder / "styles.csv").open(newline="", encoding="utf-8") as file:
        rows = {Path(row["file"]).stem: row for row in csv.DictReader(file)}
    return [Painting(folder / rows[name]["file"], rows[name]["artist"], rows[name]["title"]) for name in names]


def train(
    home: Path, painting: Painting, model: str, photos: Path, steps: int, *overrides: str, label: str = ""
) -> Path:
    """The checkpoint of a finished run; trains it unless `home` contains it."""
    run = home / f"{painting.name}-{model}{label}"
    finished = run / f"step_{steps:08d}{checkpoint.SUFFIX}"
    if not finished.exists():
        command = [str(Path(sys.executable).with_name("impasto-train")), f"hydra.run.dir={run}", f"model={model}"]
        command += [f"style={painting.path}", f"style.name={painting.name}", f"style.artist={painting.artist}"]
        command += [
            "style.license=public domain",
            f"data.root={photos}",
            f"trainer.steps={steps}",
            *SETTINGS,
            *overrides,
        ]
        subprocess.run(command, check=True)
    return finished
