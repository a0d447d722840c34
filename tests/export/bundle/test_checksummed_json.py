from pathlib import Path

import pytest

from impasto.configs.errors import CheckFailed
from impasto.export.bundle import checksummed_json

CONTENT = {"format": "one", "style": {"artist": "Ünal"}, "rows": [{"psnr": 41.5, "largest": 1, "none": None}]}


def test_read_returns_what_write_wrote_and_write_is_deterministic(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    checksummed_json.write(path, CONTENT)
    first = path.read_bytes()
    assert checksummed_json.read(path) == CONTENT
    checksummed_json.write(path, CONTENT)
    assert path.read_bytes() == first


@pytest.mark.slow
def test_read_after_any_flipped_byte_raises(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    checksummed_json.write(path, CONTENT)
    original = path.read_bytes()
    for position in range(len(original)):
        for bit in (0, 5):  # 5 turns a letter into its other case, a hexadecimal digit into another form
            path.write_bytes(original[:position] + bytes([original[position] ^ 1 << bit]) + original[position + 1 :])
            with pytest.raises(CheckFailed, match=r"manifest\.json was changed"):
                checksummed_json.read(path)


def test_read_of_reformatted_json_raises(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    checksummed_json.write(path, CONTENT)
    path.write_bytes(path.read_bytes().replace(b"\n", b" ", 1))
    with pytest.raises(CheckFailed, match=r"manifest\.json was changed"):
        checksummed_json.read(path)


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"format": "one"}', '{"sha256": "0"}\n', "\xff"])
def test_read_of_a_file_without_checksum_raises(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(CheckFailed, match=r"manifest\.json was changed"):
        checksummed_json.read(path)
