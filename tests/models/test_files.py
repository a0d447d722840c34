import json
import math
import os
import stat
from pathlib import Path

import pytest

from impasto.models import files


def test_json_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts.json"
    files.write_json(path, {"artist": "Ünal", "loss": 1.5})
    before = path.read_bytes()
    assert json.loads(before) == {"artist": "Ünal", "loss": 1.5} and before.endswith(b"}\n")
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"loss": math.inf})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            files.write_json(path, {"loss": 2.5})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced, sync = tmp_path / "file", list[tuple[str, bool]](), os.fsync

    def note(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with files.aside(path) as part:
        part.write_text("new")
    assert synced == [("file", False), ("folder", True)]


def test_what_is_there_stays_until_the_new_file_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with files.aside(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
        assert part.parent == tmp_path and part.name.startswith(".")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
