"""Running the commands: the result of one, one that runs, and the overrides of a tiny run of impasto-train."""

import subprocess
from collections.abc import Callable

from tests.helpers.fork_server import Command

Run = subprocess.CompletedProcess[str]
Process = Command | subprocess.Popen[str]
Start = Callable[..., Process]


TINY = (
    *("loss=johnson", "optimizer=adam", "init=null"),
    *("model=mobile", "model.width=0.25", "model.blocks=1", "style=swirls", "style.size=64", "loss.weights=random"),
    *("data.size=32", "data.val_size=32", "data.val_photos=2", "data.workers=0", "data.cache=null"),
    *("precision=fp32", "device=cpu"),
    *("trainer.steps=6", "trainer.batch_size=2", "trainer.log_every=2", "trainer.validate_every=3"),
    *("trainer.sample_every=6", "trainer.checkpoint_every=3"),
)
