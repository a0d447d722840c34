import pytest

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.configs.schema.style import style_weights


def test_style_weights_reads_a_name_or_a_blend() -> None:
    assert style_weights("starry_night") == {"starry_night": 1.0}
    assert style_weights("{starry_night: 0.7, great-wave: 0.3}") == {"starry_night": 0.7, "great-wave": 0.3}
    assert style_weights('{"a b.style.safetensors": 1}') == {"a b.style.safetensors": 1.0}
    assert style_weights("{a: 0.333, b: 0.333, c: 0.333}")["a"] == 0.333


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("{a: 0.7, b: 0.2}", "weights that sum to 0.9; make them sum to 1"),
        ("{a: 1.5, b: -0.5}", "a weight below 0"),
        ("{a: .nan}", "not a number"),
        ("{a, b}", "is not a blend of styles"),
        ("{a: [1]}", "is not a blend of styles"),
        ("{a: true}", "give each one once, with a weight"),
        ("{a: 0.5, a: 0.5}", "give each one once, with a weight"),
        ("{1: 0.5, '1': 0.5}", "give each one once, with a weight"),
        ("{a: '${b}'}", "is not a blend of styles"),
        ("{a: 0.7", "is not a blend of styles"),
        ("{}", "names no style; give a weight for each"),
    ],
)
def test_style_weights_of_invalid_text_raise_one_sentence(style: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        style_weights(style)
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match=words):
        app.compose("stylize", ["model=m", "input=a.jpg", "output=b.jpg", f"style={style}"])


def test_several_paintings_are_a_store_in_training_only() -> None:
    style = app.compose("train", ["data.root=.", "style=[a.jpg,b.jpg]"]).style
    assert style.is_store and style.name == "store" and [path[-5:] for path in style.images] == ["a.jpg", "b.jpg"]
    with pytest.raises(UsageError, match=r"impasto-train learns as a store of styles; name one here, .*blend="):
        app.compose("optimize", ["content=photo.jpg", "style=[a.jpg,b.jpg]"])
