"""The documentation: links, commands, line lengths, pictures, the drawing of the packages, and the site."""

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from impasto.configs.cli.vocabulary import Vocabulary
from impasto.configs.schema.commands import COMMANDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "models/zoo/README.md", *sorted(DOCS.rglob("*.md"))]
PROSE = [ROOT / "README.md", *(path for path in sorted(DOCS.rglob("*.md")) if path.name != "keys.md")]
LINK = re.compile(r"\]\(([^()\s]+)\)")
ADDED = ("loss.saturation_weight",)  # a key that docs/extend.md adds
PICTURES = ".jpg", ".png", ".svg"


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbers and texts of the lines outside code blocks."""
    code = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code:
            yield number, line


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs name them."""
    titles = (line.lstrip("#") for _, line in prose(page) if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """The relative links of a page: the text of the target, its path, its anchor."""
    for _, line in prose(page):
        for target in LINK.findall(line):
            if not re.match(r"[a-z]+:", target):
                path, _, anchor = target.partition("#")
                yield target, (page.parent / path).resolve() if path else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page: Path) -> None:
    found = [*links(page)]
    assert not [target for target, path, _ in found if not path.is_file()]
    assert not [target for target, path, anchor in found if anchor and anchor not in anchors(path)]


def test_pictures_are_shown() -> None:
    shown = {path for page in PAGES for _, path, _ in links(page)}
    assert {path for path in DOCS.rglob("*") if path.suffix in PICTURES} <= shown


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands of a page, in code blocks and in code spans: name, and keys that are set."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for block in re.findall(r"```\w+\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in (*lines, *(" ".join(span.split()) for span in spans)):
        for command, arguments in re.findall(r"\bimpasto-([a-z]+)(?![a-z-])([^#&|)]*)", line):
            yield command, re.findall(r"(?<=\s)'?([a-z][\w.]*)=", arguments)


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_name_keys_that_exist(page: Path) -> None:
    for command, keys in commands(page):
        assert command in COMMANDS
        known = {*Vocabulary(command).known, *ADDED}
        assert not [key for key in keys if key not in known and not key.startswith("hydra.")], command


def test_commands_of_the_documentation_are_found() -> None:
    assert sum(len(keys) for page in PROSE for _, keys in commands(page)) > 150


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_lines_have_at_most_100_columns(page: Path) -> None:
    lines = [(number, line) for number, line in prose(page) if not line.startswith(("|", "![")) and "](" not in line]
    assert not [number for number, line in lines if len(line) > 100]


def test_readme_is_short() -> None:
    assert 4000 <= len((ROOT / "README.md").read_bytes()) <= 5000


def test_drawing_of_the_packages_is_current() -> None:
    drawing = runpy.run_path(str(DOCS / "architecture.py"))["drawing"]()
    assert (DOCS / "architecture.svg").read_text(encoding="utf-8") == drawing, "run `python docs/architecture.py`"


@pytest.mark.slow
def test_site_builds_without_warnings_and_requests_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path).as_posix(): path.read_text("utf-8") for path in tmp_path.rglob("*.html")}
    requested = r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^\">\s]+"
    assert not {name: found for name, page in pages.items() if (found := re.findall(requested, page))}
    assert 'href="../contributing/#generated-files"' in pages["extend/index.html"]
    assert 'href="../glossary/#' in pages["zoo/index.html"] or 'href="../glossary/"' in pages["zoo/index.html"]
    assert 'id="impasto.models.losses.perceptual.PerceptualLoss"' in pages["reference/api/index.html"]
