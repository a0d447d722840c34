import pytest

from impasto.configs.cli import app
from impasto.configs.errors import UsageError


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["style.size=511"], None),
        (["style.size=512"], 512),
        (["style.size=768", "style.stroke_resolution=600"], 600),
        (["style.size=256", "style.stroke_resolution=600"], 600),
    ],
)
def test_stroke_resolution_defaults_to_the_size_of_a_large_painting(overrides: list[str], expected: int | None) -> None:
    style = app.compose("train", ["data.root=.", *overrides]).style
    assert style.card_stroke_resolution() == expected


@pytest.mark.parametrize("key", ["name", "artist", "license"])
def test_text_that_a_card_cannot_hold_raises(key: str) -> None:
    with pytest.raises(UsageError, match=rf"style\.{key} has 1001 characters; give at most 1000"):
        app.compose("train", ["data.root=.", f"style.{key}={'a' * 1001}"])
    assert len(getattr(app.compose("train", ["data.root=.", f"style.{key}={'a' * 1000}"]).style, key)) == 1000
