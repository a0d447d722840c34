"""Run an exported file on pictures of any size in constant memory, in tiles normalized like the whole picture.

A tile is computed with a margin as wide as the network's receptive field, and the picture's border remains a border.
Instance norms use the mean and variance of the whole picture. So the result does not depend on the tiles and has no
seams.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from impasto.configs.errors import UsageError
from impasto.configs.schema.stylize import TilesConfig
from impasto.models import onnx_model, style_file
from impasto.models.image.picture import Picture
from impasto.models.progress import OnProgress, ignore_progress

if TYPE_CHECKING:
    import onnx

    from impasto.export.onnx_graph.instance_norm import Statistics


class Model:
    """An exported file for pictures of any size; larger ones than `tiles.threshold_mp` are computed in tiles.

    May be called from several threads at once.

    Args:
        model: An .onnx or .ort file, or a bundle's folder.
        threads: Number of ONNX Runtime's threads; 0 lets it choose.
        tiles: When and how pictures are computed in tiles.
        same_size: Whether all pictures have one size; memory is then reused from one to the next.
        styles: The weights of a store's styles by name; None for a model of one painting.

    Attributes:
        styles: The names of the styles of a store; empty for a model of one painting.
        stroke_resolution: The short side in px at which the model's strokes are as large as the painting's; None means
            native. `stylize` does not use it.
        grain: The grain in levels that a photo gets by default. `stylize` does not use it.

    Raises:
        UsageError: The file cannot be used.
    """

    def __init__(
        self,
        model: Path,
        threads: int,
        tiles: TilesConfig,
        same_size: bool = False,
        styles: Mapping[str, float] | None = None,
    ) -> None:
        self._path, self._threads, self._tiles = onnx_model.find(model), threads, tiles
        self._same_size = same_size
        self._loaded = onnx_model.load(self._path, threads, arena=same_size)
        self.styles = [style.name for style in onnx_model.styles(self._loaded)]
        self.grain = onnx_model.grain(self._loaded)
        self._choose(styles)

    def with_styles(self, styles: Mapping[str, float] | None) -> "Model":
        """Return the same model with other styles of a store; raises UsageError."""
        other = copy.copy(self)
        other._choose(styles)
        return other

    def _choose(self, styles: Mapping[str, float] | None) -> None:
        """Take the styles of a store, and those of style files, with their weights."""
        self._session = self._loaded
        self._graph: onnx.ModelProto | None = None  # of a store with styles of files
        files = {name: weight for name, weight in (styles or {}).items() if name.endswith(style_file.SUFFIX)}
        own = styles and {name: weight for name, weight in styles.items() if name not in files or not self.styles}
        self._weights = onnx_model.style_weights(self._loaded, self._path, own)
        if self._weights is None:
            self.stroke_resolution = onnx_model.stroke_resolution(self._loaded)
            return
        resolutions = [style.stroke_resolution for style in onnx_model.styles(self._loaded)]
        weights = [*self._weights.tolist(), *files.values()]
        if files:
            resolutions += self._add_files(files, self._weights)
        self.stroke_resolution = onnx_model.blended_resolution(weights, resolutions)

    def _add_files(self, files: Mapping[str, float], weights: NDArray[np.float32]) -> list[int | None]:
        """Run a model with the styles of files; return their stroke resolutions."""
        if self._path.suffix == ".ort":
            raise UsageError(f"{self._path} cannot take a style file; name the .onnx file of the store")
        import onnx

        from impasto.export.onnx_graph import styles

        self._graph, resolutions = styles.with_files(onnx.load(self._path), self._path, weights, files)
        graph = self._graph.SerializeToString()
        self._session, self._weights = onnx_model.open_session(graph, self._threads, self._same_size), None
        return resolutions

    def stylize(self, picture: Picture, on_progress: OnProgress = ignore_progress) -> Picture:
        """Stylize a picture; size, alpha and profile are preserved.

        Args:
            picture: The photo.
            on_progress: Called after each tile.

        Raises:
            UsageError: The model cannot stylize a picture of this size.
        """
        height, width = picture.rgb.shape[:2]
        if height * width <= self._tiles.threshold_mp * 1e6:
            return onnx_model.stylize(self._session, picture, self._weights)
        try:
            return self._stylize_tiled(picture, on_progress)
        except UsageError:
            raise
        except Exception as error:  # ONNX Runtime's errors have no narrower base class
            raise onnx_model.inference_error(error, height, width) from error

    def _stylize_tiled(self, picture: Picture, on_progress: OnProgress) -> Picture:
        if self._path.suffix == ".ort":
            raise UsageError(
                f"{self._path} cannot be computed in tiles, but the picture exceeds {self._tiles.threshold_mp:g} "
                "megapixels; use the .onnx file or raise tiles.threshold_mp (for videos tiles.video_threshold_mp)"
            )
        import onnx  # needed for large pictures only

        from impasto.export.inference import thumbnail_statistics
        from impasto.export.inference.tiled_session import TiledSession
        from impasto.export.onnx_graph import styles

        model = self._graph or onnx.load(self._path)
        if self._weights is not None:
            model = styles.blended(model, self._weights)
        height, width = picture.rgb.shape[:2]
        statistics: Statistics = []
        if self._tiles.statistics == "thumbnail":
            statistics = thumbnail_statistics.statistics(
                picture.rgb,
                self._tiles.thumbnail_mp * 1e6,
                lambda rgb: TiledSession(
                    model, onnx_model.pad_to_min_side(rgb), self._threads, self._tiles
                ).statistics(),
            )
        padded = onnx_model.pad_to_min_side(picture.rgb)
        session = TiledSession(model, padded, self._threads, self._tiles, on_progress)
        rgb = session.stylize(statistics)[:height, :width]
        return replace(picture, rgb=np.ascontiguousarray(rgb))
