import pytest

from impasto.configs import app
from impasto.configs.errors import RequestError

LINE = ["checkpoint=network.safetensors", "output=bundle"]


def test_sizes_of_core_ml() -> None:
    assert app.compose("export", [*LINE, "coreml.sizes=[256,768x1024]"]).coreml.shapes() == [(256, 256), (1024, 768)]
    assert (512, 512) in app.compose("export", LINE).coreml.shapes()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        *(("[256,258]", "258"), ("[28]", "28"), ("[512,4100x64]", "4100x64"), ("[64x]", "64x"), ("[256.5]", "256.5")),
        *(("[-64]", "-64"), ("[big]", "big"), ("[[64,96]]", "[64, 96]"), ("[64,64x64]", "each size once")),
        *(("[]", "no list"), ("512", "no list"), ("null", "no list")),
    ],
)
def test_wrong_sizes_of_core_ml(value: str, named: str) -> None:
    with pytest.raises(RequestError, match=r"^coreml\.sizes=") as error:
        app.compose("export", [*LINE, f"coreml.sizes={value}"])
    sentence = str(error.value)
    assert named in sentence and "\n" not in sentence
    assert "once" in sentence or "32 to 4096 px, divisible by 4" in sentence


@pytest.mark.parametrize("value", ["[8]", "[9000]", "[64x]", "[big]", "512", "null"])
def test_wrong_sizes_to_measure(value: str) -> None:
    with pytest.raises(RequestError, match=r"^measure\.sizes=.* give N or WIDTHxHEIGHT with sides of 16 to 8192 px"):
        app.compose("export", [*LINE, f"measure.sizes={value}"])


def test_measuring_can_be_left_out() -> None:
    assert app.compose("export", [*LINE, "measure.sizes=[]", "measure.threads=[]"]).measure.shapes() == []
    with pytest.raises(RequestError, match=r"measure\.threads=\[\] is impossible"):
        app.compose("export", [*LINE, "measure.threads=[]"])
