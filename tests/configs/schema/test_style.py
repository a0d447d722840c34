import pytest

from impasto.configs.cli import app
from impasto.configs.errors import UsageError
from impasto.configs.schema.style import slug


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


def test_slug_keeps_names_apart_and_short() -> None:
    assert [slug(f"/a/{name}.jpg") for name in ("A b", "Café 2", "it's_c", "...")] == [
        "a-b",
        "cafe-2",
        "it-s_c",
        "picture",
    ]
    names = ["星月夜", "睡莲", "Крик", "神奈川沖浪裏", "हिन्दी", "절규"]
    assert [slug(f"{name}.png") for name in names] == [name.lower() for name in names]
    long = ["x" * 245, "x" * 244 + "y", "夜" * 80]
    assert len({slug(f"{name}.jpg") for name in long}) == 3
    assert all(len(slug(f"{name}.jpg").encode()) < 100 for name in long)
    assert slug("b\udce9d.jpg") == "b-d"
