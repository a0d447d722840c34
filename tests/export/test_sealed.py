from pathlib import Path

import pytest

from impasto.configs.errors import CheckError
from impasto.export import sealed

CONTENT = {"format": "one", "style": {"artist": "Ünal"}, "rows": [{"psnr": 41.5, "largest": 1, "none": None}]}


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    sealed.write(path, CONTENT)
    first = path.read_bytes()
    assert sealed.read(path) == CONTENT
    sealed.write(path, CONTENT)
    assert path.read_bytes() == first


def test_every_flipped_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    sealed.write(path, CONTENT)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in (0, 5):  # 5 turns a letter into its other case, a hexadecimal digit into another form
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            with pytest.raises(CheckError, match=r"manifest\.json was changed"):
                sealed.read(path)


def test_another_way_to_write_the_same_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    sealed.write(path, CONTENT)
    path.write_bytes(path.read_bytes().replace(b"\n", b" ", 1))
    with pytest.raises(CheckError, match=r"manifest\.json was changed"):
        sealed.read(path)


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"format": "one"}', '{"sha256": "0"}\n', "\xff"])
def test_what_was_never_sealed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(CheckError, match=r"manifest\.json was changed"):
        sealed.read(path)
