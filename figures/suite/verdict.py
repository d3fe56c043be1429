"""The verdict over several landscapes in words, and how hard each of them is.

Sentences are those of one comparison (`report/verdict.py`) put to normalized regret. They never
claim more than the test.
"""

import numpy as np

from nasarena.figures.report.difficulty import difficulty_in_words
from nasarena.figures.report.verdict import AS_WORDS, join_names
from nasarena.figures.stats.multiple import Comparison
from nasarena.figures.stats.paired import ALPHA, smallest_p
from nasarena.figures.suite.results import SuiteResults
from nasarena.search.run_config import BASELINE

NUM_LEADING = 3


def verdict(results: SuiteResults) -> list[str]:
    """Sentences, the most important first."""
    sentences = [_leader(results)]
    if len(results.places) > 1:
        sentences.append(_pairs(results))
        sentences += [_against(results, baseline) for baseline in results.against]
        sentences += _wins_and_losses(results)
    sentences += [
        difficulty_in_words(each.name, each.difficulty, list(against.values()))
        for each, against in zip(results.landscapes, results.against_random, strict=True)
    ]
    sentences += [f"{name} is left out: it {why}." for name, why in results.missing.items()]
    return sentences


def _leader(results: SuiteResults) -> str:
    first, *others = results.places
    found = f"normalized exact regret {first.regret.estimate:.3f}"
    if not np.isnan(first.regret.low):
        found += f", 95 % interval {first.regret.low:.3f} to {first.regret.high:.3f}"
    if not others:
        return f"{first.searcher} is the only searcher to compare ({found}): there is no ranking."
    tied = [place.searcher for place in others if place.rank == 1]
    if not tied:
        return f"{first.searcher} leads ({found}); every other searcher was shown to be worse."
    return (
        f"{first.searcher} has the lowest regret ({found}), but shares the first place: it was not "
        f"shown to be better than {join_names(tied)}."
    )


def _pairs(results: SuiteResults) -> str:
    found = sum(pair.is_significant for pair in results.pairs)
    return (
        f"{found} of {len(results.pairs)} pairs of searchers "
        f"{'differs' if found == 1 else 'differ'} significantly over {results.num_blocks} paired "
        f"blocks (exact paired test on the exact regret of the finalists, Holm-corrected "
        f"p < {ALPHA:.2g})."
    )


def _against(results: SuiteResults, baseline: str) -> str:
    pairs = sorted(results.against[baseline], key=lambda pair: -pair.difference.estimate)
    words = AS_WORDS[baseline]
    different = [_difference(pair) for pair in pairs if pair.is_significant]
    open_ = [pair.first for pair in pairs if not pair.is_significant]
    if not different:
        return f"No searcher is statistically distinguishable from {words}."
    rest = f"; not: {join_names(open_)}" if open_ else ""
    return (
        f"{len(different)} of {len(pairs)} searchers are statistically distinguishable from "
        f"{words}: {join_names(different)}{rest}."
    )


def _difference(pair: Comparison) -> str:
    kind = "better" if pair.favours_first else "worse"
    return (
        f"{pair.first} ({kind} by {abs(pair.difference.estimate):.3f}, effect "
        f"{abs(pair.effect):.2g}, p = {pair.p_holm:.2g})"
    )


def _wins_and_losses(results: SuiteResults) -> list[str]:
    """On which landscapes a searcher does significantly better or worse than random search."""
    if BASELINE not in results.searchers:
        return []
    num_seeds = len(results.seeds)
    lowest = smallest_p(num_seeds) * (len(results.searchers) - 1)  # after Holm's correction
    if lowest >= ALPHA:
        seeds = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
        return [
            f"On one landscape alone {seeds} cannot show a difference, whatever the regrets are "
            f"(the smallest possible p against random search is {min(1, lowest):.2g})."
        ]
    found = []
    for landscape, against in zip(results.landscapes, results.against_random, strict=True):
        better: list[str] = []
        worse: list[str] = []
        for pair in against.values():
            if pair.is_significant:
                (better if pair.favours_first else worse).append(pair.first)
        words = f"better than random search: {join_names(better)}" if better else "nobody is better"
        if worse:
            words += f"; worse: {join_names(worse)}"
        found.append(f"On {landscape.name} alone ({num_seeds} seeds), {words}.")
    return found
