import json
import math
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from impasto.configs import atomic_file
from impasto.models import style_file
from impasto.models.card import StyleCard

STYLE = StyleCard("swirls", "artist", "CC0", "0" * 64, 256, None, 0)


def test_write_json_on_error_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts.json"
    atomic_file.write_json(path, {"artist": "Ünal", "loss": 1.5})
    before = path.read_bytes()
    assert json.loads(before) == {"artist": "Ünal", "loss": 1.5} and before.endswith(b"}\n")
    with pytest.raises(ValueError, match="JSON"):
        atomic_file.write_json(path, {"loss": math.inf})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            atomic_file.write_json(path, {"loss": 2.5})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_write_syncs_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced, sync = tmp_path / "file", list[tuple[str, bool]](), os.fsync

    def note(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, path.exists()))
        if kind == "file":
            os.write(descriptor, b"NEW")  # Windows syncs only what is open for writing
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with atomic_file.atomic_write(path) as part:
        part.write_text("new")
    assert synced == [("file", False), ("folder", True)] and path.read_text() == "NEW"


def test_atomic_write_replaces_the_file_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with atomic_file.atomic_write(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
        assert part.parent == tmp_path and part.name.startswith(".")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_atomic_write_gives_a_file_the_permissions_of_a_new_one(tmp_path: Path, mask: int) -> None:
    path, before = tmp_path / "style.safetensors", os.umask(mask)
    try:
        style_file.save(path, style_file.StyleFile(np.zeros(3, np.float32), "0" * 64, STYLE))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
