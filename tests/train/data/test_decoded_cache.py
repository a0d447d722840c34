import errno
import logging
import multiprocessing
import os
import pickle
import sys
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file

from impasto.train.data import decoded_cache
from impasto.train.data.decoded_cache import DecodedPhotoCache
from tests.helpers.commands import TINY, Start

SIDE = 32  # px


def photo(seed: int, height: int = SIDE, width: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def open_cache(folder: Path, fingerprint: str = "set", limit_gb: float = 1, count: int = 10) -> DecodedPhotoCache:
    return DecodedPhotoCache(folder, limit_gb, fingerprint, count, SIDE)


def log_messages(caplog: pytest.LogCaptureFixture, level: str = "WARNING") -> list[str]:
    """Return the messages of a level since the last call."""
    messages = [record.getMessage() for record in caplog.records if record.levelname == level]
    caplog.clear()
    return messages


def disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.glob(f"*{decoded_cache.SUFFIX}"))


def test_cache_written_photo_is_read_by_other_processes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first = open_cache(tmp_path)
    assert first.read(3) is None
    first.write(3, photo(1))
    first.write(4, photo(2, 64, SIDE)[:, ::-1])  # portrait, and not contiguous
    unpickled: DecodedPhotoCache = pickle.loads(pickle.dumps(first))  # as a spawned worker receives it
    for other in (first, open_cache(tmp_path), unpickled):
        np.testing.assert_array_equal(other.read(3), photo(1))
        np.testing.assert_array_equal(other.read(4), photo(2, 64, SIDE)[:, ::-1])
        assert other.read(2) is None
    assert [*tmp_path.glob("*.photos")] == [first.path]
    assert log_messages(caplog, "INFO") == [f"caching decoded photos in {tmp_path}, up to 1 GB"]


def test_cache_unwritten_slots_take_no_disk_space(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, count=100_000)
    assert cache.path.stat().st_size > 600_000_000
    cache.write(99_999, photo(0))
    assert disk_bytes(tmp_path) < 100_000


def test_write_elongated_photo_is_not_cached(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.write(0, photo(0, SIDE, 2 * SIDE + 1))
    assert cache.read(0) is None
    cache.write(1, photo(1, SIDE, 2 * SIDE))
    assert cache.read(1) is not None
    assert cache.read(2) is None


@pytest.mark.parametrize("damage", ["flipped bit", "zeroed page", "wrong size", "truncated"])
def test_read_damaged_photo_returns_none(tmp_path: Path, damage: str) -> None:
    cache = open_cache(tmp_path)
    for number in range(10):
        cache.write(number, photo(number))
    offset, path = 4096 + 5 * cache.slot_bytes, cache.path
    del cache
    data = bytearray(path.read_bytes())
    if damage == "flipped bit":
        data[offset + 3000] ^= 4
    elif damage == "zeroed page":  # as after a power failure
        data[offset + 1000 : offset + 4096] = bytes(3096)
    elif damage == "wrong size":
        data[offset + 4 : offset + 12] = (2**31).to_bytes(4, "little") * 2
    else:
        del data[offset:]
    path.write_bytes(data)
    reopened = open_cache(tmp_path)
    assert reopened.read(5) is None
    if damage == "truncated":
        assert all(reopened.read(number) is None for number in range(10))  # the file was replaced
    else:
        np.testing.assert_array_equal(reopened.read(4), photo(4))
    reopened.write(5, photo(5))
    np.testing.assert_array_equal(reopened.read(5), photo(5))


def test_cache_foreign_file_at_its_path_is_replaced(tmp_path: Path) -> None:
    path = open_cache(tmp_path).path
    path.write_text("something else")
    reopened = open_cache(tmp_path)
    reopened.write(0, photo(0))
    np.testing.assert_array_equal(reopened.read(0), photo(0))


def exit_with_readable_count(cache: DecodedPhotoCache) -> None:
    sys.exit(sum(cache.read(number) is not None for number in range(10)))


def test_read_failing_disk_returns_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process reads a file that was truncated while open; reading a mapping would kill it by SIGBUS."""
    cache = open_cache(tmp_path)
    for number in range(10):
        cache.write(number, photo(number))
    os.truncate(cache.path, 4096 + 3 * cache.slot_bytes + 1000)
    reader = multiprocessing.get_context("fork").Process(target=exit_with_readable_count, args=(cache,))
    reader.start()
    reader.join()
    assert reader.exitcode == 3

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    assert cache.read(0) is None


def write_forever(folder: Path, large: NDArray[np.uint8], started: Event) -> None:
    cache = DecodedPhotoCache(folder, 1, "set", 50, 256)
    started.set()
    while True:
        for number in range(50):
            cache.write(number, large)


@pytest.mark.slow
def test_read_after_killed_writers_returns_intact_photos_or_none(tmp_path: Path) -> None:
    """Two processes that write the same photos are killed after various times."""
    large = np.random.default_rng(0).integers(0, 255, (256, 384, 3), np.uint8)
    reader = DecodedPhotoCache(tmp_path, 1, "set", 50, 256)
    context = multiprocessing.get_context("fork")
    for seconds in (0.0, 0.001, 0.003, 0.01, 0.03):
        started = context.Event()
        writers = [context.Process(target=write_forever, args=(tmp_path, large, started)) for _ in range(2)]
        for writer in writers:
            writer.start()
        started.wait()
        time.sleep(seconds)
        for writer in writers:
            writer.kill()
        photos = [reader.read(number) for number in range(50)]
        for writer in writers:
            writer.join()
        assert all(cached is None or np.array_equal(cached, large) for cached in photos)
    assert any(cached is not None for cached in photos)


def test_cache_at_its_limit_removes_the_least_recently_used_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo_bytes, paths = SIDE * 48 * 3, {}
    for age, fingerprint in enumerate(("older", "newer", "in use")):
        cache = open_cache(tmp_path, fingerprint)
        for number in range(10):
            cache.write(number, photo(number))
        os.utime(cache.path, (1000 + age, 1000 + age) if fingerprint != "in use" else (1, 1))
        paths[fingerprint] = cache.path
    with paths["older"].open("r+b") as file:
        file.write(b"impasto photos 1")  # from an earlier release
    os.utime(paths["older"], (1000, 1000))
    limit_gb = (disk_bytes(tmp_path) + photo_bytes) / 1e9
    last = DecodedPhotoCache(tmp_path, limit_gb, "last", 100, SIDE)
    for number in range(8):
        last.write(number, photo(number))
    assert not paths["older"].exists()
    assert paths["newer"].exists()
    for number in range(8, 100):
        last.write(number, photo(number))
    assert not paths["newer"].exists()
    assert paths["in use"].exists()  # the oldest, but `cache` has it open
    assert disk_bytes(tmp_path) <= limit_gb * 1e9
    assert last.read(99) is None
    for _ in range(2):
        last.log_stop()
    [message] = log_messages(caplog)
    assert f"data.cache={tmp_path} is full" in message and "data.cache_gb=" in message


def test_cache_opened_with_a_lower_limit_shrinks_its_file(tmp_path: Path) -> None:
    for fingerprint in ("other", "set"):
        cache = open_cache(tmp_path, fingerprint, count=100)
        for number in range(0, 100, 2):  # the file has holes
            cache.write(number, photo(number))
        del cache
    full = disk_bytes(tmp_path)
    lower = open_cache(tmp_path, "set", full / 4e9, 100)
    assert 0 < disk_bytes(tmp_path) <= full / 4
    assert [*tmp_path.glob("*.photos")] == [lower.path]
    assert np.array_equal(lower.read(0), photo(0))  # type: ignore[arg-type]
    assert lower.read(98) is None
    lower.write(98, photo(98))
    assert disk_bytes(tmp_path) <= full / 4


def test_cache_unwritable_folder_logs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    cache = open_cache(tmp_path / "file" / "below")
    cache.write(0, photo(0))
    assert cache.read(0) is None
    cache.log_stop()
    [message] = log_messages(caplog)
    assert message.startswith(f"data.cache={tmp_path / 'file' / 'below'} cannot be written (not a directory)")


def test_write_full_disk_logs_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(tmp_path)
    cache.write(0, photo(0))

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        cache.write(1, photo(1))
    cache.write(2, photo(2))
    assert cache.read(0) is not None
    assert cache.read(2) is None
    for _ in range(2):
        cache.log_stop()
    [message] = log_messages(caplog)
    assert "no space left on device" in message
    monkeypatch.setattr(decoded_cache, "_RESERVED_BYTES", 1 << 60)
    other = open_cache(tmp_path, "other")
    other.write(0, photo(0))
    assert other.read(0) is None
    other.log_stop()
    assert any("no space left" in message for message in log_messages(caplog))


def test_cache_file_size_limit_logs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    resource = pytest.importorskip("resource", reason="this system has no resource limits")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        open_cache(tmp_path, count=100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    [message] = log_messages(caplog)
    assert "file too large" in message
    assert not [*tmp_path.glob("*.photos")]


def test_cache_shared_by_concurrent_runs_does_not_change_their_weights(
    tmp_path: Path, photo_folder: Path, tiny_run: Path, start_impasto: Start
) -> None:
    """The weights also equal those of a run without a cache."""
    line = [*TINY, f"data.root={photo_folder}", "data.workers=1", f"data.cache={tmp_path / 'cache'}"]
    runs = [start_impasto("train", *line, f"hydra.run.dir={tmp_path / name}") for name in ("one", "two")]
    errors = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    assert sum("caching decoded photos in" in error for error in errors) == 1
    expected = load_file(tiny_run / "step_00000006.safetensors")
    for name in ("one", "two"):
        weights = load_file(tmp_path / name / "step_00000006.safetensors")
        assert all(np.array_equal(weights[key], value) for key, value in expected.items())
