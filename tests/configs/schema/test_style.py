import pytest

from impasto.configs.cli import app


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
