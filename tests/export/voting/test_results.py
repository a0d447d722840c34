"""Counting votes: against figures of the literature and strengths that are known."""

from itertools import combinations

import pytest

from impasto.export.voting.ballot import Ballot
from impasto.export.voting.results import PairResult, count, rank
from tests.helpers.ballots import ballot, vote


def test_count_adds_up_voters_and_ignores_the_sides() -> None:
    ann = ballot([vote("a", "b", "a"), vote("b", "a", "a"), vote("b", "a", "b"), vote("a", "b", None)])
    bob = ballot([vote("c", "b", "c"), vote("b", "a", None)], id="bob")
    results = count([Ballot.from_json(ann), Ballot.from_json(bob)])
    assert results == [PairResult("zoo/a", "zoo/b", 2, 1, 2), PairResult("zoo/b", "zoo/c", 0, 1, 0)]
    assert count([Ballot.from_json(ballot([]))]) == []


@pytest.mark.parametrize(
    ("wins", "losses", "low", "high"),
    [(81, 182, 0.2553, 0.3662), (15, 133, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],  # Newcombe (1998), table I, method 3
)
def test_interval_is_wilson_s(wins: int, losses: int, low: float, high: float) -> None:
    result = PairResult("a", "b", wins, losses, ties=7)
    assert result.share == wins / (wins + losses)
    assert result.interval() == pytest.approx((low, high), abs=5e-5)


def test_share_without_a_preference_is_none() -> None:
    result = PairResult("a", "b", 0, 0, 5)
    assert result.share is None and result.interval() is None


def test_rank_recovers_the_strengths_of_many_votes() -> None:
    strengths = {"a": 1.0, "b": 8.0, "c": 2.0}
    results = []
    for one, other in combinations(strengths, 2):
        wins = round(1e6 * strengths[one] / (strengths[one] + strengths[other]))
        results.append(PairResult(one, other, wins, 10**6 - wins, 0))
    ranking = rank(results)
    assert [*ranking] == ["b", "c", "a"]
    expected = {"b": (8 / 9 + 8 / 10) / 2, "c": (2 / 3 + 2 / 10) / 2, "a": (1 / 9 + 1 / 3) / 2}
    assert ranking == pytest.approx(expected, abs=1e-4)


def test_rank_of_a_network_that_lost_every_vote_is_above_zero() -> None:
    ranking = rank([PairResult("a", "b", 0, 9, 0), PairResult("b", "c", 4, 4, 2)])
    assert [*ranking] == ["b", "c", "a"] and 0 < ranking["a"] < 0.2
    assert sum(ranking.values()) == pytest.approx(1.5)


def test_rank_of_two_networks_counts_a_tie_as_half_a_win_of_each() -> None:
    assert rank([PairResult("a", "b", 2, 1, 4)]) == pytest.approx({"a": 4.5 / 8, "b": 3.5 / 8})
