from pathlib import Path

import pytest

from impasto.configs.cli import runs
from impasto.configs.errors import UsageError
from impasto.export.commands import output_file


def test_check_refuses_what_a_rename_would_replace(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for path in (Path("/dev/null"), Path("/dev/stdout"), tmp_path / "link"):
        with pytest.raises(UsageError, match=r"is a link or a device; name a plain file"):
            output_file.check("junit", str(path))
    with pytest.raises(UsageError, match=r"junit=.* is a folder; name a file"):
        output_file.check("junit", str(tmp_path))
    with pytest.raises(UsageError, match=r"the folder .*missing does not exist"):
        output_file.check("junit", str(tmp_path / "missing/verify.xml"))
    assert output_file.check("junit", str(tmp_path / "file")) == tmp_path / "file"


def test_write_that_fails_names_the_key_and_keeps_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "verify.json"
    output_file.write("json", file, "old")

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UsageError, match=r"json=.*verify\.json cannot be written: No space left on device"):
        output_file.write("json", file, "new")
    assert file.read_text() == "old" and [*tmp_path.iterdir()] == [file]


def test_check_refuses_one_file_for_all_jobs_of_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "is_sweep_job", lambda: True)
    with pytest.raises(UsageError, match=r"junit=verify\.xml is one file, which each job of a sweep would replace"):
        output_file.check("junit", "verify.xml")
