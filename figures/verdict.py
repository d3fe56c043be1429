"""The verdict in words: who leads, who is tied, who beats random search, and how sure that is.

Plain sentences from the standings, the same for report.md and report.html. They never claim more
than the test: searchers that were not told apart are tied, and too few seeds are called that.
"""

from nasarena.figures.frame import Frames
from nasarena.figures.significance import ALPHA, MAX_SEEDS_PLANNED, smallest_p
from nasarena.figures.standings import BASELINE, Standings


def verdict(frames: Frames, standing: Standings) -> list[str]:
    """Sentences, the most important first."""
    if not standing.places:
        return [
            f"No conclusion: none of the {len(frames.apart)} runs finished with a score. "
            f"The list of runs set apart says why."
        ]
    sentences = [_leader(standing)]
    if len(standing.places) > 1:
        sentences += [_power(standing), *_planning(standing), *_against_random(standing)]
    if not standing.is_final:
        sentences.append(
            "No pattern was trained again: these are search scores, and their maximum flatters."
        )
    return sentences


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
    names = listed([place.searcher for place in tied])
    return (
        f"{first.searcher} has the highest estimate ({score}), but shares the first place: it was "
        f"not shown to be better than {names}."
    )


def _power(standing: Standings) -> str:
    if standing.num_seeds == 1:
        return "One seed shows no difference between searchers: nothing here is a conclusion."
    lowest = smallest_p(standing.num_seeds)
    corrected = min(1.0, lowest * len(standing.pairs))
    if lowest >= ALPHA:
        return (
            f"{standing.num_seeds} paired seeds cannot reach p < {ALPHA}, whatever the scores are "
            f"(the smallest possible p is {lowest:.3g}): no two searchers can be told apart."
        )
    if corrected >= ALPHA:
        return (
            f"{standing.num_seeds} paired seeds cannot tell any of the {len(standing.pairs)} pairs "
            f"apart after Holm's correction (the smallest possible p is {corrected:.3g})."
        )
    told_apart = sum(pair.is_told_apart for pair in standing.pairs)
    return (
        f"{told_apart} of {len(standing.pairs)} pairs of searchers were told apart with "
        f"{standing.num_seeds} paired seeds (exact paired test, Holm-corrected p < {ALPHA})."
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
    return [
        f"To separate {first.searcher} from {other} (paired difference {gap.estimate:.4f}, "
        f"{gap.low:.4f} to {gap.high:.4f}) would take {answer}, were the true gap the observed one "
        f"and this the only question (power 0.8)."
    ]


def _against_random(standing: Standings) -> list[str]:
    names = [place.searcher for place in standing.places]
    if BASELINE not in names or standing.num_seeds < 2:
        return []
    apart, tied = [], []
    for name in names:
        if name == BASELINE:
            continue
        pair = standing.pair(name, BASELINE)
        if pair.is_told_apart:
            worse = "" if pair.favours_first else "worse, "
            gap = pair.difference.estimate
            apart.append(f"{name} ({worse}{gap:+.4f}, p = {pair.p_holm:.2g})")
        else:
            tied.append(name)
    sentences = [f"Told apart from random search: {listed(apart)}."] if apart else []
    if tied:
        sentences.append(f"Not told apart from random search: {listed(tied)}.")
    return sentences


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
