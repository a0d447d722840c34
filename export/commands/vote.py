"""impasto-vote: write a page for blind votes between networks, and count the votes."""

import logging
from collections.abc import Sequence
from pathlib import Path

from impasto.configs.cli.app import run
from impasto.configs.errors import UsageError
from impasto.configs.schema.vote import VoteConfig
from impasto.configs.terminal import show
from impasto.export.inference.batch import count_photos
from impasto.export.validation import report
from impasto.export.voting import results, study
from impasto.export.voting.ballot import Ballot, read_all
from impasto.models.console import Table
from impasto.models.image.decode import quiet_pillow
from impasto.models.progress import stderr_console

logger = logging.getLogger(__name__)


def main() -> None:
    """The command."""
    run("vote", task)


def task(config: VoteConfig) -> None:
    """Count `config.votes`, or write the page. Photos that fail are left out and listed in the log at the end."""
    if config.votes:
        _count_votes(read_all(Path(path).expanduser() for path in config.votes))
    else:
        _write_page(config)


def _write_page(config: VoteConfig) -> None:
    assert config.photos is not None and config.output is not None  # VoteConfig requires them for a page
    quiet_pillow()
    output = Path(config.output).expanduser()
    jobs, problems = study.find_photos(Path(config.photos).expanduser(), output)
    models = study.find_models(config.models)
    written, failures = study.write_study(config, models, jobs, output, stderr_console())
    if problems := failures + problems:
        logger.warning("%s left out:", count_photos(len(problems)))
        for problem in problems:
            logger.warning("  %s", problem)
    pairs = study.count_pairs(written)
    show(f"{pairs} pair{'' if pairs == 1 else 's'} of pictures written; the page is {output / study.INDEX}")


def _count_votes(ballots: Sequence[Ballot]) -> None:
    counted = results.count(ballots)
    if not counted:
        raise UsageError("votes: the files contain no votes; name files that were saved after voting")
    console = report.console()
    votes = sum(len(ballot.votes) for ballot in ballots)
    console.print(_pairs_table(counted, f"{votes} votes of {len(ballots)} voter{'' if len(ballots) == 1 else 's'}"))
    ranking = results.rank(counted)
    if len(ranking) > 2:
        table = Table("rank", "network", "expected share", title="Bradley-Terry ranking", min_width=40)
        for place, (name, share) in enumerate(ranking.items(), 1):
            table.add_row(str(place), name, f"{share:.0%}")
        console.print(table)


def _pairs_table(counted: Sequence[results.PairResult], title: str) -> Table:
    columns = "A", "B", "A preferred", "B preferred", "no preference", "share of A", "95 % interval"
    table = Table(*columns, title=title)
    for column in table.columns[2:]:
        column.justify = "right"
    for pair in counted:
        limits = pair.interval()
        share = "" if pair.share is None else f"{pair.share:.0%}"
        interval = "" if limits is None else f"{limits[0]:.0%} to {limits[1]:.0%}"
        counts = map(str, (pair.wins, pair.losses, pair.ties))
        table.add_row(pair.first, pair.second, *counts, share, interval)
    return table
