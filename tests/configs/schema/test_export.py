import pytest

from impasto.configs.cli import app
from impasto.configs.errors import UsageError

LINE = ["checkpoint=network.safetensors", "output=bundle"]


def test_coreml_sizes_are_heights_and_widths() -> None:
    assert app.compose("export", [*LINE, "coreml.sizes=[256,768x1024]"]).coreml.shapes(600, 4) == [
        (256, 256),
        (1024, 768),
    ]
    assert (512, 512) in app.compose("export", LINE).coreml.shapes(None, 4)
    assert app.compose("export", [*LINE, "coreml.sizes=[]"]).coreml.shapes(600, 4) == []


@pytest.mark.parametrize(
    ("stroke_resolution", "expected"), [(768, (1024, 768)), (601, (800, 600)), (16, (44, 32)), (8192, (4096, 3072))]
)
def test_coreml_sizes_default_to_the_stroke_resolution(stroke_resolution: int, expected: tuple[int, int]) -> None:
    config = app.compose("export", LINE).coreml
    assert config.shapes(stroke_resolution, 4) == [expected, expected[::-1]]
    assert config.shapes(None, 4) == [(256, 256), (512, 512), (1024, 1024)]


@pytest.mark.parametrize("kind", ["coreml", "litert"])
def test_sizes_default_to_multiples_of_the_stride(kind: str) -> None:
    config = getattr(app.compose("export", LINE), kind)
    assert config.shapes(None, 4) == [(256, 256), (512, 512), (1024, 1024)]
    assert (config.shapes(601, 4), config.shapes(601, 8)) == ([(800, 600), (600, 800)], [(800, 600), (600, 800)])
    assert config.shapes(1084, 8) == [(1448, 1088), (1088, 1448)]


@pytest.mark.parametrize("key", ["coreml.sizes", "litert.sizes", "onnx.fixed_sizes"])
def test_sizes_that_need_padding_name_the_multiple(key: str) -> None:
    config = getattr(app.compose("export", [*LINE, f"{key}=[64,100x64]"]), key.partition(".")[0])
    given = (600, 8) if key != "onnx.fixed_sizes" else (8,)
    expected = key.replace(".", r"\.") + ": 100x64 would need padding, .*choose multiples of 8 for this network"
    with pytest.raises(UsageError, match=f"^{expected}"):
        config.shapes(*given)
    assert config.shapes(*given[:-1], 4) == [(64, 64), (64, 100)]


def test_litert_sizes_are_heights_and_widths() -> None:
    assert app.compose("export", [*LINE, "litert.sizes=[256,768x1024]"]).litert.shapes(600, 8)[1] == (1024, 768)
    assert app.compose("export", [*LINE, "litert.sizes=[]"]).litert.shapes(600, 4) == []
    with pytest.raises(UsageError, match=r"^litert\.sizes=.*258"):
        app.compose("export", [*LINE, "litert.sizes=[258]"])


@pytest.mark.parametrize(
    ("value", "named"),
    [
        *(("[256,258]", "258"), ("[28]", "28"), ("[512,4100x64]", "4100x64"), ("[64x]", "64x"), ("[256.5]", "256.5")),
        *(("[-64]", "-64"), ("[big]", "big"), ("[[64,96]]", "[[64,96]]"), ("[64,64x64]", "each size once")),
        *(("512", "a list"), ("text", "a list")),
    ],
)
def test_coreml_wrong_sizes_are_one_sentence(value: str, named: str) -> None:
    with pytest.raises(UsageError, match=r"^coreml\.sizes=") as error:
        app.compose("export", [*LINE, f"coreml.sizes={value}"])
    sentence = str(error.value)
    assert named in sentence and "\n" not in sentence
    assert "once" in sentence or "a list" in sentence or "32 to 4096 px, divisible by 4" in sentence


@pytest.mark.parametrize("value", ["[8]", "[9000]", "[64x]", "[big]", "512"])
def test_benchmark_wrong_sizes_are_one_sentence(value: str) -> None:
    with pytest.raises(
        UsageError, match=r"^benchmark\.sizes=.*(a list|give N or WIDTHxHEIGHT with sides of 16 to 8192 px)"
    ):
        app.compose("export", [*LINE, f"benchmark.sizes={value}"])


def test_benchmark_empty_sizes_measure_nothing() -> None:
    assert app.compose("export", [*LINE, "benchmark.sizes=[]", "benchmark.threads=[]"]).benchmark.shapes() == []
    with pytest.raises(UsageError, match=r"benchmark\.threads=\[\] is empty"):
        app.compose("export", [*LINE, "benchmark.threads=[]"])


def test_onnx_fixed_sizes_are_heights_and_widths_and_none_by_default() -> None:
    assert app.compose("export", LINE).onnx.shapes(4) == []
    assert app.compose("export", [*LINE, "onnx.fixed_sizes=[512,768x1024]"]).onnx.shapes(4) == [(512, 512), (1024, 768)]


@pytest.mark.parametrize(("value", "named"), [("[258]", "258"), ("[64,64x64]", "each size once"), ("512", "a list")])
def test_onnx_wrong_fixed_sizes_are_one_sentence(value: str, named: str) -> None:
    with pytest.raises(UsageError, match=rf"^onnx\.fixed_sizes=.*{named}"):
        app.compose("export", [*LINE, f"onnx.fixed_sizes={value}"])


def test_onnx_npu_size_is_a_square_of_the_stroke_resolution_by_default() -> None:
    config = app.compose("export", LINE).onnx
    assert [config.npu_shape(strokes, 8) for strokes in (None, 768, 601, 16, 8192)] == [
        *((512, 512), (768, 768), (600, 600), (32, 32), (4096, 4096))
    ]
    assert app.compose("export", [*LINE, "onnx.npu_size=768x1024"]).onnx.npu_shape(600, 4) == (1024, 768)
    assert app.compose("export", [*LINE, "onnx.npu_size=256"]).onnx.npu_shape(None, 4) == (256, 256)
    assert app.compose("export", [*LINE, "onnx.npu_size=none"]).onnx.npu_shape(600, 4) is None
    with pytest.raises(UsageError, match=r"^onnx\.npu_size=258: 258 is not a valid size"):
        app.compose("export", [*LINE, "onnx.npu_size=258"])


def test_limits_of_a_network_of_several_passes_are_wider_but_in_float32() -> None:
    limits = app.compose("export", LINE).parity
    assert limits.of_passes(1) == limits
    wider = limits.of_passes(3)
    assert (wider.fp32, wider.fp16, wider.litert_gpu) == (limits.fp32, 3 * limits.fp16, 3 * limits.litert_gpu)
    # 20 log10(3) dB: an error that is three times as large
    assert (limits.coreml_psnr, wider.coreml_psnr) == (50, 40.5)
    extreme = app.compose("export", [*LINE, "parity.fp16=100", "parity.int8_psnr=5"]).parity.of_passes(3)
    assert (extreme.fp16, extreme.int8_psnr) == (255, 0)
