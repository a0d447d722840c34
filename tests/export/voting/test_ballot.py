"""The file of a voter: its schema, and what is no such file."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from impasto.configs.errors import UsageError
from impasto.export.voting.ballot import SCHEMA_FILE, read, read_all, votes_schema
from tests.helpers.ballots import MODELS, ballot, vote, write_ballot


def test_votes_schema_is_current_and_accepts_a_ballot() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    assert schema == votes_schema(), "run `python -m impasto.export.voting.ballot`"
    jsonschema.Draft202012Validator.check_schema(schema)
    content = ballot([vote("a", "b", None), vote("b", "c", "c")], voter="Ann")
    jsonschema.validate(content, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content | {"age": 30}, schema)


def test_read_returns_the_votes(tmp_path: Path) -> None:
    content = ballot([vote("a", "b", None), vote("b", "c", "c")], voter="Ann")
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(content))
    assert read(path).to_json() == content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: no such file or directory; name a votes.json"),
        ("{", "is not JSON; name a votes.json that the page of impasto-vote saved"),
        ([1], "has the format None, not impasto-votes-1"),
        (ballot([], format="impasto-votes-9"), "has the format impasto-votes-9, not impasto-votes-1"),
        (ballot([vote("a", "b", "a") | {"seconds": "2"}]), "changed after it was saved: .*invalid votes.0.seconds"),
        (ballot([vote("a", "b", "c")]), "votes.0.choice is neither of the two networks shown"),
        (ballot([vote("a", "b", "a"), vote("a", "a", None)]), "votes.1 is not between two of its networks"),
        (ballot([vote("a", "z", None)]), "votes.0 is not between two of its networks"),
    ],
)
def test_read_of_another_file_is_one_sentence(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "votes.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError, match=f"^votes={path} .*{words}"):
        read(path)


def test_read_all_of_one_voter_twice_or_two_networks_of_one_name_is_one_sentence(tmp_path: Path) -> None:
    votes = [vote("a", "b", "a")]
    first = write_ballot(tmp_path / "first.json", votes)
    later = write_ballot(tmp_path / "later.json", votes * 2)
    with pytest.raises(UsageError, match=f"votes={later} has the votes of the same voter as {first}; name only"):
        read_all([first, later])
    other = write_ballot(tmp_path / "other.json", votes, id="bob", models=MODELS | {"zoo/a": "d" * 64})
    with pytest.raises(UsageError, match=f"votes={other} means another network by zoo/a than {first} does"):
        read_all([first, other])
    assert [one.id for one in read_all([first, write_ballot(other, votes, id="bob")])] == ["ann", "bob"]
