"""The networks in a run directory of impasto-train. No torch."""

from pathlib import Path

from impasto.configs.errors import UsageError

SUFFIX = ".safetensors"  # of checkpoints
LAST_MODEL = "last.onnx"  # the exported file of the newest checkpoint
BEST, BEST_MODEL = f"best{SUFFIX}", "best.onnx"  # the checkpoint of the lowest validation loss, and its exported file
_OVERRIDES = Path(".hydra", "overrides.yaml")


def checkpoints(directory: Path) -> list[Path]:
    """The checkpoints of a run's steps, the newest last."""
    return sorted(directory.glob(f"step_*{SUFFIX}"))


def find(path: Path, suffix: str) -> Path:
    """Return the last network of a run where `path` is its directory; any other path as it is.

    Args:
        path: A path.
        suffix: `.safetensors` for the checkpoint, `.onnx` for the exported file.

    Raises:
        UsageError: The run has no such file.
    """
    if not path.is_dir() or not (checkpoints(path) or (path / _OVERRIDES).is_file()):
        return path
    if not checkpoints(path):
        raise UsageError(f"{path} is a run that has no checkpoint yet; wait for its first, or name another run")
    if suffix == SUFFIX:
        return checkpoints(path)[-1]
    if not (path / LAST_MODEL).is_file():
        raise UsageError(
            f"{path} is a run without {LAST_MODEL}, which impasto-train writes beside each checkpoint; export it with "
            f"impasto-export checkpoint={path} output=DIR coreml.sizes=[]"
        )
    return path / LAST_MODEL
