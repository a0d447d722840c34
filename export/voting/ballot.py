"""The votes of one person: the file that the page saves, and its JSON schema."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from impasto.configs.errors import CheckFailed, UsageError
from impasto.models.typed_json import TypedJson

FORMAT: Final = "impasto-votes-1"
SCHEMA = "votes.schema.json"
SCHEMA_FILE = Path(__file__).parents[1] / "schemas" / SCHEMA


@dataclass(frozen=True)
class Vote(TypedJson):
    """The choice between two networks on one photo."""

    photo: str
    """The path of the photo in the folder of photos."""
    left: str
    """The network whose picture was on the left, by its name in `models`."""
    right: str
    """The network whose picture was on the right."""
    choice: str | None
    """The preferred one of these two; null means no preference."""
    seconds: float
    """The time from the moment that both pictures were shown."""


@dataclass(frozen=True)
class Ballot(TypedJson):
    """The votes of one person."""

    format: Literal["impasto-votes-1"]
    study: str
    """Identifies the page: its networks, photos and pictures."""
    id: str
    """Random; the same in every file that one voter saves."""
    voter: str | None
    """The name that the voter entered; null without one."""
    models: dict[str, str]
    """The SHA-256 of the file of each network, by the network's name."""
    votes: list[Vote]
    """In the order in which they were cast."""

    def problem(self) -> str | None:
        """Return what is wrong with a vote, or None."""
        for number, vote in enumerate(self.votes):
            if vote.left == vote.right or not {vote.left, vote.right} <= {*self.models}:
                return f"votes.{number} is not between two of its networks"
            if vote.choice not in (vote.left, vote.right, None):
                return f"votes.{number}.choice is neither of the two networks shown"
        return None


def read(path: Path) -> Ballot:
    """Read a file that the page saved.

    Raises:
        UsageError: The file does not exist, or is not such a file.
    """
    remedy = "name a votes.json that the page of impasto-vote saved"
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"votes={path} cannot be read: {reason}; {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"votes={path} is not JSON; {remedy}") from error
    stated = values.get("format") if isinstance(values, dict) else None
    if stated != FORMAT:
        raise UsageError(f"votes={path} has the format {stated}, not {FORMAT}; {remedy}")
    try:
        ballot = Ballot.from_json(values)
        problem = ballot.problem()
    except CheckFailed as error:
        problem = str(error)
    if problem:
        raise UsageError(f"votes={path} was changed after it was saved: {problem}; save it again")
    return ballot


def read_all(paths: Iterable[Path]) -> list[Ballot]:
    """Read the files of several voters.

    Raises:
        UsageError: A file cannot be used, two are of one voter, or one name stands for two different networks.
    """
    ballots: dict[str, tuple[Path, Ballot]] = {}
    networks: dict[str, tuple[Path, str]] = {}
    for path in paths:
        ballot = read(path)
        other, _ = ballots.setdefault(ballot.id, (path, ballot))
        if other is not path:
            raise UsageError(f"votes={path} has the votes of the same voter as {other}; name only the later one")
        for name, digest in ballot.models.items():
            other, known = networks.setdefault(name, (path, digest))
            if known != digest:
                raise UsageError(
                    f"votes={path} means another network by {name} than {other} does; count the two separately"
                )
    return [ballot for _, ballot in ballots.values()]


def votes_schema() -> dict[str, Any]:
    """Return the JSON schema of votes.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Ballot.schema()}


def write_schema(path: Path) -> None:
    """Write the JSON schema of votes.json; `python -m impasto.export.voting.ballot` writes SCHEMA_FILE."""
    path.write_text(json.dumps(votes_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schema(SCHEMA_FILE)
