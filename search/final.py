"""Scores that win by luck: the best of a run, trained again with fresh seeds on held-out data.

The search score is noisy and its maximum is biased upwards. The final score of a run is the mean
over all re-trainings of its top k patterns: no choice is made on held-out data, so nothing can win
there by luck. Not charged: it measures the searcher, it does not help it.
"""

from collections.abc import Sequence

from nasarena.search.fidelity import comparable
from nasarena.search.journal import Journal
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.seeding import stream_seed
from nasarena.search.trial import Trial


def best_patterns(trials: Sequence[Trial], top_k: int) -> list[str]:
    """The `top_k` distinct patterns of highest search score, ties to the earlier trial.

    Only fully trained ones count, unless there is none: then those trained furthest.
    """
    ranked = sorted(comparable(trials), key=lambda trial: (-(trial.score or 0.0), trial.index))
    return list(dict.fromkeys(trial.pattern for trial in ranked))[:top_k]


def final_seed(run_seed: int, replicate: int) -> TrialSeed:
    """A seed of its own for each re-training, the same for every searcher of that run seed."""
    return TrialSeed(stream_seed(run_seed, "final", replicate))


def retrain_best(
    trials: Sequence[Trial],
    proxy: Proxy,
    run_seed: int,
    top_k: int,
    num_replicates: int,
    journal: Journal,
) -> None:
    """Train the best patterns again and record each outcome.

    They are one population. Where its record was cut it is trained whole again, for in a smaller
    one the last digits could differ; what is on record is not recorded twice.
    """
    wanted = [
        (pattern, replicate)
        for pattern in best_patterns(trials, top_k)
        for replicate in range(num_replicates)
    ]
    num_recorded = 0
    while journal.replay("final") is not None:
        num_recorded += 1
    if num_recorded == len(wanted):
        return
    patterns = [pattern for pattern, _ in wanted]
    seeds = [final_seed(run_seed, replicate) for _, replicate in wanted]
    outcomes = proxy.evaluate(patterns, seeds, split="held_out")
    for (pattern, replicate), outcome in list(zip(wanted, outcomes, strict=True))[num_recorded:]:
        journal.final(pattern, replicate, outcome)
