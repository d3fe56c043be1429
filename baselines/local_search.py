"""Local search with restarts: first improvement over single-letter changes.

The neighbours of the best known pattern are tried in random order, and the search moves to the
first better one. If none is better, it restarts from a random untried pattern. White, Nolen &
Savani 2021 ("Exploring the loss landscape in neural architecture search") found it a strong NAS
baseline.
"""

from collections.abc import Generator, Sequence

import numpy as np

from nasarena.baselines.untried import Untried
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

Steps = Generator[str | Proposal, Trial, None]


@searcher("local-search")
def local_search(space: PatternSpace, rng: np.random.Generator, history: Sequence[Trial]) -> Steps:
    """First improvement over single-letter changes, with random restarts.

    Begins at the best of the initial design. A failed pattern is never moved to.
    """
    untried = Untried(space)
    start = max(_trials_with_score(history), key=_score, default=None)
    while True:
        while start is None or start.score is None:
            untried.discard(trial.pattern for trial in history)
            pattern = untried.draw(rng)
            if pattern is None:
                return
            start = yield pattern
        current: Trial | None = start
        while current is not None:
            current = yield from _first_improvement(space, rng, current, history)
        start = None


def _first_improvement(
    space: PatternSpace, rng: np.random.Generator, current: Trial, history: Sequence[Trial]
) -> Generator[str | Proposal, Trial, Trial | None]:
    """A neighbour better than `current`: one already scored, else the first found; None if none."""
    known = {trial.pattern: trial for trial in history}
    neighbours = list(space.neighbours(current.pattern))
    scored = _trials_with_score([known[pattern] for pattern in neighbours if pattern in known])
    best = max(scored, key=_score, default=current)
    if _score(best) > _score(current):
        return best
    untried = [pattern for pattern in neighbours if pattern not in known]
    for index in rng.permutation(len(untried)):
        trial = yield Proposal(untried[index], parents=(current.index,))
        if trial.score is not None and trial.score > _score(current):
            return trial
    return None


def _score(trial: Trial) -> float:
    assert trial.score is not None
    return trial.score


def _trials_with_score(history: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in history if trial.score is not None]
