import numpy as np

from impasto.models.image.tone_map import HLG, PQ, ToneMap
from tests.helpers.pictures import hlg_signal


def test_tone_map_gray_is_the_gray_of_sdr() -> None:
    """75 % HLG is reference white; middle gray keeps its light."""
    for light in (0.02, 0.18, 0.5):
        srgb = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
        mapped = ToneMap(HLG)(np.full((2, 2, 3), round(hlg_signal(light)), np.uint8))
        assert np.abs(mapped - srgb).max() < 4
    grays = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)
    for transfer in (HLG, PQ):
        mapped = ToneMap(transfer)(grays)[0].astype(int)
        assert (np.diff(mapped, axis=0) >= 0).all() and mapped[0].max() == 0 and mapped[-1].min() == 255
        assert np.ptp(mapped, axis=1).max() <= 1  # gray stays gray
    assert ToneMap(HLG)(grays)[0, 191].min() > 235
