"""A comparison over several landscapes, each of which was compared by itself.

Scores of two landscapes have nothing in common, so what is compared is the normalized regret of the
patterns that decide: 0 is the optimum of the landscape, 1 the expected regret of the best of as
many uniform patterns as a run has trials. Both come from the landscape alone; nobody who joins
moves them. A block is a landscape and a seed, on which all searchers are paired.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from nasarena.figures.results.analysis import Analysis, analyze
from nasarena.figures.results.benchmark import Difficulty
from nasarena.figures.stats.intervals import Floats, Interval, interval
from nasarena.figures.stats.multiple import Comparison, compare_all, compare_to, rank_with_ties
from nasarena.search.errors import NasArenaError
from nasarena.search.run_config import BASELINE, BASELINES
from nasarena.search.seeding import stream
from nasarena.search.untrusted.bounded_read import read_bounded

MANIFEST = "suite.json"
VERSION = 1


@dataclass(frozen=True)
class Landscape:
    """One landscape of the suite: its comparison and how hard it is."""

    name: str
    analysis: Analysis = field(repr=False)
    difficulty: Difficulty

    @cached_property
    def regrets(self) -> dict[str, list[float]]:
        """Normalized regret of what decides, by searcher and in the order of the seeds."""
        exact = self.analysis.exact
        assert exact is not None
        unit = self.difficulty.random_regret
        return {
            name: [regret / unit for regret in runs]
            for name, runs in exact.deciding_regrets.items()
        }


@dataclass(frozen=True, slots=True)
class Place:
    """A searcher's place over all landscapes; `regret` is normalized, 0 the optimum."""

    searcher: str
    rank: int
    regret: Interval


@dataclass(frozen=True)
class SuiteResults:
    """What a suite's comparison found. `searchers` and `seeds` are those that every landscape has;
    `missing` names the others, with the reason."""

    name: str
    landscapes: Sequence[Landscape]
    searchers: Sequence[str]
    seeds: Sequence[int]
    missing: Mapping[str, str]

    @cached_property
    def regrets(self) -> dict[str, Floats]:
        """Normalized regrets by searcher, `(seeds, landscapes)`."""
        return {
            name: np.array([self._of_seeds(one, name) for one in self.landscapes]).T
            for name in self.searchers
        }

    def _of_seeds(self, landscape: Landscape, searcher: str) -> list[float]:
        known = dict(zip(landscape.analysis.tables.seeds, landscape.regrets[searcher], strict=True))
        return [known[seed] for seed in self.seeds]

    @property
    def num_blocks(self) -> int:
        """Landscapes times seeds."""
        return len(self.landscapes) * len(self.seeds)

    @cached_property
    def pairs(self) -> list[Comparison]:
        """Every pair of searchers over all blocks; a positive difference favours the first."""
        return compare_all(self._scores(range(len(self.landscapes))))

    @cached_property
    def against(self) -> dict[str, list[Comparison]]:
        """Everyone against each baseline, over all blocks."""
        scores = self._scores(range(len(self.landscapes)))
        return {name: compare_to(scores, name) for name in BASELINES if name in scores}

    @cached_property
    def against_random(self) -> list[dict[str, Comparison]]:
        """On each landscape alone, everyone against random search by name; empty without it."""
        if BASELINE not in self.searchers:
            return [{} for _ in self.landscapes]
        return [
            {pair.first: pair for pair in compare_to(self._scores([place]), BASELINE)}
            for place in range(len(self.landscapes))
        ]

    @cached_property
    def places(self) -> list[Place]:
        """All searchers, the lowest rank first, then the lowest regret."""
        ranks = rank_with_ties(list(self.searchers), self.pairs)
        places = [
            Place(name, ranks[name], _interval(self.regrets[name], name)) for name in self.searchers
        ]
        return sorted(places, key=lambda one: (one.rank, one.regret.estimate, one.searcher))

    def _scores(self, columns: Sequence[int]) -> dict[str, Floats]:
        """Minus the regrets, block by block: higher is better."""
        return {name: -self.regrets[name][:, columns].ravel() for name in self.searchers}


def read_suite(folder: Path, known: Sequence[Landscape] = ()) -> SuiteResults:
    """The results of the suite whose comparisons lie in `folder`; `known` need not be read again.

    Raises NasArenaError where it is no suite of this version, where a landscape has no comparison,
    or where no searcher finished on all of them.
    """
    by_name = {each.name: each for each in known}
    landscapes = [
        by_name.get(name) or landscape_of(name, analyze(folder / name))
        for name in read_manifest(folder).landscapes
    ]
    return combine(folder.resolve().name, landscapes)


def combine(name: str, landscapes: Sequence[Landscape]) -> SuiteResults:
    """The results of comparisons that were worked out."""
    everyone = dict.fromkeys(one for each in landscapes for one in each.analysis.tables.searchers)
    missing, searchers = {}, []
    for searcher in everyone:
        lacking = [
            each.name for each in landscapes if searcher not in each.analysis.tables.searchers
        ]
        if lacking:
            missing[searcher] = f"lacks finished runs of the others' seeds on {', '.join(lacking)}"
        else:
            searchers.append(searcher)
    common = set.intersection(*(set(each.analysis.tables.seeds) for each in landscapes))
    if not searchers or not common:
        raise NasArenaError(
            f"no searcher has finished the same seeds on all of the landscapes "
            f"{', '.join(each.name for each in landscapes)}; run the same command again"
        )
    return SuiteResults(name, landscapes, sorted(searchers), sorted(common), missing)


def is_suite(folder: Path) -> bool:
    """Whether the folder is that of a comparison over several landscapes."""
    return (folder / MANIFEST).is_file()


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which landscapes belong together, and the command that compared on them."""

    landscapes: tuple[str, ...]
    command: str


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a suite. Raises NasArenaError for another version."""
    file = folder / MANIFEST
    try:
        manifest = json.loads(read_bounded(file))
        names = [str(name) for name in manifest["landscapes"]]
        version, command = manifest["version"], str(manifest["command"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise NasArenaError(
            f"{file} cannot be read as a suite ({' '.join(str(error).split())})"
        ) from error
    if version != VERSION or not names or any("/" in name or name == ".." for name in names):
        raise NasArenaError(
            f"{file} must be a suite of version {VERSION} with names of landscapes, got version "
            f"{version!r}; use the nasarena that wrote it"
        )
    return Manifest(tuple(names), command)


def landscape_of(name: str, analysis: Analysis) -> Landscape:
    """A compared landscape. Raises NasArenaError where it is none whose difficulty is known."""
    known = analysis.tables.benchmark
    if known is None or known.difficulty is None:
        raise NasArenaError(
            f"{name} is no landscape of a suite: nothing says how hard it is; fit it with "
            f"python -m nasarena.experiments.patternbench.difficulty"
        )
    return Landscape(name, analysis, known.difficulty)


def _interval(regrets: Floats, searcher: str) -> Interval:
    """Interquartile mean over all blocks, seeds drawn anew within each landscape."""
    found = interval(regrets, stream(0, "bootstrap", searcher, "suite"))
    return Interval(found.estimate, float(np.maximum(found.low, 0.0)), found.high)
