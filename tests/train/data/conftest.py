"""What the tests of photo sets and of crops share."""

from pathlib import Path

import pytest

from tests.helpers.photos import photo


@pytest.fixture
def photo_tree(tmp_path: Path) -> Path:
    """Five photos of several formats in a folder tree, and a file that is none."""
    root = tmp_path / "photos"
    (root / "below/deep").mkdir(parents=True)
    for seed, name in enumerate(["a.jpg", "b.png", "below/c.JPG", "below/deep/d.webp", "e.jpeg"]):
        photo(seed).save(root / name)
    (root / "notes.txt").write_text("no photo")
    return root
