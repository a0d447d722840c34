"""The rules of the keys that every command with a GPU shares."""

from impasto.configs.schema.fields import Key

PRECISION = Key("Arithmetic; auto uses bf16 where the hardware gains from it.", choices=("auto", "fp32", "bf16"))
DEVICE = Key(
    "Where to compute; auto uses a CUDA GPU if there is one; mps is the GPU of a Mac.",
    choices=("auto", "cpu", "cuda", "mps"),
)
SEED = Key("Seed of every random number.", 0, 2**32 - 1)
