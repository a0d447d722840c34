"""The zoo: pretrained networks of famous paintings; no torch. May import configs; train and export may import it."""

import json
from pathlib import Path

from impasto.configs.errors import UsageError
from impasto.configs.schema.export import ZOO_MODELS
from impasto.models import run_directory

FOLDER = Path(__file__).parent
PREFIX = "zoo/"
MODELS = ZOO_MODELS
STUDIO = "studio"  # the name of networks of the architecture `mobile` that stylize in several passes
STORE = "store"  # the folder of the store of all paintings; zoo/store, with style=PAINTING
VIDEO = "video"  # the same for videos, trained with the temporal loss
LITERT = ".tflite"  # the suffix of the files for the GPU in the page of impasto-app
PAINTING = "painting.jpg"  # in the folder of each painting: a thumbnail of it
_KINDS = {".safetensors": "checkpoint", ".onnx": "exported file"}


def names() -> list[str]:
    """List the paintings in the zoo."""
    return sorted({path.parent.name for path in FOLDER.glob("*/*.onnx")} - {STORE, VIDEO})


def models(painting: str) -> list[str]:
    """List the networks of a painting in the zoo."""
    return [model for model in MODELS if (FOLDER / painting / f"{model}.onnx").is_file()]


def title(painting: str) -> str:
    """Return the title of a painting in the zoo, from the card of its first network; needs no torch."""
    with (FOLDER / painting / f"{models(painting)[0]}.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))  # the format's first 8 bytes: its length
    name: str = json.loads(header["__metadata__"]["card"])["style"]["title"]
    return name


def resolve(reference: str, suffix: str, model: str | None = None) -> Path:
    """Resolve `zoo/PAINTING` or `zoo/PAINTING/MODEL` to a file of the zoo, and a run directory to its last network.

    `zoo/store` is the store of all paintings, `zoo/video` the one for videos. Anything else is a path.

    Args:
        reference: The reference or path.
        suffix: `.safetensors` for a checkpoint, `.onnx` for an exported file.
        model: One of MODELS, where the reference names none.

    Raises:
        UsageError: The zoo or the run has no such file.
    """
    if not reference.startswith(PREFIX):
        path = Path(reference).expanduser()
        if path.name in names() and not path.exists():
            raise UsageError(f"{reference} does not exist; did you mean {PREFIX}{path.name}?")
        return run_directory.find(path, suffix)
    painting, _, named = reference.removeprefix(PREFIX).partition("/")
    known = [name for name in (*names(), STORE, VIDEO) if models(name)]
    if painting not in known:
        choices = ", ".join(f"{PREFIX}{name}" for name in known)
        raise UsageError(f"{reference} is not in the zoo; choose one of {choices}")
    if named and model and named != model:
        raise UsageError(f"{reference} contradicts model={model}; name only one of them")
    chosen = named or model or MODELS[0]
    path = FOLDER / painting / f"{chosen}{suffix}"
    if chosen not in MODELS or not path.is_file():
        choices = " and ".join(models(painting))
        raise UsageError(f"the zoo has no {_KINDS[suffix]} of {chosen} for {painting}; it has {choices}")
    return path
