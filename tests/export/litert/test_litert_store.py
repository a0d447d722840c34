"""The LiteRT file of a store: the weights of its styles are a second input."""

from pathlib import Path

import numpy as np
import pytest

from impasto.configs.cli.app import compose
from impasto.configs.errors import CheckFailed
from impasto.configs.schema.bench import BenchmarkConfig
from impasto.export.bundle.artifacts import reference
from impasto.export.contract import ModelArtifact, StyledArtifact, styled
from impasto.export.litert import reader
from impasto.export.litert.format import LiteRtFormat
from impasto.export.litert.runtime import HalfPrecision, LiteRtCpu
from impasto.export.runtime import Runtime
from impasto.export.test_images import opaque, picture
from impasto.export.validation import latency
from impasto.export.validation.litert_gpu import LiteRtGpu
from impasto.models.contract import Label
from tests.helpers.heavy import missing
from tests.helpers.stores import card_of, store_of

FORM, SIZES = LiteRtFormat(), [(64, 96), (64, 64)]  # (height, width)
BLENDS = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.7, 0.3, 0.0), (0.2, 0.3, 0.5)
PHOTO = opaque(picture(64, 96))


def export(folder: Path, model: str, sizes: str = "[96x64,64]") -> ModelArtifact:
    exporter = FORM.exporter(compose("export", ["checkpoint=x", "output=y", f"litert.sizes={sizes}"]), _label(model))
    (artifact,) = exporter.export(store_of(model), folder).models
    return artifact


def _label(model: str) -> Label:
    return Label.of(card_of(model))


def largest_difference(runtime: Runtime, folder: Path, artifact: ModelArtifact, weights: tuple[float, ...]) -> int:
    expected = reference(store_of("mobile").blend(weights))(PHOTO[..., :3])
    chosen = styled(artifact, weights)
    assert chosen is not None and expected.std() > 10
    (stylized,) = runtime.run(folder, chosen, [PHOTO])
    np.testing.assert_array_equal(stylized[..., 3], 255)
    return int(np.abs(stylized[..., :3].astype(int) - expected).max())


@pytest.mark.parametrize("runtime", [LiteRtCpu(), HalfPrecision()], ids=["cpu", "fp16"])
def test_file_of_a_store_gives_each_style_and_blends(runtime: Runtime, tmp_path: Path) -> None:
    artifact = export(tmp_path, "mobile")
    assert FORM.check(tmp_path, artifact)
    assert [(spec.name, spec.shape) for spec in artifact.contract.inputs][1] == ("styles", (1, 1, 1, 3))
    differences = [largest_difference(runtime, tmp_path, artifact, weights) for weights in BLENDS]
    assert max(differences) <= (1 if isinstance(runtime, LiteRtCpu) else 3)
    exchanged = StyledArtifact(**vars(artifact), style_weights=BLENDS[1])
    expected = reference(store_of("mobile").blend(BLENDS[0]))(PHOTO[..., :3])
    assert np.abs(runtime.run(tmp_path, exchanged, [PHOTO])[0][..., :3].astype(int) - expected).max() > 10


@pytest.mark.heavy
def test_gpu_accelerator_takes_the_whole_file_of_a_store(tmp_path: Path) -> None:
    runtime = LiteRtGpu()
    if (sentence := runtime.missing()) is not None:
        missing(sentence)
    artifact = export(tmp_path, "mobile")
    assert [largest_difference(runtime, tmp_path, artifact, weights) for weights in BLENDS[2:]] <= [2, 2, 2]


def test_two_sizes_of_a_store_share_its_tables(tmp_path: Path) -> None:
    for folder, sizes in (("one", "[64]"), ("two", "[64,96x64]")):
        export(tmp_path / folder, "mobile", sizes)
    one, two = ((tmp_path / folder / "android" / "model.tflite").stat().st_size for folder in ("one", "two"))
    values = sum(store_of("mobile").state_dict()[name].numel() for name in store_of("mobile").norm_names)
    assert one > 4 * values and two - one < one - 4 * values


def test_check_of_another_number_of_styles_fails(tmp_path: Path) -> None:
    artifact = export(tmp_path, "tiny", "[64]")
    single = FORM.exporter(compose("export", ["checkpoint=x", "output=y", "litert.sizes=[64]"]), _label("tiny"))
    (other,) = single.export(store_of("tiny").network(0), tmp_path / "single").models
    assert [*reader.signatures((tmp_path / artifact.file).read_bytes(), "a")["size_64x64"]["inputs"]] == [
        *("image", "styles")
    ]
    with pytest.raises(CheckFailed, match=r"where the manifest promises"):
        FORM.check(tmp_path / "single", artifact)
    assert FORM.check(tmp_path / "single", other)


def test_runtime_without_the_weights_of_styles_raises_one_sentence(tmp_path: Path) -> None:
    artifact = export(tmp_path, "tiny", "[96x64]")
    for runtime in (LiteRtCpu(), HalfPrecision()):
        with pytest.raises(CheckFailed, match=r"^android/model\.tflite does not run in LiteRT"):
            runtime.run(tmp_path, artifact, [PHOTO])


def test_latency_of_a_store_is_measured_with_equal_weights(tmp_path: Path) -> None:
    artifact = export(tmp_path, "tiny", "[64]")
    (row,) = latency.measure(tmp_path, [artifact.file], BenchmarkConfig([64], [1], 1), lambda _: None).rows
    assert row.ms > 0
