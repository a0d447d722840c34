"""torch.compile of what a step computes before its gradient, where it pays: a GPU's many small kernels become few.

On CUDA the kernels are recorded as a graph, too, so that a step costs one launch. On a CPU the convolutions are
oneDNN's either way: nothing was gained there, for minutes of compiling.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch._functorch import config as _functorch

from impasto.configs.errors import CheckError

_T = TypeVar("_T")


class Compiled(Generic[_T]):
    """A function of one tensor on a device, compiled where `setting` (auto, always, never) says so.

    With auto, on CUDA alone, and what cannot be compiled runs as it is: `news` then says why.
    """

    def __init__(self, function: Callable[[torch.Tensor], _T], setting: str, device: torch.device) -> None:
        self.function = function
        self.setting = setting
        self._news: list[str] = []
        self._graphs = device.type == "cuda"
        self._made: Callable[[torch.Tensor], _T] | None = None
        if setting == "always" or (setting == "auto" and device.type == "cuda"):
            options: dict[str, Any] = {"mode": "reduce-overhead"} if self._graphs else {}
            self._made = torch.compile(function, dynamic=False, **options)
        self._proven = False

    def __call__(self, x: torch.Tensor) -> _T:
        """The function's value; CheckError where it cannot be compiled, but must."""
        if self._made is None:
            return self.function(x)
        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()  # what the last step gave may be written over
        try:
            # The way back is compiled at once, too, so that what cannot be is seen here.
            with _functorch.patch(force_non_lazy_backward_lowering=not self._proven):
                made = self._made(x)
        except RuntimeError as error:  # torch's errors are all of this kind
            if self._proven:
                raise
            reason = " ".join(str(error).split())[:200]
            if self.setting == "always":
                raise CheckError(f"trainer.compile=always: torch cannot compile this run ({reason})") from error
            self._news.append(f"torch cannot compile this run, which goes on without ({reason})")
            self._made = None
            return self.function(x)
        self._proven = True
        return made

    @property
    def pending(self) -> bool:
        """Whether the next call compiles, which may take minutes."""
        return self._made is not None and not self._proven

    def news(self) -> list[str]:
        """What a user should know, each sentence once."""
        news, self._news = self._news, []
        return news
