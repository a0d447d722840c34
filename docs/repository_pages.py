"""A hook of MkDocs: pages whose files are elsewhere in the repository, and links that work there and on the site."""

import os.path
import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"models/zoo/README.md": "zoo.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^()\s#:]+)(#[^()\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add PAGES."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Translate relative links between files of the repository to links between pages."""
    assert page.file.abs_src_path is not None
    return translate(markdown, PurePosixPath(os.path.relpath(page.file.abs_src_path, ROOT)), page.file.src_uri)


def translate(markdown: str, source: PurePosixPath, uri: str) -> str:
    """Translate the links of a file.

    Args:
        markdown: Its text.
        source: Its path in the repository.
        uri: Its path among the pages.

    Returns:
        The text. A link to a file that is not a page becomes its text.
    """

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match.groups(default="")
        path = normpath((source.parent / target).as_posix())
        page = PAGES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        return f"[{text}]({relpath(page, PurePosixPath(uri).parent)}{anchor})" if page else text

    return LINK.sub(link, markdown)
