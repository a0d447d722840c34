from pathlib import Path

import numpy as np

from impasto.configs.schema.model import ModelConfig
from impasto.export import fp16_rescale
from impasto.export.coreml.artifacts import calibration_photos
from impasto.models import transform_net
from impasto.models.image.encode import write
from impasto.models.image.picture import Picture


def test_calibration_photos_are_not_padded_by_a_network_with_blocks_at_one_eighth(tmp_path: Path) -> None:
    write(Picture(np.full((260, 300, 3), 90, np.uint8)), tmp_path / "photo.png", 90)
    (photo,) = calibration_photos(str(tmp_path))
    assert photo.shape == (256, 288, 3)
    network = transform_net.build(ModelConfig("mobile", 0.25, 2, 1)).eval()
    fp16_rescale.fp16_safe(network, [photo])
