"""Writes architecture.svg beside this file: packages and sub-packages, from the contracts in pyproject.toml."""

import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, GAP, CHIP, LETTER = 980, 40, 24, 7  # px; LETTER is the width of a letter of 12 px, monospaced
COLORS = {"train": "#d97706", "export": "#059669", "models": "#2563eb", "configs": "#6b7280", "impasto": "#7c3aed"}
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"
  font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">
<title>Packages of impasto, and which may import which</title>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 8 4 0 8Z" fill="#374151"/></marker></defs>
<rect width="{width}" height="{height}" fill="#ffffff"/>"""


def layers(package: str) -> list[list[str]]:
    """The sub-packages and modules of a package by layer; each layer may import those below it."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    for contract in tomllib.loads(text)["tool"]["importlinter"]["contracts"]:
        if contract.get("containers") == [package]:
            return [[room.strip(" ()") for room in layer.split("|")] for layer in contract["layers"]]
    raise KeyError(package)


def label(x: float, y: float, text: str, style: str = 'fill="#374151"') -> str:
    """A line of text."""
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'


def arrow(x: float, y: float, right: float, down: float, style: str = "") -> str:
    """An arrow; it points at what is imported."""
    return f'<path d="M{x:g} {y:g}l{right:g} {down:g}" stroke="#374151" {style} marker-end="url(#head)"/>'


def box(name: str, left: float, top: float, width: float, rooms: list[list[str]]) -> tuple[list[str], float]:
    """A package with a row for each layer; the elements, and the height."""
    parts, y = [], top + 30
    for layer in rooms:
        x, first = left + 12, y
        chips = []
        for room in layer:
            wide = len(room) * LETTER + 16
            if x + wide > left + width - 12:
                x, y = left + 12, y + CHIP + 4
            chips.append(f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{CHIP - 4}" rx="4" fill="#ffffff"/>')
            chips.append(label(x + 8, y + 14, room, 'fill="#111827"'))
            x += wide + 6
        band = f'x="{left + 6:g}" y="{first - 4:g}" width="{width - 12:g}" height="{y + CHIP + 4 - first:g}"'
        parts += [f'<rect {band} rx="4" fill="{COLORS[name]}" fill-opacity="0.15"/>', *chips]
        y += CHIP + 8
    frame = f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{y - top:g}" rx="8" fill="none"'
    title = label(left + 12, top + 18, name, f'fill="{COLORS[name]}" font-weight="bold"')
    return [f'{frame} stroke="{COLORS[name]}" stroke-width="2"/>', title, *parts], y - top


def drawing() -> str:
    """The drawing as SVG."""
    half = (WIDTH - 3 * GAP) / 2
    rows = {name: layers(f"impasto.{name}") for name in ("train", "export", "models", "configs")}
    api, high = box("impasto", GAP / 2, 10, WIDTH - GAP, [["the Python API"]])
    y = 10 + high + GAP
    right = WIDTH - GAP / 2 - half
    parts = [*api, arrow(half / 2, y - GAP, 0, GAP - 4), arrow(right + half / 2, y - GAP, 0, GAP - 4)]
    (train, first), (export, second) = (
        box(name, left, y, half, rows[name]) for name, left in (("train", GAP / 2), ("export", right))
    )
    between = right - GAP / 2 - half
    parts += [*train, *export, arrow(GAP / 2 + half, y + 60, between, 0, 'stroke-dasharray="4 3"')]
    parts += [label(GAP / 2 + half + 6, y + 52, "checkpoint"), label(GAP / 2 + half + 26, y + 78, "file")]
    below = y + max(first, second) + GAP
    parts += [
        arrow(x, y + high, 0, below - y - high - 4) for x, high in ((half / 2, first), (right + half / 2, second))
    ]
    for name in ("models", "configs"):
        elements, high = box(name, GAP / 2, below, WIDTH - GAP, rows[name])
        parts += elements
        below += high + GAP
        if name == "models":
            parts.append(arrow(WIDTH / 2, below - GAP, 0, GAP - 4))
    return "\n".join([HEAD.format(width=WIDTH, height=round(below - GAP + 10)), *parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(drawing(), encoding="utf-8")
