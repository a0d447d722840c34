"""impasto: one small, fast network per painting, from training to a verified file on a phone.

The functions are the commands' in Python: `impasto.stylize` is `impasto-stylize`, with the same names and defaults.

    stylize, load               run a style on photos or frames
    train, optimize, evaluate   train a network, run the classic optimizer, compare the two
    export, verify              write and verify a bundle for an app

They return typed results and raise `UsageError` for a wrong request, `CheckFailed` for a failed check. The main keys
of a command are keyword arguments; any other goes into `overrides`, as in `overrides={"loss.style_strength": 2}`
(docs/reference/keys.md lists them). A text there is read as on the command line. `impasto.train` and `impasto.export`
are also the packages of that name.

`import impasto` loads no library. Each name is loaded when it is first used.
"""

import importlib
import inspect
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto.bundles import Bundle, export, verify
    from impasto.configs.errors import CheckFailed, UsageError
    from impasto.export.bundle.verification import Verification
    from impasto.models.losses.perceptual import PerceptualLoss
    from impasto.models.transform_net import TransformNet
    from impasto.models.vgg.features import VGGFeatures
    from impasto.stylization import Style, StylizedImage, load, stylize
    from impasto.train.evaluation.evaluation_report import EvaluationReport
    from impasto.training import OptimizedPicture, TrainingRun, evaluate, optimize, train

__all__ = [
    "Bundle",
    "CheckFailed",
    "EvaluationReport",
    "OptimizedPicture",
    "PerceptualLoss",
    "Style",
    "StylizedImage",
    "TrainingRun",
    "TransformNet",
    "UsageError",
    "VGGFeatures",
    "Verification",
    "__version__",
    "evaluate",
    "export",
    "load",
    "optimize",
    "stylize",
    "train",
    "verify",
]

__version__ = version("impasto")

_MODULES = {
    "impasto.bundles": ("Bundle", "verify"),
    "impasto.configs.errors": ("CheckFailed", "UsageError"),
    "impasto.export.bundle.verification": ("Verification",),
    "impasto.models.losses.perceptual": ("PerceptualLoss",),
    "impasto.models.transform_net": ("TransformNet",),
    "impasto.models.vgg.features": ("VGGFeatures",),
    "impasto.stylization": ("Style", "StylizedImage", "load", "stylize"),
    "impasto.train.evaluation.evaluation_report": ("EvaluationReport",),
    "impasto.training": ("OptimizedPicture", "TrainingRun", "evaluate", "optimize"),
}
_NEED_TORCH = ("EvaluationReport", "PerceptualLoss", "TransformNet", "VGGFeatures")
_PACKAGES = {"train": "impasto.training", "export": "impasto.bundles"}


if not TYPE_CHECKING:  # a type checker would take it to know any name

    def __getattr__(name: str) -> Any:
        module = next((module for module, names in _MODULES.items() if name in names), None)
        if module is None:
            raise AttributeError(f"module 'impasto' has no attribute {name!r}")
        if name in _NEED_TORCH:
            importlib.import_module("impasto.configs.extras").require("train", f"impasto.{name}")
        value = globals()[name] = getattr(importlib.import_module(module), name)
        return value


def __dir__() -> list[str]:
    return sorted([*__all__, "configs", "models"])


class _CallablePackage(ModuleType):
    """A package that can be called, as `impasto.train(...)`: the package and the function have one name."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return _function(self)(*args, **keywords)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(_function(self))


def _function(package: ModuleType) -> Any:
    name = package.__name__.rpartition(".")[2]
    return getattr(importlib.import_module(_PACKAGES[name]), name)


for _name in _PACKAGES:  # each is one docstring, which imports nothing
    importlib.import_module(f"impasto.{_name}").__class__ = _CallablePackage
