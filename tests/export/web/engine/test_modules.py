"""The modules of the engine that need no browser, run in Node against the Python code that they repeat."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from PIL import ExifTags, Image

from impasto.export.litert import writer
from impasto.export.test_images import picture
from impasto.models.image import detail_transfer, exif
from impasto.models.image.grain import add_grain
from impasto.models.image.picture import resize
from tests.helpers.heavy import tool
from tests.helpers.networks import LABEL, Build
from tests.helpers.stylize import noise
from tests.helpers.web_engine import ENGINE

_TAGS, _IFD = ExifTags.Base, ExifTags.IFD


def node(script: str, *values: object) -> Any:
    """Run a script, which finds the engine's modules under `at(name)` and further values in `values`."""
    head = f"""
        import {{ readFileSync, writeFileSync }} from 'node:fs'
        const values = process.argv.slice(1), at = name => {json.dumps(ENGINE.as_uri())} + '/' + name
        const bytes = name => new Uint8Array(readFileSync(name))
    """
    command = [tool("node"), "--input-type=module", "--eval", head + script, *values]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def rgba(rgb: NDArray[np.uint8]) -> bytes:
    return np.dstack([rgb, np.full(rgb.shape[:2], 99, np.uint8)]).tobytes()


@pytest.mark.heavy
@pytest.mark.parametrize("levels", [0.5, 3, 32])
def test_grain_is_that_of_python(levels: float, tmp_path: Path) -> None:
    photo = noise(530, 700)
    (tmp_path / "photo").write_bytes(rgba(photo))
    script = """
        const [folder, levels] = values
        const { withGrain } = await import(at('grain.mjs'))
        const photo = { data: bytes(`${folder}/photo`), width: 700, height: 530 }
        writeFileSync(`${folder}/result`, withGrain(photo, +levels).data)
        process.stdout.write(JSON.stringify(withGrain(photo, 0) === photo))
    """
    assert node(script, tmp_path, levels)
    assert (tmp_path / "photo").read_bytes() == rgba(photo)
    assert (tmp_path / "result").read_bytes() == rgba(add_grain(photo, levels))


@pytest.mark.heavy
@pytest.mark.parametrize(("height", "width", "resolution"), [(150, 250, 48), (501, 410, 130), (90, 61, 60)])
def test_strokes_match_python(height: int, width: int, resolution: int, tmp_path: Path) -> None:
    photo = resize(noise(height // 8, width // 8), (height, width))
    small = resize(photo, resolution)
    stylized = resize(noise(9, 7), small.shape[:2])
    for name, pixels in ("photo", photo), ("stylized", stylized):
        (tmp_path / name).write_bytes(rgba(pixels))
    script = """
        const [folder, width, height, resolution] = values
        const photo = { data: bytes(`${folder}/photo`), width: +width, height: +height }
        const { enlarge, reduce, smallSize } = await import(at('strokes.mjs'))
        const copy = reduce(photo, smallSize(photo, +resolution))
        writeFileSync(`${folder}/copy`, copy.data)
        writeFileSync(`${folder}/result`, await enlarge(bytes(`${folder}/stylized`), copy, photo))
    """
    node(script, tmp_path, width, height, resolution)
    copy = np.frombuffer((tmp_path / "copy").read_bytes(), np.uint8).reshape(*small.shape[:2], 4)
    result = np.frombuffer((tmp_path / "result").read_bytes(), np.uint8).reshape(height, width, 4)
    np.testing.assert_array_equal(copy[..., :3], small)
    expected = detail_transfer.enlarge(stylized, small, photo)
    assert np.abs(result[..., :3].astype(int) - expected).max() <= 1
    assert (copy[..., 3] == 255).all() and (result[..., 3] == 99).all()


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["johnson", "mobile", "tiny", "eighth", "studio"])
@pytest.mark.parametrize("sizes", [[(256, 256)], [(384, 512), (512, 384)]])
def test_resized_file_for_the_gpu_equals_one_written_for_the_size(
    name: str, sizes: list[tuple[int, int]], build: Build, tmp_path: Path
) -> None:
    network = build(name)
    height, width = (48, 88) if network.stride < 32 else (96, 160)
    if network.stride == 32:
        sizes = [(3 * height, 3 * width) for height, width in sizes]
    writer.write(network, tmp_path / "model.tflite", sizes, LABEL)
    writer.write(network, tmp_path / "expected.tflite", [(height, width)], LABEL)
    script = """
        const { multipleOf, resized } = await import(at('tflite.mjs')), [folder, width, height] = values
        const file = bytes(`${folder}/model.tflite`).buffer
        writeFileSync(`${folder}/resized.tflite`, resized(file, +width, +height))
        console.log(multipleOf(file))
    """
    assert node(script, tmp_path, width, height) == network.stride
    image = np.dstack([picture(height, width), noise(height, width, 1)])
    expected, found = (run(tmp_path / f"{file}.tflite", image) for file in ("expected", "resized"))
    assert found.shape == (1, height, width, 4) and found.std() > 10
    np.testing.assert_array_equal(found, expected)


def run(path: Path, image: NDArray[np.uint8]) -> Any:
    interpreter = Interpreter(str(path))
    assert len(interpreter.get_signature_list()) == 1
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.heavy
@pytest.mark.parametrize("side", [256, 512])
def test_file_for_the_gpu_whose_sides_are_not_clear_is_refused(side: int, build: Build, tmp_path: Path) -> None:
    writer.write(build("studio"), tmp_path / "model.tflite", [(side, side)], LABEL)
    script = """
        const { multipleOf } = await import(at('tflite.mjs')), file = bytes(`${values[0]}/model.tflite`).buffer
        try { multipleOf(file) } catch ({ code }) { console.log(JSON.stringify(code)) }
    """
    assert node(script, tmp_path) == "gpu.file"


@pytest.mark.heavy
def test_file_that_is_not_for_the_gpu_is_refused() -> None:
    script = """
        const { resized } = await import(at('tflite.mjs'))
        try { resized(new ArrayBuffer(99), 64, 64) } catch ({ code }) { console.log(JSON.stringify(code)) }
    """
    assert node(script) == "gpu.file"


@pytest.mark.heavy
def test_temporal_filter_steadies_what_stands_still_and_follows_what_changes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photo, other = resize(noise(9, 7), (90, 70)), resize(noise(12, 9), (90, 70))
    flickering = [
        np.clip(photo.astype(int) + rng.integers(-20, 21, photo.shape), 0, 255).astype(np.uint8) for _ in range(6)
    ]
    for number, pixels in enumerate([*flickering, photo, other]):
        (tmp_path / str(number)).write_bytes(rgba(pixels))
    script = """
        const { TemporalFilter } = await import(at('temporal_filter.mjs')), filter = new TemporalFilter()
        const [folder] = values, read = name => bytes(`${folder}/${name}`)
        const still = { data: read(6), width: 70, height: 90 }
        for (let i = 0; i < 6; i++) writeFileSync(`${folder}/${i}`, filter.filter(still, read(i), 0.7))
        writeFileSync(`${folder}/6`, filter.filter({ ...still, data: read(7) }, read(7), 0.7))
    """
    node(script, tmp_path)
    steadied = [np.frombuffer((tmp_path / str(n)).read_bytes(), np.uint8).reshape(90, 70, 4) for n in range(7)]
    before, after = (
        np.abs(frames[4][..., :3].astype(int) - frames[5][..., :3]).mean() for frames in (flickering, steadied)
    )
    assert after < 0.4 * before and before > 5
    # y = x + 0.7 (y' - x), where both frames are the same
    expected = flickering[1] + 0.7 * (steadied[0][..., :3].astype(float) - flickering[1])
    assert np.abs(steadied[1][..., :3] - expected).max() <= 0.51
    assert np.abs(steadied[6][..., :3].astype(int) - other).mean() < 2 and (steadied[6][..., 3] == 99).all()


def photo_with_exif(order: str) -> tuple[bytes, bytes]:
    """A JPEG with EXIF data of either byte order, and these data."""
    data = Image.Exif()
    data.endian = order
    data[_TAGS.Orientation], data[_TAGS.Artist], data[_TAGS.Make] = 6, "Ünal", "x"
    data[_TAGS.XResolution], data[_TAGS.StripOffsets] = 72.0, 1
    data[_IFD.Exif] = {
        **{_TAGS.ExposureTime: 0.01, _TAGS.MakerNote: b"m" * 99, _TAGS.ExifImageWidth: 9, _TAGS.ColorSpace: 65535},
        **{_TAGS.UserComment: b"ASCII\0\0\0hello"},
    }
    data[_IFD.GPSInfo] = {1: "N", 2: (52.0, 30.0, 15.5)}
    file = io.BytesIO()
    Image.fromarray(noise(20, 30)).save(file, "JPEG", exif=data.tobytes())
    return file.getvalue(), data.tobytes()


def tags(data: bytes) -> dict[str, dict[int, Any]]:
    read = Image.Exif()
    read.load(data)
    parts = {"camera": read.get_ifd(_IFD.Exif), "place": read.get_ifd(_IFD.GPSInfo)}
    return {"main": {tag: value for tag, value in read.items() if tag not in (_IFD.Exif, _IFD.GPSInfo)}, **parts}


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_kept_as_the_command_keeps_it(order: str, kind: str, tmp_path: Path) -> None:
    jpeg, data = photo_with_exif(order)
    file = io.BytesIO()
    Image.open(io.BytesIO(jpeg)).save(file, kind, exif=data)
    (tmp_path / "photo").write_bytes(jpeg if kind == "JPEG" else file.getvalue())
    Image.fromarray(noise(40, 60)).save(tmp_path / "canvas.jpg")
    keep(tmp_path, "photo")
    with Image.open(tmp_path / "result.jpg") as result:
        assert result.size == (60, 40) and np.asarray(result).std() > 10
        found = tags(result.info["exif"])
    expected = tags(exif.for_output(data, 60, 40, converted=True, details=True, max_bytes=exif.MAX_JPEG_BYTES))
    expected["main"][_TAGS.Orientation] = 1
    assert found == expected
    assert found["place"] and found["camera"][_TAGS.ExifImageWidth] == 60 and _TAGS.MakerNote not in found["camera"]


@pytest.mark.heavy
@pytest.mark.parametrize("broken", [b"", b"no picture", b"\xff\xd8\xff\xe1\x00\x20Exif\0\0II*\0\xff\xff\xff\xff"])
def test_exif_that_is_broken_or_absent_costs_nothing(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(broken)
    Image.fromarray(noise(40, 60)).save(tmp_path / "canvas.jpg")
    keep(tmp_path, "photo")
    assert (tmp_path / "result.jpg").read_bytes() == (tmp_path / "canvas.jpg").read_bytes()


def keep(folder: Path, name: str) -> None:
    script = """
        const { keepExif } = await import(at('exif.mjs')), [folder, name] = values
        const blobs = [name, 'canvas.jpg'].map(file => new Blob([bytes(`${folder}/${file}`)], { type: 'image/jpeg' }))
        writeFileSync(`${folder}/result.jpg`, new Uint8Array(await (await keepExif(...blobs)).arrayBuffer()))
    """
    node(script, folder, name)


@pytest.mark.heavy
def test_types_of_the_engine_are_right(tmp_path: Path) -> None:
    modules = tool("typescript").parent
    settings = {
        **{"checkJs": True, "allowJs": True, "noEmit": True, "strict": True, "skipLibCheck": True},
        **{"target": "es2023", "module": "esnext", "moduleResolution": "bundler"},
        **{"lib": ["es2023", "dom", "dom.iterable", "dom.asynciterable"], "types": ["@webgpu/types", "dom-webcodecs"]},
        **{"typeRoots": [f"{modules}/@types", str(modules)], "paths": {"mediabunny": [f"{modules}/mediabunny"]}},
    }
    config = {"compilerOptions": settings, "include": [f"{ENGINE.as_posix()}/*.mjs"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    command = [tool("node"), tool("typescript") / "bin" / "tsc", "-p", tmp_path]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.heavy
def test_store_takes_weights_of_its_styles_that_sum_to_one() -> None:
    script = """
        const { keyOf, strokeResolutionOf, weightsOf } = await import(at('store.mjs'))
        const sizes = Object.entries({ a: 512, b: 768, c: null })
        const store = sizes.map(([name, stroke_resolution]) => ({ name, stroke_resolution }))
        const entry = { name: 's', stroke_resolution: 99, store, files: { onnx: { url: 'u' } } }
        const right = [{ b: 1 }, { a: 0.25, b: 0.75 }, { a: 0.5, c: 0.5 }]
        const wrong = [undefined, { a: 0.5 }, { d: 1 }, { a: 2, b: -1 }]
        const results = [...right, ...wrong].map(weights => {
          const style = { ...entry, weights }
          try {
            return [[...weightsOf(style)], strokeResolutionOf(style), keyOf(style)]
          } catch ({ code }) { return code }
        })
        const alone = { name: 'x', stroke_resolution: 99, files: { onnx: { url: 'u' } } }
        console.log(JSON.stringify([...results, weightsOf(alone), strokeResolutionOf(alone)]))
    """
    one, blend, native, *wrong, weights, resolution = node(script)
    assert (one[:2], blend[:2], native[:2]) == ([[0, 1, 0], 768], [[0.25, 0.75, 0], 704], [[0.5, 0, 0.5], None])
    assert len({one[2], blend[2], native[2]}) == 3
    assert wrong == ["engine.style"] * 4
    assert weights is None and resolution == 99


@pytest.mark.heavy
def test_mix_in_place_equals_mix(tmp_path: Path) -> None:
    for name in ("photo", "stylized"):
        (tmp_path / name).write_bytes(rgba(noise(20, 31 if name == "photo" else 30)[:, :30]))
    script = """
        const { mixPixels } = await import(at('mix.mjs')), [folder] = values
        const [data, stylized] = ['photo', 'stylized'].map(name => bytes(`${folder}/${name}`))
        const photo = { data, width: 30, height: 20 }, both = { strength: 0.6, keepColors: true, mask: photo }
        const results = [{}, { strength: 0 }, { strength: 0.3 }, both].map(controls => {
          const result = mixPixels(photo, stylized, controls), copy = new Uint8ClampedArray(stylized)
          const others = [mixPixels(photo, copy, controls, copy), stylized, data]
          return others.map(other => Buffer.from(result).equals(Buffer.from(other)))
        })
        console.log(JSON.stringify(results))
    """
    same, photo, *mixed = node(script, tmp_path)
    assert same == [True, True, False] and photo == [True, False, True] and mixed == [[True, False, False]] * 2
