"""The zoo: networks that impasto trained on famous paintings, installed with it. No torch here."""

from pathlib import Path

from impasto.configs.errors import RequestError
from impasto.configs.shipping import ZOO_MODELS

FOLDER = Path(__file__).parent
PREFIX = "zoo/"
MODELS = ZOO_MODELS
_KINDS = {".safetensors": "checkpoint", ".onnx": "exported file"}


def names() -> list[str]:
    """The paintings in the zoo."""
    return sorted({path.parent.name for path in FOLDER.glob("*/*.onnx")})


def resolve(reference: str, suffix: str, model: str | None = None) -> Path:
    """The file that `zoo/PAINTING` or `zoo/PAINTING/MODEL` stands for, or the path that anything else is.

    `suffix` is `.safetensors` for a checkpoint, `.onnx` for an exported file; `model` one of MODELS. Raises
    RequestError for what the zoo does not have.
    """
    if not reference.startswith(PREFIX):
        return Path(reference).expanduser()
    painting, _, named = reference.removeprefix(PREFIX).partition("/")
    if painting not in names():
        choices = ", ".join(f"{PREFIX}{name}" for name in names())
        raise RequestError(f"{reference} is not in the zoo; choose one of {choices}")
    if named and model and named != model:
        raise RequestError(f"{reference} is not model={model}; name the one or the other")
    chosen = named or model or MODELS[0]
    path = FOLDER / painting / f"{chosen}{suffix}"
    if chosen not in MODELS or not path.is_file():
        models = " and ".join(MODELS)
        raise RequestError(f"the zoo has no {_KINDS[suffix]} of {chosen} for {painting}; its networks are {models}")
    return path
