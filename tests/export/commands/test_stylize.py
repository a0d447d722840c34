"""impasto-stylize, on a tiny model that follows the contract: it inverts colors and passes alpha through."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from impasto.configs.errors import UsageError
from impasto.export.commands import stylize
from impasto.models.image.decode import read
from tests.helpers.onnx_models import model
from tests.helpers.pictures import SRGB
from tests.helpers.stylize import noise, run_stylize, save


def test_stylize_one_photo_writes_the_result_with_alpha(
    inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, target = save(tmp_path / "a.png", noise(20, 30, 4)), tmp_path / "new" / "b.png"
    run_stylize(inverter, photo, target)
    expected = noise(20, 30, 4)
    expected[..., :3] = 255 - expected[..., :3]
    with Image.open(target) as image:
        np.testing.assert_array_equal(np.asarray(image), expected)
    assert capsys.readouterr() == (f"1 photo written to {target}\n", "")
    assert [path.name for path in target.parent.iterdir()] == ["b.png"]


@pytest.mark.parametrize("older", [False, True])
def test_stylize_with_strength_blends_with_the_photo(tmp_path: Path, older: bool) -> None:
    network = model(tmp_path / "model.onnx", strength=older)
    photo, rgb = save(tmp_path / "a.png", noise(20, 30)), noise(20, 30).astype(float)
    for strength in (0, 0.25, 1):
        target = tmp_path / f"{strength}.png"
        run_stylize(network, photo, target, f"strength={strength}")
        np.testing.assert_array_equal(read(target).rgb, np.floor(rgb + strength * (255 - 2 * rgb) + 0.5))


@pytest.mark.parametrize("value", ["nan", "-0.01", "1.01", "inf", "null", "true", "half"])
def test_stylize_with_strength_beyond_0_to_1_is_refused(inverter: Path, tmp_path: Path, value: str) -> None:
    photo, target = save(tmp_path / "a.png", noise(20, 30)), tmp_path / "b.png"
    with pytest.raises(UsageError, match=r"^strength=.* is invalid; it must be a number from 0 to 1$"):
        run_stylize(inverter, photo, target, f"strength={value}")
    assert not target.exists()


def test_stylize_rotated_photo_writes_upright_pixels_without_orientation_tag(inverter: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0131] = 6, "Camera"
    run_stylize(inverter, save(tmp_path / "a.png", noise(20, 30), exif=exif, icc_profile=SRGB), tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.size == (20, 30) and dict(image.getexif()) == {0x0131: "Camera"}
    assert read(tmp_path / "b.jpg").had_profile
    run_stylize(inverter, tmp_path / "a.png", tmp_path / "b.png")
    np.testing.assert_array_equal(read(tmp_path / "b.png").rgb, np.rot90(255 - noise(20, 30), -1))


@pytest.mark.slow
def test_stylize_into_folder_names_the_result_after_the_photo(inverter: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    run_stylize(inverter, save(tmp_path / "a.png", noise(20, 30)), tmp_path / "out")
    run_stylize(inverter, save(tmp_path / "a.gif", noise(20, 30)[..., 0]), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.gif.png", "a.png"]


def test_stylize_existing_output_is_refused_without_overwrite(inverter: Path, tmp_path: Path) -> None:
    photo, target = save(tmp_path / "a.png", noise(20, 30)), save(tmp_path / "b.png", noise(9, 9))
    with pytest.raises(UsageError, match=r"output=.*b\.png already exists; .* overwrite=true"):
        run_stylize(inverter, photo, target)
    np.testing.assert_array_equal(read(target).rgb, noise(9, 9))
    run_stylize(inverter, photo, target, "overwrite=true")
    np.testing.assert_array_equal(read(target).rgb, 255 - noise(20, 30))


def photos(folder: Path) -> Path:
    save(folder / "a.jpg", noise(20, 30))
    save(folder / "deep" / "er" / "b.PNG", noise(9, 40))
    save(folder / "deep" / "c.gif", noise(20, 20)[..., 0])
    (folder / "deep" / "torn.jpg").write_bytes((folder / "a.jpg").read_bytes()[:-400])
    (folder / "text.jpg").write_text("not a photo")
    (folder / "notes.txt").write_text("no photo, and no suffix of one")
    return folder


def test_stylize_folder_preserves_its_tree_and_skips_bad_photos(
    inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    source, output = photos(tmp_path / "in"), tmp_path / "out" / "put"
    run_stylize(inverter, source, output)
    written = sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())
    assert written == ["a.jpg", "deep/c.gif.png", "deep/er/b.PNG"]
    np.testing.assert_array_equal(read(output / "deep/er/b.PNG").rgb, 255 - noise(9, 40))
    assert capsys.readouterr() == (f"3 photos written to {output}\n", "")
    lines = caplog.messages
    assert lines[0] == "2 photos of 5 skipped:" and len(lines) == 3
    assert str(source / "deep" / "torn.jpg") in lines[1] and str(source / "text.jpg") in lines[2]


def test_stylize_folder_lists_unsupported_files_and_broken_links(
    inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    source = save(tmp_path / "in" / "a.png", noise(9, 9)).parent
    (source / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (source / "IMG_1.HEIC").write_bytes(b"of a phone")
    (source / "notes.txt").write_text("no photo")
    run_stylize(inverter, source, tmp_path / "out")
    assert capsys.readouterr().out.startswith("1 photo written")
    assert caplog.messages == [
        "2 photos of 3 skipped:",
        f"  {source / 'IMG_1.HEIC'} is not a picture in a supported format (JPEG, PNG, WebP, AVIF, HEIC, TIFF, BMP, "
        "GIF, PPM)",
        f"  {source / 'gone.jpg'} is a broken link",
    ]
    (source / "a.png").unlink()
    with pytest.raises(UsageError, match=r"none of the 2 photos in .* could be stylized"):
        run_stylize(inverter, source, tmp_path / "out")


def test_stylize_folder_with_names_equal_but_for_case_writes_both_photos(inverter: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    save(source / "A.JPG", noise(9, 9))
    save(source / "a.png", noise(20, 30))
    run_stylize(inverter, source, output, "format=jpg")
    assert sorted(path.name for path in output.iterdir()) == ["A.JPG", "a.png.jpg"]


def test_stylize_folder_skips_existing_results_without_overwrite(
    inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in", tmp_path / "out"
    for name in "abc":
        save(source / f"{name}.png", noise(20, 30))
    existing = save(output / "b.png", noise(9, 9)).read_bytes()
    run_stylize(inverter, source, output)
    assert capsys.readouterr().out.startswith(f"2 photos written to {output}; 1 already existed")
    assert (output / "b.png").read_bytes() == existing
    run_stylize(model(tmp_path / "other.onnx"), source, output, "strength=0", "overwrite=true")
    for name in "abc":
        np.testing.assert_array_equal(read(output / f"{name}.png").rgb, noise(20, 30))


def test_stylize_folder_with_format_changes_suffixes(inverter: Path, tmp_path: Path) -> None:
    source, output = photos(tmp_path / "in"), tmp_path / "out"
    save(source / "a.png", noise(9, 9))
    run_stylize(inverter, source, output, "format=webp")
    run_stylize(inverter, source, output, "format=png")
    written = sorted(path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file())
    assert written == [
        *("a.jpg.png", "a.jpg.webp", "a.png", "a.png.webp", "deep/c.png", "deep/c.webp"),
        *("deep/er/b.PNG", "deep/er/b.webp"),
    ]
    with Image.open(output / "deep/c.webp") as image:
        assert image.format == "WEBP"


def test_stylize_output_inside_input_is_not_read_as_input(
    inverter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.png", noise(20, 30))
    for count in ("1 photo ", "0 photos "):
        run_stylize(inverter, tmp_path, tmp_path / "out")
        assert capsys.readouterr().out.startswith(count)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_stylize_output_above_input_is_allowed(inverter: Path, tmp_path: Path) -> None:
    run_stylize(inverter, save(tmp_path / "in" / "a.png", noise(20, 30)).parent, tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "a.png").rgb, 255 - noise(20, 30))


def test_stylize_folder_of_bad_photos_raises(inverter: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.jpg").write_text("not a photo")
    with pytest.raises(UsageError, match="none of the 1 photos"):
        run_stylize(inverter, tmp_path / "in", tmp_path / "out")
    assert "text.jpg is not a picture" in caplog.text


@pytest.mark.parametrize(
    ("source", "output", "fault"),
    [
        ("gone.jpg", "out.jpg", "gone.jpg does not exist"),
        ("in/a.jpg", "out.docx", r"out.docx has no suffix that can be written; choose one of \.jpg"),
        ("in/a.jpg", "out", "out has no suffix that can be written"),
        ("in/a.jpg", "in/a.jpg", "would overwrite"),
        ("in/a.jpg", "in/../in/a.jpg", "would overwrite"),
        ("in/a.jpg", "in", "would overwrite"),
        ("in/a.jpg", "hard.jpg", "would overwrite"),
        ("in", "in", "is the input folder"),
        ("in", "link", "is the input folder"),
        ("in", "in/a.jpg", "is a file, but"),
        ("nested/n", "nested", "would overwrite"),
        ("nested/n", "above", "would overwrite"),
        ("empty", "out", r"contains no pictures \(\.jpg, "),
        ("in/text.jpg", "out.jpg", "text.jpg is not a picture"),
        ("x" * 300 + ".jpg", "out.jpg", "input=.* cannot be accessed: file name too long"),
        ("in/a.jpg", "x" * 300 + ".jpg", "output=.* cannot be accessed: file name too long"),
    ],
)
def test_stylize_wrong_request_raises_one_sentence_and_changes_no_file(
    tmp_path: Path, inverter: Path, source: str, output: str, fault: str
) -> None:
    photos(tmp_path / "in")
    save(tmp_path / "nested" / "n" / "a.png", noise(9, 9))
    save(tmp_path / "nested" / "n" / "n" / "a.png", noise(9, 9))
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "above").symlink_to(tmp_path / "nested")
    (tmp_path / "hard.jpg").hardlink_to(tmp_path / "in" / "a.jpg")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=fault) as caught:
        run_stylize(inverter, tmp_path / source, tmp_path / output)
    assert "\n" not in str(caught.value)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_stylize_photos_with_one_target_are_refused(inverter: Path, tmp_path: Path) -> None:
    for name in ("a.gif", "a.gif.png"):
        save(tmp_path / "in" / name, noise(9, 9))
    with pytest.raises(UsageError, match=r"two photos that would both be written to .*a\.gif\.png; rename one"):
        run_stylize(inverter, tmp_path / "in", tmp_path / "out")
    with pytest.raises(UsageError, match=r"out\.png contradicts format=jpg; omit format"):
        run_stylize(inverter, tmp_path / "in" / "a.gif", tmp_path / "out.png", "format=jpg")
    assert not (tmp_path / "out").exists()


def test_stylize_wrong_output_raises_before_the_model_is_loaded(tmp_path: Path) -> None:
    photo = save(tmp_path / "a.png", noise(20, 30))
    with pytest.raises(UsageError, match="choose one of"):
        run_stylize(tmp_path / "gone.onnx", photo, tmp_path / "b.xyz")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (200, 30_000), (30_000, 200)])
def test_stylize_extreme_sizes_preserves_them(inverter: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 40, np.uint8)
    pixels[-1, -1] = 90
    run_stylize(inverter, save(tmp_path / "a.png", pixels, compress_level=1), tmp_path / "b.png")
    np.testing.assert_array_equal(read(tmp_path / "b.png").rgb, 255 - pixels)
    run_stylize(inverter, tmp_path / "a.png", tmp_path / "c.png", "stroke_resolution=64")
    assert read(tmp_path / "c.png").rgb.shape == pixels.shape
    if max(size) > 16_383:
        with pytest.raises(UsageError, match=r"a\.png: .*b\.webp cannot be written as .* WEBP") as caught:
            run_stylize(inverter, tmp_path / "a.png", tmp_path / "b.webp")
        assert "\n" not in str(caught.value) and not (tmp_path / "b.webp").exists()


def test_stylize_folder_on_full_disk_stops_and_can_be_repeated(inverter: Path, tmp_path: Path) -> None:
    source, disk = tmp_path / "in", tmp_path / "disk"
    disk.mkdir()
    for name in "abcd":
        save(source / f"{name}.png", noise(120, 160))
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        with pytest.raises(UsageError, match=r"no space left on device; \d photos? of 4 written; repeat the command"):
            run_stylize(inverter, source, disk / "out", "workers=1")
        written = [path for path in disk.rglob("*") if path.is_file()]
        assert len(written) == 2 and all(path.name[0] != "." for path in written)
        for path in written:
            np.testing.assert_array_equal(read(path).rgb, 255 - noise(120, 160))
        subprocess.run(["mount", "-o", "remount,size=9m", str(disk)], check=True)
        run_stylize(inverter, source, disk / "out")
        assert len([*(disk / "out").iterdir()]) == 4
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_stylize_on_terminal_shows_progress(inverter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(stylize, "stderr_console", lambda: Console(file=screen, force_terminal=True, width=100))
    run_stylize(inverter, photos(tmp_path / "in"), tmp_path / "out")
    assert "5/5" in screen.getvalue() and "photos/s" in screen.getvalue()
    screen.truncate(0)
    run_stylize(inverter, save(tmp_path / "one.png", noise(20, 20)), tmp_path / "a.png")
    assert "100%" in screen.getvalue() and "photos" not in screen.getvalue()


@pytest.mark.slow
def test_stylize_imports_no_torch_and_disables_telemetry(inverter: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "import impasto.export.commands.stylize\n"
        "impasto.export.commands.stylize.main()\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
        "assert not {'torch', 'onnx', 'coremltools', 'pillow_heif', 'av', 'cv2', 'scipy'} & set(sys.modules)\n"
    )
    request = f"model={inverter}", f"input={photos(tmp_path / 'in')}", f"output={tmp_path / 'out'}", "threads=1"
    command = [sys.executable, "-c", program, *request]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"3 photos written to {tmp_path / 'out'}\n"
    assert done.stderr.startswith("2 photos of 5 skipped:\n  ") and done.stderr.count("\n") == 3
    assert "stylizing" not in done.stderr  # no bar without a terminal
