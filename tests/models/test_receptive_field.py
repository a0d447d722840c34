from fractions import Fraction

from impasto.models.receptive_field import Field


def test_window_of_a_window_adds_in_steps_of_its_source() -> None:
    pooled = Field().window(3, padding=1).window(2, stride=2)
    assert pooled == Field(Fraction(2), Fraction(-1), Fraction(2))
    field = pooled.window(3, padding=1)
    assert field == Field(Fraction(2), Fraction(-3), Fraction(4))


def test_margin_is_what_a_tile_of_whole_steps_reaches_beyond_itself() -> None:
    assert Field().margin() == 0
    assert Field().window(5, padding=2).margin() == 2
    assert Field().window(2, stride=2).margin() == 0  # a pooling stays inside its tile
    assert Field().window(2, stride=2).window(3, padding=1).margin() == 2
