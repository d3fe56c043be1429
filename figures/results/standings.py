"""Who leads, who is tied: searchers ordered by the re-trained final score, seed by seed.

The final score decides; the search score of the same patterns stands beside it, and the gap
between the two is the winner's curse (plus the change to held-out data). A comparison without
re-training is ordered by its best search score, which flatters, and says so.

Two families of tests, each corrected by itself: every pair, which gives the ranks, and every
searcher against a baseline, which was the question before the first run.
"""

from dataclasses import dataclass, field

import numpy as np

from nasarena.figures.results.anchors import Anchors, Scale
from nasarena.figures.results.noise import noise_floor
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Floats, Interval, interval
from nasarena.figures.stats.multiple import Comparison, compare_all, compare_to, rank_with_ties
from nasarena.figures.stats.power import seeds_for_differences
from nasarena.search.run_config import BASELINE, BASELINES
from nasarena.search.seeding import stream


@dataclass(frozen=True, slots=True)
class Standing:
    """One searcher's place. `score` decides the rank; `gap` is `search` less `score`, by seed.

    `normalized` is the regret between the frozen anchors: 0 best known, 1 random search.
    """

    searcher: str
    rank: int
    score: Interval
    search: Interval
    gap: Interval
    normalized: Interval


@dataclass(frozen=True, slots=True)
class Standings:
    """All places in order, and every pair of searchers compared; `is_final`: by re-training.

    `against[name]` compares everyone with a baseline. `noise` is the noise floor of one training
    and `rope` that of a run's score, which averages several; None and 0 where it is not known.
    """

    places: list[Standing]
    pairs: list[Comparison]
    is_final: bool
    num_seeds: int
    scores: dict[str, list[float]]
    against: dict[str, list[Comparison]] = field(default_factory=dict)
    noise: float | None = None
    rope: float = 0.0

    @property
    def score_name(self) -> str:
        """What the score that decides is called."""
        return "final score" if self.is_final else "search score"

    @property
    def leaders(self) -> list[Standing]:
        """Whoever shares the first rank, the best estimate first."""
        return [place for place in self.places if place.rank == 1]

    def pair(self, first: str, second: str) -> Comparison:
        """The comparison of two searchers, its difference taken as `first` less `second`."""
        return _find_comparison(self.pairs, first, second)

    def to_baseline(self, name: str, baseline: str = BASELINE) -> Comparison:
        """`name` less `baseline`, corrected over the comparisons with this baseline alone."""
        return _find_comparison(self.against[baseline], name, baseline)

    def seeds_to_separate(self, first: str, second: str) -> int | None:
        """Seeds that a gap like the observed one would need; None where none would do."""
        return seeds_for_differences(self.differences(first, second))

    def differences(self, first: str, second: str) -> Floats:
        """Paired differences of the deciding score, `(num_seeds,)`."""
        return np.subtract(self.scores[first], self.scores[second])


@dataclass(frozen=True, slots=True)
class Decision:
    """All that a verdict rests on: the scores that decide and every pair of searchers compared.

    `measure.calibration` judges simulated comparisons by it.
    """

    is_final: bool
    scores: dict[str, list[float]]
    noise: float | None
    rope: float
    pairs: list[Comparison]


def decide(tables: Tables, scale: Scale | None = None) -> Decision:
    """Compare every pair on the score that decides; arguments as of `standings`."""
    is_final = tables.is_retrained
    scores = tables.by_seed("final" if is_final else "best_search")
    noise = scale.noise if scale else noise_floor(tables, is_final)
    rope = (noise or 0.0) / float(np.sqrt(_num_trainings(tables) if is_final else 1))
    return Decision(is_final, scores, noise, rope, compare_all(scores, rope))


def standings(tables: Tables, scale: Scale | None = None) -> Standings:
    """The places of all searchers of a comparison; empty where no run could be compared.

    `scale` are the frozen anchors of the score that decides, its noise floor included; without
    them the noise is taken from the runs and nothing is normalized.
    """
    decision = decide(tables, scale)
    scores = decision.scores
    searched = tables.by_seed("search_of_finals" if decision.is_final else "best_search")
    ranks = rank_with_ties(list(scores), decision.pairs)
    places = [
        Standing(
            searcher=name,
            rank=ranks[name],
            score=(score := _interval(scores[name], name, "score")),
            search=_interval(searched[name], name, "search"),
            gap=_interval(np.subtract(searched[name], scores[name]), name, "gap"),
            normalized=_normalize(score, scale),
        )
        for name in scores
    ]
    places.sort(key=lambda place: (place.rank, -place.score.estimate, place.searcher))
    return Standings(
        places=places,
        pairs=decision.pairs,
        is_final=decision.is_final,
        num_seeds=len(tables.seeds),
        scores=scores,
        against={
            name: compare_to(scores, name, decision.rope) for name in BASELINES if name in scores
        },
        noise=decision.noise,
        rope=decision.rope,
    )


def deciding_scale(tables: Tables, anchors: Anchors | None) -> Scale | None:
    """The anchors of the score that decides."""
    if anchors is None:
        return None
    return anchors.final if tables.is_retrained else anchors.search


def _num_trainings(tables: Tables) -> int:
    """How many re-trainings the final score of a run averages, at least."""
    return int((tables.runs["num_finals"] - tables.runs["num_finals_failed"]).min())


def _find_comparison(comparisons: list[Comparison], first: str, second: str) -> Comparison:
    for pair in comparisons:
        if (pair.first, pair.second) == (first, second):
            return pair
        if (pair.first, pair.second) == (second, first):
            return pair.swap()
    raise KeyError((first, second))


def _normalize(score: Interval, scale: Scale | None) -> Interval:
    """The interval of the normalized score: a linear map that turns it round."""
    limits = [score.estimate, score.high, score.low]
    return Interval(*map(float, scale.normalize(limits))) if scale else Interval(*[np.nan] * 3)


def _interval(values: list[float] | Floats, searcher: str, what: str) -> Interval:
    """An interval from a stream of its own: no searcher's limits depend on who else is there."""
    return interval(values, stream(0, "bootstrap", searcher, what))
