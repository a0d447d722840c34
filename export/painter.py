"""A loaded model and what is asked of it: from one picture to another."""

from dataclasses import replace
from pathlib import Path

from impasto.configs.shipping import StylizeConfig
from impasto.models import exported
from impasto.models.pictures import Picture


class Painter:
    """Paints pictures as a request says; may be called from several threads at once. Raises RequestError."""

    def __init__(self, config: StylizeConfig, threads: int) -> None:
        self.config = config
        self.session = exported.load(Path(config.model).expanduser(), threads)

    def __call__(self, photo: Picture) -> Picture:
        """The painted picture: as large, with the photo's alpha and metadata."""
        painted = exported.stylize(self.session, photo, self.config.strength)
        return replace(photo, rgb=painted.rgb)
