"""An export deletes an earlier bundle, and nothing that somebody else wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impasto.configs.errors import UsageError
from impasto.export.bundle import artifacts, checksummed_json
from impasto.export.bundle.artifacts import BuiltBundle
from tests.helpers.bundles import bytes_in


@pytest.mark.parametrize("change", ["edit", "add", "remove", "link", "format"])
def test_write_onto_a_changed_bundle_raises_and_keeps_the_change(
    export: Callable[..., Any], tmp_path: Path, change: str
) -> None:
    output = tmp_path / "swirls"
    export(output)
    client = output / "android/StyleTransfer.kt"
    if change == "edit":
        client.write_text(client.read_text() + "// mine\n")
    elif change == "add":
        (output / "android/notes.txt").write_text("mine")
    elif change == "remove":
        (output / "SHA256SUMS").unlink()
    elif change == "link":
        client.rename(tmp_path / "mine.kt")
        client.symlink_to(tmp_path / "mine.kt")
    else:
        values = checksummed_json.read(output / "manifest.json") | {"format": "impasto-bundle-2"}
        checksummed_json.write(output / "manifest.json", values)
    before = bytes_in(tmp_path)
    with pytest.raises(UsageError, match=f"output={output} (was changed|contains|is not an intact bundle)") as error:
        export(output)
    assert "\n" not in str(error.value)
    assert bytes_in(tmp_path) == before


def test_write_onto_a_bundle_that_is_edited_meanwhile_raises(
    export: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "swirls"
    export(output)
    fill = artifacts.fill

    def edit(*arguments: Any) -> BuiltBundle:
        (output / "README.md").write_text("mine")
        return fill(*arguments)

    monkeypatch.setattr(artifacts, "fill", edit)
    with pytest.raises(UsageError, match=r"was changed since its export \(README\.md"):
        export(output)
    assert (output / "README.md").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["swirls"]
