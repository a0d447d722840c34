from impasto.export.contract import ImageSize, Tolerance


def test_tolerance_and_size_as_text() -> None:
    assert str(Tolerance(max_difference=2)) == "at most 2"
    assert str(Tolerance(max_difference=0)) == "at most 0"
    assert str(Tolerance(min_psnr=40.0)) == "40 dB or more"
    assert str(ImageSize(96, 64)) == "96x64"
