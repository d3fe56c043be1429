"""Thompson sampling with a linear model of letters, their neighbours and their places.

Each turn draws one set of weights from the posterior of all scores so far (Thompson 1933; linear
models: Agrawal and Goyal 2013) and tries the best of all patterns under them, which dynamic
programming finds exactly. Exploration is the posterior's own uncertainty; nothing is tuned.
It cannot see what no window of neighbours shows, such as two letters far apart that must agree.
"""

from collections.abc import Generator, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from nasarena.baselines.options import NUM_STARTUP, NumStartup
from nasarena.baselines.untried import Untried
from nasarena.search.models.linear_model import Posterior, fit
from nasarena.search.models.pattern_features import Block, Features
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

_BLOCKS: tuple[Block, ...] = ("counts", "bigrams", "smooth", "positions")
_REDRAWS = 8  # of weights whose best pattern was tried before


@searcher("ngram-thompson")
def ngram_thompson(
    space: PatternSpace,
    rng: np.random.Generator,
    history: Sequence[Trial],
    num_startup: NumStartup = NUM_STARTUP,
    trigrams: Annotated[bool, Field(description="also model triples of neighbours")] = False,
) -> Generator[str, Trial, None]:
    """Thompson sampling over the whole space; failed trials teach it nothing."""
    features = Features(space, (*_BLOCKS, "trigrams") if trigrams else _BLOCKS)
    untried = Untried(space)
    rows: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    scores: list[float] = []
    posterior: Posterior | None = None
    num_read = 0
    while True:
        for trial in history[num_read:]:
            untried.discard([trial.pattern])
            if trial.score is not None:
                rows.append(features([trial.pattern])[0])
                scores.append(trial.score)
        num_read = len(history)
        if len(scores) < max(2, num_startup):
            pattern = untried.draw(rng)
        else:
            posterior = fit(features, np.stack(rows), np.array(scores), posterior)
            pattern = _choose(features, posterior, untried, rng)
        if pattern is None:
            return
        yield pattern


def _choose(
    features: Features, posterior: Posterior, untried: Untried, rng: np.random.Generator
) -> str | None:
    """An untried pattern that is best under drawn weights, else the best untried beside one."""
    for _ in range(_REDRAWS):
        weights_F = posterior.sample(rng)
        pattern = features.optimum(weights_F)
        if pattern in untried:
            return pattern
    near = [one for one in features.space.neighbours(pattern) if one in untried]
    if not near:
        return untried.draw(rng)
    return near[int(np.argmax(features(near) @ weights_F))]
