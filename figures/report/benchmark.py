"""The report's part about the benchmark: what its scores are worth and what came of winners."""

from dataclasses import dataclass

import numpy as np

from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.benchmark import Benchmark, Kind, SurrogateQuality
from nasarena.figures.results.exact import ExactStanding
from nasarena.figures.results.retrained_winners import Winner

_MAX_WINNERS = 100
_REACHED = 0.02  # of tau: what a surrogate may miss of the noise ceiling, by our own bar


@dataclass(frozen=True, slots=True)
class BenchmarkPart:
    """What the section shows; `num_left_out` winners are in the run folders alone."""

    known: Benchmark
    words: list[str]
    kinds: tuple[Kind, ...]
    exact: list[ExactStanding]
    winners: list[Winner]
    num_left_out: int
    judge: str | None


def benchmark_part(analysis: Analysis) -> BenchmarkPart | None:
    """None where the proxy is trained, so that nothing is known exactly, or nothing was scored."""
    known = analysis.tables.benchmark
    if known is None or not analysis.standings.places:
        return None
    quality = known.surrogate
    return BenchmarkPart(
        known=known,
        words=[*surrogate_in_words(known), *([winners_in_words(analysis)] if quality else [])],
        kinds=tuple(sorted(quality.kinds, key=lambda kind: kind.error)) if quality else (),
        exact=analysis.exact_standings,
        winners=analysis.winners[:_MAX_WINNERS],
        num_left_out=max(0, len(analysis.winners) - _MAX_WINNERS),
        judge=analysis.tables.final_proxy,
    )


def surrogate_in_words(known: Benchmark) -> list[str]:
    """What search scores are worth; empty where no surrogate answers."""
    quality = known.surrogate
    if quality is None:
        return []
    trained = sum(count > 0 for count in (known.trainings or {}).values())
    low, high = quality.tau_interval
    reached = "reaches" if quality.tau >= quality.ceiling - _REACHED else "stays below"
    return [
        f"Search scores come from {known.proxy}, a benchmark: of the {len(known.scores):,} "
        f"patterns scored here {trained:,} had been trained, a surrogate ({quality.winner}, fitted "
        f"to {quality.num_trainings:,} real trainings of {quality.proxy}) answers for all others.",
        f"On {quality.is_uniform.sum()} uniform patterns that no surrogate was fitted to, its "
        f"Kendall tau against the mean of two trainings is {quality.tau:.3f} ({low:.3f} to "
        f"{high:.3f}), which {reached} what the noise of those trainings allows "
        f"({quality.ceiling:.3f}); within the best tenth {quality.tau_top_tenth:.3f} of "
        f"{quality.ceiling_top_tenth:.3f}.{_of_the_slice(quality)}{_own_error(quality)}",
    ]


def _of_the_slice(quality: SurrogateQuality) -> str:
    """The same of the test patterns of two letters, where there are some."""
    if np.isnan(quality.tau_slice):
        return ""
    low, high = quality.tau_slice_interval
    return (
        f" On {(~quality.is_uniform).sum()} patterns of {' and '.join(quality.slice)} alone it is "
        f"{quality.tau_slice:.3f} ({low:.3f} to {high:.3f}) of {quality.ceiling_slice:.3f}."
    )


def _own_error(quality: SurrogateQuality) -> str:
    """What differences of true scores are worth."""
    if np.isnan(quality.discrepancy):
        return ""
    low, high = quality.discrepancy_interval
    return (
        f" Its own error, noise apart, is {quality.discrepancy:.4f} ({low:.4f} to {high:.4f}): "
        f"smaller differences of true scores say nothing about {quality.proxy}."
    )


def winners_in_words(analysis: Analysis) -> str:
    """Which winners were trained for real, and whether they kept what they had promised."""
    known, found = analysis.tables.benchmark, analysis.winners
    assert known is not None
    before = sum(each.on_record > 0 for each in found)
    recorded = f"{before} of {len(found)} winners had been trained for {known.proxy} before"
    judge = analysis.tables.final_proxy
    if judge is None:
        return (
            f"No winner was trained for real afterwards: final scores are those of {known.proxy} "
            f"too. {recorded}."
        )
    real = [each for each in found if each.num_real]
    words = (
        f"{len(real)} of {len(found)} winners were trained for real afterwards, on {judge} with "
        f"fresh seeds and held-out data: these are the final scores. {recorded}."
    )
    if real:
        gaps = np.array([each.real - each.promised for each in real])
        words += (
            f" On average they scored {gaps.mean():+.4f} against their promise (standard deviation "
            f"{gaps.std():.4f}; search and held-out data differ)."
        )
    return words
