"""A comparison worked out: what every figure, table and sentence of a report is made from.

Runs are read once, and nothing is worked out twice: what is dear or not always wanted is worked out
when it is first asked for, and kept. A figure is `draw(analysis)`, a part of the report takes the
analysis, and none of them reads a run folder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nasarena.figures.results.anchors import FILE_NAME, Anchors, Scale, load_anchors
from nasarena.figures.results.exact import ExactStanding, ExactValues, judge_incumbents
from nasarena.figures.results.known_improvement import KnownImprovement, read_known
from nasarena.figures.results.paired_controls import (
    PairedControl,
    agents_against_seeded,
    letter_controls,
    seeded_controls,
)
from nasarena.figures.results.proposals import RandomBeginning, random_beginnings
from nasarena.figures.results.retrained_winners import Winner, winners
from nasarena.figures.results.run_selection import Run, select_runs
from nasarena.figures.results.running_times import areas, running_times
from nasarena.figures.results.standings import Standings, deciding_scale, standings
from nasarena.figures.results.tables import Tables, make_tables
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.multiple import Comparison
from nasarena.figures.stats.runtime import RunningTime
from nasarena.search.run_folder import RunRecord, read_runs


@dataclass(frozen=True)
class Analysis:
    """`tables` and `anchors` (None where no run can be compared) of `runs`, and what follows.

    `runs` is every run that was read, excluded ones too; `known` what a task has been improved by.
    """

    tables: Tables
    anchors: Anchors | None
    runs: Sequence[Run] = field(default=(), repr=False)
    known: KnownImprovement | None = None

    @cached_property
    def scale(self) -> Scale | None:
        """The anchors of the score that decides."""
        return deciding_scale(self.tables, self.anchors)

    @cached_property
    def standings(self) -> Standings:
        """Who leads, who is tied."""
        return standings(self.tables, self.scale)

    @cached_property
    def exact(self) -> ExactValues | None:
        """Incumbents judged by the truth; None where the proxy is trained and nothing is exact."""
        known = self.tables.benchmark
        return None if known is None else judge_incumbents(self.tables, known)

    @cached_property
    def exact_standings(self) -> list[ExactStanding]:
        """How good the best patterns really are, in order of the places; empty without a truth."""
        if self.exact is None:
            return []
        return [self.exact.standing(place.searcher) for place in self.standings.places]

    @cached_property
    def known_shares(self) -> dict[str, Interval]:
        """Share of the known improvement by searcher, in order of the places; empty without one.

        Of final scores alone: the known improvement is one on held-out data.
        """
        standing = self.standings
        if self.known is None or not standing.is_final:
            return {}
        seeds = self.tables.seeds
        return {
            place.searcher: self.known.share(seeds, standing.scores[place.searcher])
            for place in standing.places
        }

    @cached_property
    def random_beginnings(self) -> list[RandomBeginning]:
        """Searchers that were random search for most of their trials."""
        return random_beginnings(self.tables)

    @cached_property
    def winners(self) -> list[Winner]:
        """The patterns that the runs handed in, as a benchmark knows them; empty without one."""
        known = self.tables.benchmark
        return [] if known is None else winners(self.tables, known)

    @cached_property
    def letter_controls(self) -> list[PairedControl]:
        """Searchers beside themselves behind permuted letters, in order of the places."""
        return letter_controls(self.tables, self.standings)

    @cached_property
    def seeded_controls(self) -> list[PairedControl]:
        """Searchers beside themselves with the hand-made patterns told, in order of the places."""
        return seeded_controls(self.tables, self.standings)

    @cached_property
    def agents_against_seeded(self) -> list[Comparison]:
        """Agents as they are, beside others that were told the hand-made patterns."""
        return agents_against_seeded(self.tables, self.standings)

    @cached_property
    def running_times(self) -> Mapping[str, RunningTime]:
        """Expected budget until random search's score, by searcher; empty without random search."""
        return running_times(self.tables, self.anchors)

    @cached_property
    def areas(self) -> Mapping[str, list[float]]:
        """Mean normalized regret over the budget, by searcher and seed; empty as those above."""
        return areas(self.tables, self.anchors)


def analyze(folder: Path, records: Sequence[RunRecord] | None = None) -> Analysis:
    """The analysis of the comparison in `folder`; nothing is written.

    `records` are all its runs where they were read before. Anchors are those frozen in the folder,
    else those that would be frozen now. Raises NasArenaError where the runs cannot be compared.
    """
    unreadable: Mapping[Path, str] = {}
    if records is None:
        records, unreadable = read_runs(folder)
    selection = select_runs(records, folder, unreadable)
    tables = make_tables(selection, folder)
    anchors = load_anchors(tables, folder / FILE_NAME)
    known = read_known(folder, (tables.condition.get("proxy") or {}).get("version"))
    return Analysis(tables, anchors, selection.everything, known)
