"""Scores that win by luck: the best of a run, trained again with fresh seeds on held-out data.

The search score is noisy and its maximum is biased upwards. The final score of a run is the mean
over all re-trainings of its top k patterns: no choice is made on held-out data, so nothing can win
there by luck. Not charged: it measures the searcher, it does not help it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from nasarena.search.fidelity import comparable
from nasarena.search.incumbent import best_first
from nasarena.search.journal import Journal
from nasarena.search.proxy import Proxy, TrialSeed
from nasarena.search.seeding import stream_seed
from nasarena.search.trial import Outcome, Trial


def best_patterns(trials: Sequence[Trial], count: int) -> list[str]:
    """The `count` distinct patterns of highest search score, ties to the earlier trial.

    Only fully trained ones count, unless there is none: then those trained furthest.
    """
    ranked = best_first(comparable(trials))
    return list(dict.fromkeys(trial.pattern for trial in ranked))[:count]


def final_seed(run_seed: int, replicate: int) -> TrialSeed:
    """A seed of its own for each re-training, the same for every searcher of that run seed."""
    return TrialSeed(stream_seed(run_seed, "final", replicate))


# From the trials of a run and a number to so many patterns at most.
NameFinalists = Callable[[Sequence[Trial], int], list[str]]


@dataclass(frozen=True, slots=True)
class FinishedSearch:
    """A run whose search has ended; its best patterns are to be trained again.

    `num_finalists` patterns that `name` finds in its trials, `num_replicates` times each. They
    decide; the highest observed one and those that the searcher recommends are trained beside them,
    unless `trains_others` is false: where a benchmark knows what they are worth.
    """

    journal: Journal
    trials: list[Trial]
    seed: int
    num_finalists: int
    num_replicates: int
    name: NameFinalists = best_patterns
    trains_others: bool = True

    def choice(self) -> dict[str, list[str]]:
        """The patterns of the run, by who names them; `finalists` decide."""
        best = best_patterns(self.trials, min(1, self.num_finalists))
        finalists = self.name(self.trials, self.num_finalists)
        return {"finalists": finalists, "best": best, "recommended": self.journal.recommended}

    def pending_retrainings(self) -> list[tuple[str, int]]:
        """Pattern and replicate of each re-training; empty where all are on record.

        Raises ReplayDiverged where others are on record.
        """
        choice = self.choice()
        groups = choice.values() if self.trains_others else [choice["finalists"]]
        patterns = dict.fromkeys(pattern for named in groups for pattern in named)
        wanted = [(pattern, i) for pattern in patterns for i in range(self.num_replicates)]
        if self.journal.num_finals(wanted) == len(wanted):
            return []
        self.journal.record_choice(choice)
        return wanted

    def end(self, wanted: Sequence[tuple[str, int]], outcomes: Sequence[Outcome]) -> None:
        """Note the outcomes of `wanted`, what is on record already not twice, and end the run."""
        for (pattern, replicate), outcome in zip(wanted, outcomes, strict=True):
            self.journal.record_final(pattern, replicate, outcome)
        self.journal.record_run_end()


def retrain_best(runs: Sequence[FinishedSearch], proxy: Proxy) -> None:
    """Train the best patterns of all runs again, record each outcome and end the runs.

    They are one population, whatever run they come from. A run whose record was cut has all its
    own trained again, without those of runs that had ended: a score depends on what trains beside
    it in its last digits at most, and on most sizes and devices not even in those.
    """
    runs = [run for run in runs if not run.journal.is_finished]
    wanted = [run.pending_retrainings() for run in runs]
    patterns = [pattern for part in wanted for pattern, _ in part]
    seeds = [
        final_seed(run.seed, replicate)
        for run, part in zip(runs, wanted, strict=True)
        for _, replicate in part
    ]
    outcomes = iter(proxy.evaluate(patterns, seeds, split="held_out") if patterns else [])
    for run, part in zip(runs, wanted, strict=True):
        run.end(part, list(islice(outcomes, len(part))))
