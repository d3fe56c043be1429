"""The report's part about the benchmark: what its scores are worth and what came of winners."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasarena.figures.plots.exact_regret import final_values, true_ranks, true_regrets
from nasarena.figures.results.benchmark import Benchmark, Kind
from nasarena.figures.results.retrained_winners import Winner, final_proxy_name, in_words, winners
from nasarena.figures.results.standings import Standings
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import Interval, interval
from nasarena.search.seeding import stream

_MAX_WINNERS = 100


@dataclass(frozen=True, slots=True)
class Exact:
    """How good a searcher's best patterns really are; `rank` and `percentile` are medians."""

    searcher: str
    regret: Interval
    rank: float
    percentile: float
    num_optima: int


@dataclass(frozen=True, slots=True)
class BenchmarkPart:
    """What the section shows; `num_left_out` winners are in the run folders alone."""

    known: Benchmark
    words: list[str]
    kinds: tuple[Kind, ...]
    exact: list[Exact]
    winners: list[Winner]
    num_left_out: int
    judge: str | None


def benchmark_part(frames: Tables, standing: Standings) -> BenchmarkPart | None:
    """None where the proxy is trained, so that nothing is known exactly, or nothing was scored."""
    known = frames.benchmark
    if known is None or not standing.places:
        return None
    found = winners(frames, known)
    quality = known.surrogate
    return BenchmarkPart(
        known=known,
        words=[*surrogate_in_words(known), *([in_words(frames, known, found)] if quality else [])],
        kinds=tuple(sorted(quality.kinds, key=lambda kind: kind.error)) if quality else (),
        exact=exact(frames, known, [place.searcher for place in standing.places]),
        winners=found[:_MAX_WINNERS],
        num_left_out=max(0, len(found) - _MAX_WINNERS),
        judge=final_proxy_name(frames),
    )


def exact(frames: Tables, known: Benchmark, searchers: Sequence[str]) -> list[Exact]:
    """The best pattern of each run, judged by its true score; one row a searcher."""
    regrets = final_values(true_regrets(frames, known))
    ranks = final_values(true_ranks(frames, known)) if known.ranks else {}
    rows = []
    for name in searchers:
        rank = float(np.median(ranks[name])) if name in ranks else float("nan")
        limits = interval(regrets[name], stream(0, "bootstrap", name, "exact"))
        optima = sum(regret == 0 for regret in regrets[name])
        rows.append(Exact(name, limits, rank, known.percentile(rank), optima))
    return rows


def surrogate_in_words(known: Benchmark) -> list[str]:
    """What search scores are worth; empty where no surrogate answers."""
    quality = known.surrogate
    if quality is None:
        return []
    trained = sum(count > 0 for count in (known.trainings or {}).values())
    low, high = quality.tau_interval
    reached = "reaches" if high >= quality.ceiling_interval[0] else "stays below"
    return [
        f"Search scores come from {known.proxy}, a benchmark: of the {len(known.scores):,} "
        f"patterns scored here {trained:,} had been trained, a surrogate ({quality.winner}, fitted "
        f"to {quality.num_trainings:,} real trainings of {quality.proxy}) answers for all others.",
        f"On {len(quality.patterns)} patterns that nothing was fitted to its Kendall tau against "
        f"the mean of two trainings is {quality.tau:.3f} ({low:.3f} to {high:.3f}), which "
        f"{reached} what the noise of those trainings allows ({quality.ceiling:.3f}); within the "
        f"best tenth {quality.tau_top_tenth:.3f} of {quality.ceiling_top_tenth:.3f}.",
    ]
