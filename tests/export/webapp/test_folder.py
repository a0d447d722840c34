"""The page as a folder appears complete, and replaces only what impasto-app wrote."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.export.webapp import folder
from impasto.export.webapp.runtime import Source

FILES: dict[str, Source] = {"index.html": b"page", "app.json": b"{}", "files.js": b"1", "css/a.css": b"a"}


def test_write_lists_each_file_for_sha256sum(tmp_path: Path) -> None:
    size = folder.write(tmp_path / "new" / "site", FILES, {"X-Frame-Options": "DENY"})
    output = tmp_path / "new" / "site"
    written = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert written == {*FILES, folder.HEADERS, folder.CHECKSUMS}
    assert size == sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    assert (output / folder.HEADERS).read_text() == "/*\n  X-Frame-Options: DENY\n"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", folder.CHECKSUMS], cwd=output, check=True)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["site"]


def test_write_replaces_an_earlier_page_as_a_whole(tmp_path: Path) -> None:
    folder.write(tmp_path / "site", {**FILES, "old.mjs": b"old"}, {})
    folder.write(tmp_path / "site", {**FILES, "index.html": b"new"}, {})
    assert (tmp_path / "site" / "index.html").read_bytes() == b"new"
    assert not (tmp_path / "site" / "old.mjs").exists()


def test_write_into_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "site" / "empty").mkdir(parents=True)
    folder.write(tmp_path / "site", FILES, {})
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda site: (site / "CNAME").touch(), "contains CNAME, which impasto-app did not write; move it away"),
        (
            lambda site: (site / "index.html").write_text("mine"),
            r"was changed since impasto-app wrote it \(index.html\)",
        ),
        (lambda site: (site / "css" / "a.css").unlink(), r"was changed since impasto-app wrote it \(css/a.css\)"),
        (
            lambda site: (site / "SHA256SUMS").write_bytes(b"\xff"),
            "is neither empty nor an earlier page of impasto-app",
        ),
        (lambda site: (site / "SHA256SUMS").write_text("a  b\n"), "is neither empty nor an earlier page"),
    ],
)
def test_write_refuses_a_folder_with_something_else(
    change: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    output = tmp_path / "site"
    folder.write(output, FILES, {})
    change(output)
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=f"output={output} {sentence}"):
        folder.write(output, FILES, {})
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before


def test_write_over_a_file_or_into_a_closed_folder_raises(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        folder.write(tmp_path / "file", FILES, {})
    with pytest.raises(UsageError, match="cannot be written: Not a directory"):
        folder.write(tmp_path / "file" / "below", FILES, {})
