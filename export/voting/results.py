"""Count votes: wins and ties of each pair of networks, and a ranking."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import NormalDist

import numpy as np

from impasto.export.voting.ballot import Ballot

_STEPS = 1000  # of the ranking; a handful of networks needs far fewer


@dataclass(frozen=True)
class PairResult:
    """The votes between two networks.

    Attributes:
        first: The name of one network.
        second: The name of the other one.
        wins: The votes for the first.
        losses: The votes for the second.
        ties: The votes without a preference.
    """

    first: str
    second: str
    wins: int
    losses: int
    ties: int

    @property
    def share(self) -> float | None:
        """The share of the first network among the votes with a preference, 0..1; None without such a vote."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Return the Wilson score interval of `share`, which takes the votes as independent."""
        if self.share is None:
            return None
        z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
        n, p = self.wins + self.losses, self.share
        center = (p + z2 / (2 * n)) / (1 + z2 / n)  # Wilson (1927)
        half_width = sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2))) / (1 + z2 / n)
        return max(0.0, center - half_width), min(1.0, center + half_width)


def count(ballots: Sequence[Ballot]) -> list[PairResult]:
    """Return the result of each pair of networks that somebody voted on, in the order of the networks' names."""
    votes: Counter[tuple[str, str, str | None]] = Counter()
    for vote in (vote for ballot in ballots for vote in ballot.votes):
        votes[min(vote.left, vote.right), max(vote.left, vote.right), vote.choice] += 1
    results = [
        PairResult(one, other, votes[one, other, one], votes[one, other, other], votes[one, other, None])
        for one, other in combinations(sorted({name for ballot in ballots for name in ballot.models}), 2)
    ]
    return [result for result in results if result.wins + result.losses + result.ties]


def rank(results: Sequence[PairResult]) -> dict[str, float]:
    """Return for each network the share of votes, 0..1, that it is expected to win against the others, best first.

    The strengths p of the Bradley-Terry model, P(i beats j) = p_i / (p_i + p_j), are found by the iteration of Hunter
    (2004), equation 3. A tie counts as half a win for each. Each pair has one tie in addition, so that a network that
    lost every vote has a strength above 0.
    """
    names = sorted({name for result in results for name in (result.first, result.second)})
    wins = np.full((len(names), len(names)), 0.5)
    np.fill_diagonal(wins, 0)
    for result in results:
        first, second = names.index(result.first), names.index(result.second)
        wins[first, second] += result.wins + result.ties / 2
        wins[second, first] += result.losses + result.ties / 2
    games, strengths = wins + wins.T, np.ones(len(names))
    for _ in range(_STEPS):
        strengths = wins.sum(1) / (games / (strengths[:, None] + strengths)).sum(1)
        strengths /= strengths.sum()
    chances = strengths[:, None] / (strengths[:, None] + strengths)
    shares = (chances.sum(1) - 0.5) / (len(names) - 1)
    return {names[place]: float(shares[place]) for place in np.argsort(-shares, kind="stable")}
