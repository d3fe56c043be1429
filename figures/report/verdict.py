"""The verdict in words: who leads, who is tied, who beats random search, and how sure that is.

The first two sentences can stand alone, with warnings about searchers that are random search under
another name; reports fold the rest. Plain sentences from the standings, the same for report.md and
report.html. They never claim more than the test: searchers that do not differ significantly are
tied, and too few seeds are called that.
"""

import numpy as np

from nasarena.figures.report.benchmark import surrogate_in_words, winners_in_words
from nasarena.figures.report.difficulty import difficulty_in_words
from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.standings import Standings
from nasarena.figures.stats.multiple import Comparison, compare_to
from nasarena.figures.stats.paired import ALPHA, smallest_p
from nasarena.figures.stats.power import MAX_SEEDS_PLANNED, POWER, detectable_effect
from nasarena.search.run_config import BASELINE

_NUM_LEADING = 2
AS_WORDS = {
    BASELINE: "random search",
    "evolution": "regularized evolution",
    "local-search": "local search",
}


def verdict(analysis: Analysis) -> list[str]:
    """Sentences, the most important first."""
    tables, standing = analysis.tables, analysis.standings
    if not standing.places:
        return [
            f"No conclusion: none of the {len(tables.excluded)} runs finished with a score. "
            f"The list of excluded runs says why."
        ]
    sentences = [_leader(standing)]
    if len(standing.places) > 1:
        sentences += [_power(standing), *_random_in_disguise(analysis)]
        sentences += _against_baselines(standing)
        sentences += [*_exactly(analysis), *_equivalence(standing), *_planning(standing)]
    sentences += _benchmark(analysis)
    if not standing.is_final:
        sentences.append(
            "No pattern was trained again: these are search scores, and their maximum flatters."
        )
    return sentences


def num_leading(analysis: Analysis) -> int:
    """How many sentences of the verdict are always shown, warnings among them."""
    several = len(analysis.standings.places) > 1
    return _NUM_LEADING + (len(_random_in_disguise(analysis)) if several else 0)


def _leader(standing: Standings) -> str:
    first, *tied = standing.leaders
    kind = "final score" if standing.is_final else "search score"
    score = f"{kind} {first.score.estimate:.4f}"
    if standing.num_seeds > 1:
        score += f", 95 % interval {first.score.low:.4f} to {first.score.high:.4f}"
    if len(standing.places) == 1:
        return f"{first.searcher} is the only searcher to compare ({score}): there is no ranking."
    if not tied:
        return f"{first.searcher} leads ({score}); every other searcher was shown to be worse."
    others = join_names([place.searcher for place in tied])
    if len(tied) == len(standing.places) - 1 > 2:
        others = f"any of the {len(tied)} others"
    return (
        f"{first.searcher} has the highest estimate ({score}), but shares the first place: it was "
        f"not shown to be better than {others}."
    )


def _random_in_disguise(analysis: Analysis) -> list[str]:
    """Whose result is random search's under another name."""
    found = analysis.random_beginnings
    whole = [one.searcher for one in found if one.is_whole]
    sentences = []
    if whole:
        verb = "is" if len(whole) == 1 else "are"
        sentences.append(
            f"{join_names(whole)} {verb} random search here: every pattern tried is the one that "
            f"random search tried."
        )
    sentences += [
        f"{one.searcher} tried random search's own patterns in its first {one.num_common:g} of "
        f"{one.num_trials:g} trials: little of its result is its own."
        for one in found
        if not one.is_whole
    ]
    return sentences


def _benchmark(analysis: Analysis) -> list[str]:
    """Plainly: whose scores these are, how far they can be trusted, who was trained for real."""
    known = analysis.tables.benchmark
    if known is None or known.surrogate is None:
        return []
    hard = known.difficulty
    against = _exact_pairs(analysis) if analysis.standings.num_seeds > 1 else []
    return [
        *surrogate_in_words(known),
        *([difficulty_in_words(known.proxy, hard, against)] if hard else []),
        winners_in_words(analysis),
    ]


def _power(standing: Standings) -> str:
    if standing.num_seeds == 1:
        return "One seed shows no difference between searchers: nothing here is a conclusion."
    lowest = smallest_p(standing.num_seeds)
    corrected = min(1.0, lowest * len(standing.pairs))
    if lowest >= ALPHA:
        return (
            f"{standing.num_seeds} paired seeds cannot reach p < {ALPHA:.2g}, whatever the scores "
            f"are (the smallest possible p is {lowest:.3g}): no two searchers can differ "
            f"significantly."
        )
    if corrected >= ALPHA:
        return (
            f"With {standing.num_seeds} paired seeds none of the {len(standing.pairs)} pairs can "
            f"differ significantly after Holm's correction (the smallest possible p is "
            f"{corrected:.3g})."
        )
    found = sum(pair.is_significant for pair in standing.pairs)
    return (
        f"{found} of {len(standing.pairs)} pairs of searchers "
        f"{'differs' if found == 1 else 'differ'} significantly with "
        f"{standing.num_seeds} paired seeds (exact paired test, Holm-corrected p < {ALPHA:.2g})."
    )


def _planning(standing: Standings) -> list[str]:
    first, *tied = standing.leaders
    if standing.num_seeds < 2 or not tied:
        return []
    other = tied[0].searcher
    gap = standing.pair(first.searcher, other).difference
    needed = standing.seeds_to_separate(first.searcher, other)
    answer = (
        f"about {needed} seeds" if needed else f"more than {MAX_SEEDS_PLANNED:,} seeds, if ever"
    )
    sentence = (
        f"To separate {first.searcher} from {other} (mean paired difference {gap}) would take "
        f"{answer}, were the true gap the observed one and this the only question "
        f"(power {POWER:.1f})."
    )
    smallest = detectable_effect(standing.num_seeds)
    if smallest is None:
        return [sentence]
    spread = standing.differences(first.searcher, other).std(ddof=1)
    return [
        f"{sentence} {standing.num_seeds} seeds find a gap of {_deviations(smallest)} of the "
        f"paired differences, here {smallest * spread:.4f}, with that power."
    ]


def _deviations(number: float, form: str = ".2g") -> str:
    """`0.5 standard deviations`, `1 standard deviation`."""
    shown = format(number, form)
    return f"{shown} standard deviation{'' if shown.lstrip('+-') == '1' else 's'}"


def _against_baselines(standing: Standings) -> list[str]:
    """Each baseline's sentences; one for all where nobody differs from any of them."""
    baselines = list(standing.against)
    found = [pair for pairs in standing.against.values() for pair in pairs if pair.is_significant]
    if standing.num_seeds < 2 or not baselines:
        return []
    if found or len(standing.places) < 4:
        return [sentence for name in baselines for sentence in _against(standing, name)]
    words = " or from ".join(AS_WORDS[name] for name in baselines)
    return [f"No searcher is statistically distinguishable from {words}."]


def _against(standing: Standings, baseline: str) -> list[str]:
    names = [place.searcher for place in standing.places if place.searcher != baseline]
    pairs = [standing.to_baseline(name, baseline) for name in names]
    words = AS_WORDS[baseline]
    different = [_difference(pair) for pair in pairs if pair.is_significant]
    open_ = [pair.first for pair in pairs if not pair.is_significant]
    sentences = []
    if different:
        sentences.append(f"Statistically distinguishable from {words}: {join_names(different)}.")
    if open_ and different and len(open_) > 3:
        sentences.append(f"Not statistically distinguishable from {words}: all others.")
    elif open_:
        sentences.append(f"Not statistically distinguishable from {words}: {join_names(open_)}.")
    return sentences


def _exactly(analysis: Analysis) -> list[str]:
    """The same question put to the truth of a benchmark: there the noise of a training is gone,
    that of the search is not."""
    exact, pairs = analysis.exact, _exact_pairs(analysis)
    if exact is None or not pairs or analysis.standings.num_seeds < 2:
        return []
    words = AS_WORDS[BASELINE]
    different = [_difference(pair) for pair in pairs if pair.is_significant]
    found = f"no searcher differs significantly from {words}"
    if different:
        found = f"statistically distinguishable from {words}: {join_names(different)}"
    return [
        f"By the true score in {exact.known.proxy} of what each run handed in "
        f"(exact paired test, Holm-corrected), {found}."
    ]


def _exact_pairs(analysis: Analysis) -> list[Comparison]:
    """Everyone against random search by the exact regret of what decides; empty without both."""
    if analysis.exact is None:
        return []
    regrets = analysis.exact.deciding_regrets
    whole = {name: -np.array(own) for name, own in regrets.items() if np.isfinite(own).all()}
    return compare_to(whole, BASELINE) if BASELINE in whole else []


def _difference(pair: Comparison) -> str:
    worse = "" if pair.favours_first else "worse, "
    return (
        f"{pair.first} ({worse}{pair.difference.estimate:+.4f}, "
        f"{_deviations(pair.effect, '+.2g')}, p = {pair.p_holm:.2g})"
    )


def _equivalence(standing: Standings) -> list[str]:
    """What the noise floor says: pairs whose whole interval is nothing that would be noticed."""
    if not standing.rope or standing.num_seeds < 2:
        return []
    same = [pair for pair in standing.pairs if pair.is_equivalent]
    found = (
        f"{len(same)} of {len(standing.pairs)} pairs {'is' if len(same) == 1 else 'are'} "
        f"practically the same"
        if same
        else "no pair was shown to be practically the same"
    )
    return [
        f"Training the same pattern again moves one score by {standing.noise:.4f} (standard "
        f"deviation) and a run's score by {standing.rope:.4f}; within that, {found}."
    ]


def join_names(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
