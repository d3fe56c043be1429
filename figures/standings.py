"""Who leads, who is tied: searchers ordered by the re-trained final score, seed by seed.

The final score decides; the search score of the same patterns stands beside it, and the gap
between the two is the winner's curse (plus the change to held-out data). A comparison without
re-training is ordered by its best search score, which flatters, and says so.
"""

from dataclasses import dataclass

import numpy as np

from nasarena.figures.frame import Frames
from nasarena.figures.significance import Comparison, compare_all, seeds_needed, shared_ranks
from nasarena.figures.stats import Interval, interval
from nasarena.search.seeding import stream

BASELINE = "random"


@dataclass(frozen=True, slots=True)
class Standing:
    """One searcher's place. `score` decides the rank; `gap` is `search` less `score`, by seed."""

    searcher: str
    rank: int
    score: Interval
    search: Interval
    gap: Interval


@dataclass(frozen=True, slots=True)
class Standings:
    """All places in order, and every pair of searchers compared; `is_final`: by re-training."""

    places: list[Standing]
    pairs: list[Comparison]
    is_final: bool
    num_seeds: int
    scores: dict[str, list[float]]

    @property
    def leaders(self) -> list[Standing]:
        """Whoever shares the first rank, the best estimate first."""
        return [place for place in self.places if place.rank == 1]

    def pair(self, first: str, second: str) -> Comparison:
        """The comparison of two searchers, its difference taken as `first` less `second`."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair
            if (pair.first, pair.second) == (second, first):
                turned = pair.difference
                flipped = Interval(-turned.estimate, -turned.high, -turned.low)
                return Comparison(
                    first, second, flipped, not pair.favours_first, pair.p, pair.p_holm
                )
        raise KeyError((first, second))

    def seeds_to_separate(self, first: str, second: str) -> int | None:
        """Seeds that a gap like the observed one would need; None where none would do."""
        differences = np.subtract(self.scores[first], self.scores[second])
        return seeds_needed(differences)


def standings(frames: Frames) -> Standings:
    """The places of all searchers of a comparison; empty where no run could be compared."""
    is_final = bool((frames.runs["num_finals"] > 0).all()) and len(frames.runs) > 0
    scores = frames.by_seed("final" if is_final else "best_search")
    searched = frames.by_seed("search_of_finals" if is_final else "best_search")
    pairs = compare_all(scores)
    ranks = shared_ranks(list(scores), pairs)
    places = [
        Standing(
            searcher=name,
            rank=ranks[name],
            score=_interval(scores[name], name, "score"),
            search=_interval(searched[name], name, "search"),
            gap=_interval(np.subtract(searched[name], scores[name]).tolist(), name, "gap"),
        )
        for name in scores
    ]
    places.sort(key=lambda place: (place.rank, -place.score.estimate, place.searcher))
    return Standings(places, pairs, is_final, len(frames.seeds), scores)


def _interval(values: list[float], searcher: str, what: str) -> Interval:
    """An interval from a stream of its own: no searcher's limits depend on who else is there."""
    return interval(values, stream(0, "bootstrap", searcher, what))
