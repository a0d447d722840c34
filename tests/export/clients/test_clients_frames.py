"""The Kotlin clients on frames of a camera and a video, and on photos of any orientation."""

from pathlib import Path

import pytest

_STORED = [[0, 1, 2], [3, 4, 5]]


def _upright(orientation: int) -> list[list[int]]:
    """Return the pixels as they should be seen: EXIF 2.32 names the sides where row 0 and column 0 of them lie."""
    rows = _STORED
    if orientation in (2, 4, 5, 7):  # mirrored first: column 0 lies at the right, and for 5 and 7 at the bottom
        rows = [row[::-1] for row in rows]
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 3, 6: 1, 7: 1, 8: 3}[orientation]  # clockwise
    for _ in range(turns):
        rows = [list(row) for row in zip(*rows[::-1], strict=True)]
    return rows


@pytest.mark.heavy
@pytest.mark.parametrize("orientation", range(1, 9))
def test_kotlin_client_turns_a_photo_by_its_exif_orientation(
    orientation: int, kotlin: tuple[Path, dict[str, str]]
) -> None:
    rows = _upright(orientation)
    pixels = [value for row in rows for value in row]
    assert kotlin[1][f"orientation {orientation}"] == f"{len(rows[0])}x{len(rows)} {pixels}"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "result"),
    [
        # 140 + 0.75 * (100 - 140) = 110; 180 + 0.75 * (110 - 180) = 127.5; nothing of the previous frame where it moved
        ("filter", "still 110 110, later 128, moving 180 180"),
        ("filter reset", "200"),
        ("camera", "60x80 true true"),
        ("camera reuses", "true 3"),
        ("camera error", "The photo is 15x15 pixels; it must be at least 16x16"),
        ("camera smoothing", "IllegalArgumentException: temporalSmoothing is 1.0; it must be from 0 to 0.95"),
        ("frames suspend", "true"),
        ("effect hdr", "VideoFrameProcessingException: HDR is not supported; tone-map the video to SDR"),
        ("effect", "70x50 true 99"),
        ("effect released", "[99]"),
        ("effect error", "VideoFrameProcessingException"),
    ],
)
def test_kotlin_client_stylizes_frames(name: str, result: str, kotlin: tuple[Path, dict[str, str]]) -> None:
    assert kotlin[1][name] == result
