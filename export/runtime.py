"""The base class of what runs exported models on images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from impasto.export.contract import ModelArtifact
from impasto.export.test_images import Pixels

NO_TOOLS = "tools_dir is not given; run `make tools` in impasto's folder and name its build/tools"
"""Why a runtime is missing that needs a folder of tools. It is the same on every machine, since the manifest has it."""

OnStep = Callable[[str], object]
"""Receives a line on the current step."""


def tools_folder(tools_dir: str | None) -> Path | None:
    """Return the folder of tools that the user names, or None: no folder is searched for code that nobody named."""
    return Path(tools_dir).expanduser() if tools_dir else None


class Runtime(ABC):
    """A program that runs models on images."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name and version; valid only where `missing` returns None."""

    def missing(self) -> str | None:
        """Return a sentence on what it needs and this machine lacks, or None where it can run.

        Bundles record it, so it names no path of this machine.
        """
        return None

    @abstractmethod
    def supports(self, artifact: ModelArtifact) -> bool:
        """Return whether it runs models of this format and with these inputs."""

    def preflight(self, folder: Path, artifacts: Sequence[ModelArtifact], on_progress: OnStep) -> bool:
        """Check what needs no reference image, before any model is compared.

        Args:
            folder: The bundle.
            artifacts: The models that it supports; at least one.
            on_progress: Receives a line on the current step.

        Returns:
            Whether there was anything to check.

        Raises:
            CheckFailed: A model does not pass.
        """
        return False

    @abstractmethod
    def run(self, folder: Path, artifact: ModelArtifact, images: Sequence[Pixels]) -> list[Pixels]:
        """Run a model of the bundle in `folder`.

        It takes all images at once, since a runtime may be a browser, which takes seconds to start.

        Args:
            folder: The bundle.
            artifact: The model.
            images: RGBA bytes [H, W, 4].

        Returns:
            The stylized images of the same sizes: RGBA bytes [H, W, 4], or RGB bytes [H, W, 3].

        Raises:
            CheckFailed: The runtime fails.
        """
