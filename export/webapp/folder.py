"""The page as a static folder, for any web host."""

from collections.abc import Mapping
from pathlib import Path

from impasto.configs.atomic_folder import atomic_folder
from impasto.configs.errors import UsageError
from impasto.export.webapp import site
from impasto.export.webapp.runtime import Source
from impasto.models.provenance import sha256

CHECKSUMS = "SHA256SUMS"
HEADERS = "_headers"  # Netlify and Cloudflare Pages read it; other hosts serve or ignore it
_REMEDY = "name another folder, or delete this one"


def write(output: Path, files: Mapping[str, Source], headers: Mapping[str, str]) -> int:
    """Write a page to the folder `output`, which appears complete or stays as it was; return its bytes.

    Args:
        output: A folder that does not exist, is empty, or is an earlier page without any change.
        files: The files by their relative paths.
        headers: The headers that each file should be served with, where the host reads them from a file.

    Raises:
        UsageError: The folder contains something else, or cannot be written.
    """
    output = output.expanduser().resolve()
    check(output)
    lines = "".join(f"  {name}: {value}\n" for name, value in headers.items())
    files = {**files, HEADERS: f"/*\n{lines}".encode()}
    sums = "".join(f"{site.digest(source)}  {name}\n" for name, source in sorted(files.items()))
    with atomic_folder(output, check) as staging:
        site.write(staging, {**files, CHECKSUMS: sums.encode()})
        size = sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())
    return size


def check(output: Path) -> None:
    """Raise UsageError unless `output` does not exist, is empty, or is an earlier page without any change.

    It will be deleted, so neither edits nor foreign files may get lost.
    """
    if not output.exists():
        return
    if not output.is_dir():
        raise UsageError(f"output={output} is a file; name a folder")
    present = {path.relative_to(output).as_posix(): path for path in output.rglob("*") if not path.is_dir()}
    if not present:
        return
    listed = _listed(output)
    if listed is None:
        raise UsageError(f"output={output} is neither empty nor an earlier page of impasto-app; name another folder")
    if added := sorted({*present} - {*listed, CHECKSUMS}):
        raise UsageError(f"output={output} contains {added[0]}, which impasto-app did not write; move it away")
    for name, digest in listed.items():
        path = present.get(name)
        if path is None or path.is_symlink() or sha256(path) != digest:
            raise UsageError(f"output={output} was changed since impasto-app wrote it ({name}); {_REMEDY}")


def _listed(output: Path) -> dict[str, str] | None:
    """The SHA-256 of each file of an earlier page; None where the folder is not one."""
    try:
        lines = (output / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    return listed if {site.INDEX, site.STYLES, site.LIST} <= {*listed} else None
