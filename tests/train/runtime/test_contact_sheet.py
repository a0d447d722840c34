import numpy as np

from impasto.train.runtime.contact_sheet import CAPTION, GAP, sheet


def test_sheet_contains_pictures_in_rows_and_columns() -> None:
    random = np.random.default_rng(0)
    rows = [[random.integers(0, 255, (24, 24, 3), np.uint8) for _ in range(2)] for _ in range(3)]
    pixels = sheet(rows, ("photo", "a caption that is wider than the picture"))
    for number, row in enumerate(rows):
        top = GAP + CAPTION + number * (24 + GAP)
        windows = np.lib.stride_tricks.sliding_window_view(pixels[top : top + 24], (24, 24, 3)).reshape(-1, 24, 24, 3)
        lefts = [int(np.flatnonzero((windows == picture).all(axis=(1, 2, 3)))[0]) for picture in row]
        assert lefts == [GAP, lefts[1]] and lefts[1] >= 2 * GAP + 24


def test_sheet_with_row_captions_leaves_space_above_each_row() -> None:
    rows = [[np.zeros((24, 24, 3), np.uint8)], [np.zeros((24, 24, 3), np.uint8)]]
    plain, captioned = sheet(rows, ["photo"]), sheet(rows, ["photo"], ["one", "two"])
    assert captioned.shape[0] == plain.shape[0] + 2 * CAPTION


def test_sheet_has_room_for_its_captions() -> None:
    dark = np.zeros((10, 12, 3), np.uint8)
    plain = sheet([[dark, dark]] * 2, ("a", "a caption that is longer than its picture"))
    wide = sheet([[dark, dark]] * 2, ("a", "a caption that is longer than its picture"), ("one", "two"))
    assert plain.shape[1] == wide.shape[1] > 200
    assert wide.shape[0] == plain.shape[0] + 2 * CAPTION
    assert (wide[:, -GAP:] == 255).all()  # no caption is cut off
    for row in range(2):
        top = GAP + CAPTION + row * (CAPTION + 10 + GAP)
        assert (wide[top : top + CAPTION - 6] < 128).any()
        assert not wide[top + CAPTION : top + CAPTION + 10, GAP : GAP + 12].any()
    over_one = sheet([[dark]], ("a",), ("a caption that is longer than its row",))
    assert over_one.shape[1] > 200 and (over_one[:, -GAP:] == 255).all()
