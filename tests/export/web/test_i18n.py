"""The page for whoever cannot see, use a mouse, or read from the left."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.heavy import tool
from tests.helpers.webapp import drive, page


@pytest.mark.heavy
def test_page_with_axe_keys_and_persian(tmp_path: Path) -> None:
    with page("zoo/starry_night/tiny", "zoo/udnie/tiny", "zoo/great_wave/tiny") as url:
        report = drive("drive_access.mjs", url, tmp_path, tool("axe-core") / "axe.min.js")
    for name, states in ("phone", 7), ("persian", 6):
        assert len(report["axe"][name]) == states and [found for found in report["axe"][name].values() if found] == []
    order = report["keyboard"]["order"]
    assert order[:4] == ["about-button", "open", "camera-button", "save"] and order[-1] == "starry_night"
    assert {"tab-strength", "colors", "compare", "strength"} < {*order}
    assert report["keyboard"]["chosen"][:2] == ["udnie", "udnie"] and "Udnie" in report["keyboard"]["chosen"][2]
    assert (report["keyboard"]["held"], report["keyboard"]["released"], report["animations"]) == (1, 0, 0)
    _assert_mask(report["mask"])
    persian = report["persian"]
    assert (persian["language"], persian["direction"], persian["style"]) == ("fa", "rtl", "شب پرستاره")
    assert (
        persian["save"]
        and [persian["strength"], report["quarter"]] == ["\u06f1\u06f0\u06f0\u066a", "\u06f2\u06f5\u066a"]
        and not report["overflow"]
    )
    assert "ثانیه" in persian["note"] and not {*"0123456789"} & {*persian["note"].replace("ONNX", "")}
    assert (report["english"]["language"], report["english"]["strength"]) == ("en", "25%")


def _assert_mask(mask: dict[str, Any]) -> None:
    """From 48 % of the width to 68 %, at 40 % of the height, with a brush of 14 % of the shorter side."""
    assert (mask["tab"], mask["role"], mask["left"], mask["cursor"]) == ("tab-mask", "application", None, True)
    assert mask["note"].startswith("Arrow keys move the brush")
    assert mask["moved"] == ["48% from the left, 40% from the top", []]
    assert mask["down"] == "The brush draws: Photo. 48% from the left, 40% from the top"
    left, top, right, bottom = mask["drawn"]
    assert 0.41 < left < 0.45 and 0.71 < right < 0.75 and 0.31 < top < 0.35 and 0.45 < bottom < 0.49
    assert mask["up"] == "The brush is lifted." and mask["after"] == []
