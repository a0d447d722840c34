"""Parse Swift: no Swift compiler, and no Core ML, runs outside Apple's systems here."""

from pathlib import Path

import tree_sitter
import tree_sitter_swift


def syntax_errors(path: Path) -> list[str]:
    """Return the line and kind of each syntax error of a file."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
    return _errors(parser.parse(path.read_bytes()).root_node)


def _errors(node: tree_sitter.Node) -> list[str]:
    here = [f"line {node.start_point.row + 1}: {node.type}"] if node.is_error or node.is_missing else []
    return here + [error for child in node.children for error in _errors(child)]
