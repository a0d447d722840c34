from pathlib import Path

import pytest
import torch

from impasto.models import safetensors_file


def test_read_returns_what_write_wrote(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).view(2, 3).T, "b": torch.tensor(3)}
    safetensors_file.write(tmp_path / "file", tensors, {"format": "x"})
    read, metadata = safetensors_file.read(tmp_path / "file")
    assert metadata == {"format": "x"} and {*read} == {"a", "b"}
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    safetensors_file.write(tmp_path / "file", {"a": torch.ones(1)}, {})
    assert safetensors_file.read(tmp_path / "file")[1] == {}
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("data", [b"", b"no tensors", None])
def test_read_of_a_damaged_or_missing_file_raises_one_line(tmp_path: Path, data: bytes | None) -> None:
    if data is None:
        safetensors_file.write(tmp_path / "file", {"a": torch.ones(100)}, {})
        data = (tmp_path / "file").read_bytes()[:-8]
    (tmp_path / "file").write_bytes(data)
    for path in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(safetensors_file.DamagedFileError) as error:
            safetensors_file.read(path)
        assert str(error.value) and "\n" not in str(error.value)
