"""Run directories: claiming one of our own, and undoing a start that failed before it left anything."""

from contextlib import suppress
from itertools import count
from pathlib import Path


class Start:
    """A folder as it was before Hydra touched it; `own` is the pattern of the files that Hydra writes there."""

    def __init__(self, folder: Path, own: str | None) -> None:
        self.folder = folder
        self.existed = folder.exists()
        self.created = [parent for parent in folder.parents if not parent.exists()]
        self.own = own
        self.files = {path: path.read_bytes() for path in self._own_files()}
        self.others = self._others()

    def undo(self) -> None:
        """Put the folder back as it was, unless something else was written there meanwhile."""
        if self._others() != self.others:
            return
        with suppress(OSError):  # the failure itself is what the user must hear of
            for path in self._own_files():
                if path in self.files:
                    path.write_bytes(self.files[path])
                else:
                    path.unlink()
            folders = [] if self.existed else [self.folder, *self.created]
            if self.own and self.own.endswith("/*") and not self.files:
                folders.insert(0, self.folder / self.own[:-2])
            for folder in folders:
                if folder.exists():
                    folder.rmdir()

    def _own_files(self) -> list[Path]:
        return [path for path in self.folder.glob(self.own) if path.is_file()] if self.own else []

    def _others(self) -> dict[str, int]:
        """When each other entry was last changed; nothing for a folder that Hydra leaves alone."""
        if not self.own or not self.folder.is_dir():
            return {}
        own = Path(self.own).parts[0]
        return {path.name: path.stat().st_mtime_ns for path in self.folder.iterdir() if path.name != own}


def claim(folder: Path, own: str) -> Start:
    """Create `folder`, or the first of `folder-2`, `folder-3`... that is free, for one run alone."""
    for number in count(1):
        start = Start(folder if number == 1 else folder.with_name(f"{folder.name}-{number}"), own)
        with suppress(FileExistsError):
            start.folder.mkdir(parents=True)
            break
    return start
