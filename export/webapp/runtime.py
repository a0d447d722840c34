"""The runtimes that the page loads: built files of npm packages, which export/web/engine/runtime.json declares.

`make web` (`python -m impasto.export.webapp.runtime TOOLS`) copies them to export/web/runtime, from where the wheel and
the sdist take them. WebAssembly is compressed there, which saves 24 MB of each installation.
"""

import gzip
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from impasto.configs.errors import UsageError
from impasto.configs.terminal import show
from impasto.models.typed_json import TypedJson

WEB = Path(__file__).parents[1] / "web"
FOLDER = "runtime"
COMPRESSED = ".wasm"  # the suffix of the files that are compressed in an installation
_DECLARED = WEB / "engine" / "runtime.json"
_LICENSES = Path(__file__).parent / "licenses"

Source = Path | bytes
"""Where a file of the page comes from."""


@dataclass(frozen=True)
class Package(TypedJson):
    """An npm package of which the page loads files."""

    package: str
    title: str
    author: str
    source: str
    license: str
    license_file: str | None
    """The text of the license in the package; null where the package ships none, and impasto does."""
    files: dict[str, str]
    """The files by their names in the page's folder: their paths in the package, or beside it."""
    replace: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By the name of a file, the texts that are replaced in it."""
    notice: str | None = None
    """What is written at the start of a file in which texts are replaced."""

    @property
    def license_name(self) -> str:
        """The name of the license's text in the page's folder."""
        return f"LICENSE.{self.package.strip('@').replace('/', '-')}.txt"

    @property
    def names(self) -> list[str]:
        """The names of the files in the page's folder, the license last."""
        return [*self.files, self.license_name]

    def in_tools(self, tools: Path) -> dict[str, Source] | None:
        """Return its files in a folder that `make tools` filled, or None where one is missing."""
        folder = tools / "node_modules" / self.package
        paths = {name: folder / path for name, path in self.files.items()}
        text = folder / self.license_file if self.license_file else None
        if not all(path.is_file() for path in (*paths.values(), *([text] if text else []))):
            return None
        files = {name: self._changed(name, path) for name, path in paths.items()}
        return {**files, self.license_name: text or self._license()}

    def _changed(self, name: str, path: Path) -> Source:
        """A file, with the texts that are replaced in it."""
        if name not in self.replace:
            return path
        text = path.read_text(encoding="utf-8")
        for old, new in self.replace[name]:
            if old not in text:
                raise UsageError(
                    f"{path} does not contain {old}; install {self.package} in the version of impasto's tools"
                )
            text = text.replace(old, new)
        return f"// {self.notice}\n{text}".encode()

    def _license(self) -> bytes:
        text = (_LICENSES / f"{self.license}.txt").read_text(encoding="utf-8")
        return text.replace("AUTHOR", self.author).encode()


@cache
def packages() -> dict[str, Package]:
    """Return the declared packages by their names; the first one is required, the others are optional."""
    declared = json.loads(_DECLARED.read_text(encoding="utf-8"))
    return {name: Package.from_json(values) for name, values in declared.items()}


def required() -> Package:
    """Return the package without which the page cannot work."""
    return next(iter(packages().values()))


def runtime_files(tools: Path | None, installed: bool = True) -> dict[str, dict[str, Source]]:
    """Return the files of each package that is complete, by the package's name in app.json.

    Args:
        tools: The folder of tools that the user names, or None.
        installed: Whether files that came with impasto count, too: those of the wheel, else build/tools of a checkout.
    """
    result = {}
    for name, package in packages().items():
        files = package.in_tools(tools) if tools else None
        if files is None and installed:
            files = _installed(package)
        if files is not None:
            result[name] = files
    return result


def demand(tools: Path | None) -> dict[str, dict[str, Source]]:
    """Return `runtime_files`; raises UsageError where the required package is missing."""
    files = runtime_files(tools)
    if next(iter(packages())) not in files:
        package = required()
        raise UsageError(
            f"{package.title} is neither part of this installation nor in tools_dir={tools or 'null'}; run "
            f"`npm install --prefix DIR {package.package}` and name that folder with tools_dir=DIR, or, in a clone, "
            "run `make web`"
        )
    return files


def flat(files: Mapping[str, Mapping[str, Source]]) -> dict[str, Source]:
    """Return the files of all packages by their paths in the page's folder."""
    return {f"{FOLDER}/{name}": source for package in files.values() for name, source in package.items()}


def _installed(package: Package) -> dict[str, Source] | None:
    copied = {name: WEB / FOLDER / _stored(name) for name in package.names}
    if all(path.is_file() for path in copied.values()):
        return {
            name: gzip.decompress(path.read_bytes()) if name != path.name else path for name, path in copied.items()
        }
    checkout = WEB.resolve().parents[1]  # the repository, where this is not an installation
    return package.in_tools(checkout / "build" / "tools") if (checkout / "pyproject.toml").is_file() else None


def _stored(name: str) -> str:
    """The name of a file of the page in an installation."""
    return f"{name}.gz" if name.endswith(COMPRESSED) else name


def main(tools: Path) -> None:
    """Copy the files of the declared packages to export/web/runtime, and nothing else."""
    shutil.rmtree(WEB / FOLDER, ignore_errors=True)
    (WEB / FOLDER).mkdir()
    for name, package in packages().items():
        files = package.in_tools(tools)
        if files is None:
            sys.exit(f"make web: {tools} does not contain all files of {package.package}; delete it, run make tools")
        for file, source in files.items():
            content = source if isinstance(source, bytes) else source.read_bytes()
            stored = _stored(file)
            (WEB / FOLDER / stored).write_bytes(gzip.compress(content, mtime=0) if stored != file else content)
        show(f"{name}: {sum((WEB / FOLDER / _stored(file)).stat().st_size for file in files) / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
