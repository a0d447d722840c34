"""Files of voters, as the page of impasto-vote saves them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MODELS = {"zoo/a": "a" * 64, "zoo/b": "b" * 64, "zoo/c": "c" * 64}


def vote(left: str, right: str, choice: str | None, photo: str = "cat.jpg") -> dict[str, Any]:
    return {"photo": photo, "left": f"zoo/{left}", "right": f"zoo/{right}", "choice": choice and f"zoo/{choice}"} | {
        "seconds": 2
    }


def ballot(votes: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The content of a file with these votes; `changes` replace values."""
    content = {"format": "impasto-votes-1", "study": "0123", "id": "ann", "voter": None, "models": MODELS}
    return content | {"votes": [*votes]} | changes


def write_ballot(path: Path, votes: Sequence[dict[str, Any]], **changes: Any) -> Path:
    """Write such a file."""
    path.write_text(json.dumps(ballot(votes, **changes)))
    return path
