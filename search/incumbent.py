"""The incumbent of a run: the best pattern so far by search score, chosen by one rule everywhere.

Only trainings that went well count, and in a run's record only full ones. A higher score takes
over; an equal one does not, so of two equal patterns the earlier stays.
"""

from collections.abc import Iterable

from nasarena.search.trial import Trial


def takes_over(trial: Trial, best: float | None) -> bool:
    """Whether a trial becomes the incumbent of a run whose incumbent scored `best` (None: none)."""
    if trial.status != "ok" or trial.is_partial or trial.score is None:
        return False
    return best is None or trial.score > best


def best_first(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that were scored by training, best first, of equal scores the earlier first."""
    scored = [trial for trial in trials if trial.status == "ok"]
    return sorted(scored, key=lambda trial: (-(trial.score or 0.0), trial.index))
