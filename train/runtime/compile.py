"""torch.compile for the forward part of a training step.

On CUDA the kernels are also recorded as a graph, so that a step costs one launch. On a CPU nothing is compiled unless
asked for: oneDNN computes the convolutions either way, and minutes of compiling gained no speed.
"""

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch._functorch import config as _functorch

from impasto.configs.errors import CheckFailed

_T = TypeVar("_T")

logger = logging.getLogger(__name__)


class Compiled(Generic[_T]):
    """A function of one tensor, compiled according to `setting`: always, never, or auto (on CUDA).

    With auto, a function that cannot be compiled runs uncompiled after a warning.
    """

    def __init__(self, function: Callable[[torch.Tensor], _T], setting: str, device: torch.device) -> None:
        self.function = function
        self.setting = setting
        self._uses_graphs = device.type == "cuda"
        self._compiled: Callable[[torch.Tensor], _T] | None = None
        if setting == "always" or (setting == "auto" and device.type == "cuda"):
            options: dict[str, Any] = {"mode": "reduce-overhead"} if self._uses_graphs else {}
            self._compiled = torch.compile(function, dynamic=False, **options)
        self._succeeded = False

    def __call__(self, x: torch.Tensor) -> _T:
        """The function's value; raises CheckFailed if compilation is required and fails."""
        if self._compiled is None:
            return self.function(x)
        if self._uses_graphs:
            torch.compiler.cudagraph_mark_step_begin()  # allows the outputs of the last step to be overwritten
        try:
            # Compile the backward pass now too, so that its errors are caught here.
            with _functorch.patch(force_non_lazy_backward_lowering=not self._succeeded):
                output = self._compiled(x)
        except RuntimeError as error:  # the base class of torch's errors
            if self._succeeded:
                raise
            reason = " ".join(str(error).split())[:200]
            if self.setting == "always":
                raise CheckFailed(f"trainer.compile=always: torch cannot compile this run ({reason})") from error
            logger.warning("torch cannot compile this run, which continues uncompiled (%s)", reason)
            self._compiled = None
            return self.function(x)
        self._succeeded = True
        return output

    def compile_again(self) -> None:
        """Expect tensors of another shape, for which the next call compiles."""
        self._succeeded = False

    @property
    def pending(self) -> bool:
        """Whether the next call compiles, which may take minutes."""
        return self._compiled is not None and not self._succeeded
