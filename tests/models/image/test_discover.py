import os
from pathlib import Path

import pytest

from impasto.configs.errors import UsageError
from impasto.models.image.discover import find_pictures, scan_folder


def test_find_pictures_lists_visible_files_and_follows_links_once(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "deep/er/c.webp", "notes.txt", ".hidden.png", ".cache/d.png", "deep/.part.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "deep")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.JPG")
    os.mkfifo(tmp_path / "pipe.jpg")
    names = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)]
    assert names == ["a.png", "b.JPG", "deep/er/c.webp", "link.jpg"]
    assert find_pictures(tmp_path / "folder.png") == []
    for path in (tmp_path / "no", tmp_path / "a.png"):
        with pytest.raises(UsageError, match="cannot be listed as a folder"):
            find_pictures(path)


def test_find_pictures_follows_linked_folders(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.png").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "disk")
    assert find_pictures(tmp_path / "photos") == [tmp_path / "photos" / "link" / "a.png"]


def test_scan_folder_names_files_that_are_not_read(tmp_path: Path) -> None:
    for name in ("a.HEIC", "b.dng", "c.MOV", "d.txt"):
        (tmp_path / name).touch()
    pictures, problems = scan_folder(tmp_path)
    assert pictures == [tmp_path / "a.HEIC"]
    assert problems == [
        f"{tmp_path}/b.dng has an unsupported format; convert it to JPEG",
        f"{tmp_path}/c.MOV is a video, which a folder of photos leaves out; name it alone",
    ]
