import pytest

from impasto.configs.cli import app
from impasto.configs.errors import UsageError

LINE = ["model=m.onnx", "input=a.jpg", "output=b.jpg"]


@pytest.mark.parametrize(
    ("value", "expected"), [("auto", 768), ("native", None), ("32", 32), ("8192", 8192), (None, 768)]
)
def test_stroke_resolution_takes_a_word_or_pixels(value: str | None, expected: int | None) -> None:
    config = app.compose("stylize", [*LINE, *([] if value is None else [f"stroke_resolution={value}"])])
    assert config.resolve_stroke_resolution(768) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        *[([], 3), (["stroke_resolution=600"], 3), (["stroke_resolution=native"], 0)],
        *[(["grain=auto"], 3), (["grain=0"], 0), (["grain=1.5", "stroke_resolution=native"], 1.5)],
    ],
)
def test_grain_is_that_of_the_model_except_at_native_size(settings: list[str], expected: float) -> None:
    assert app.compose("stylize", [*LINE, *settings]).resolve_grain(3) == expected


@pytest.mark.parametrize("value", ["-1", "33", "much", "nan", "null", "true"])
def test_grain_of_another_value_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"^grain=.* is invalid; it must be a number from 0 to 32 or one of auto$"):
        app.compose("stylize", [*LINE, f"grain={value}"])


def test_stroke_resolution_auto_without_one_of_the_model_is_1024() -> None:
    assert app.compose("stylize", LINE).resolve_stroke_resolution(None) == 1024


@pytest.mark.parametrize("value", ["31", "8193", "large", "null", "true", "600.5", "'600'", "[600]"])
def test_stroke_resolution_of_another_value_is_refused(value: str) -> None:
    with pytest.raises(
        UsageError,
        match=r"^stroke_resolution=.* is invalid; it must be an integer from 32 to 8192 or one of auto, native$",
    ):
        app.compose("stylize", [*LINE, f"stroke_resolution={value}"])
