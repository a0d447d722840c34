"""Running the commands: the result of one, and the overrides of a tiny run of impasto-train."""

import subprocess

Run = subprocess.CompletedProcess[str]


TINY = (
    *("model=mobile", "model.width=0.25", "model.blocks=1", "style=swirls", "style.size=64", "loss.weights=random"),
    *("data.size=32", "data.val_size=32", "data.val_photos=2", "data.workers=0", "data.cache=null"),
    *("precision=fp32", "device=cpu"),
    *("trainer.steps=6", "trainer.batch_size=2", "trainer.log_every=2", "trainer.validate_every=3"),
    *("trainer.sample_every=6", "trainer.checkpoint_every=3"),
)
