"""Successive halving (Jamieson & Talwalkar 2016, Alg. 1): train many briefly, the best longer.

A bracket draws random patterns and trains all of them to the lowest fidelity; the best
1/`reduction` continue to `reduction` times that, and so on up to the full training. The paper gives
one bracket the whole budget; here its size is fixed and brackets follow one another until the
budget is spent, so that the searcher need not know the budget. With kept training states (only the
increment is charged) a bracket of 9 patterns and 3 rungs costs 1 + 2/3 + 2/3 full trainings.

Scores are only compared within a rung, where all trainings are equally long.
"""

from collections.abc import Sequence

import numpy as np

from nasarena.baselines.options import NumRungs, Reduction
from nasarena.baselines.untried import Untried
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial


class Bracket:
    """One elimination over `num_rungs` rungs, the last of them the full training.

    Rung k of `num_rungs` trains to fidelity `reduction ** (k + 1 - num_rungs)`.
    """

    def __init__(self, patterns: Sequence[str], num_rungs: int, reduction: int) -> None:
        self._reduction, self._rungs_left = reduction, num_rungs
        self._came_from: dict[str, tuple[int, ...]] = {}  # the trial of the rung before
        self._begin(patterns)

    def _begin(self, patterns: Sequence[str]) -> None:
        self._waiting = list(patterns)
        self._running: set[str] = set()
        self._results: list[Trial] = []
        self._size = len(patterns)
        self._rungs_left -= 1

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be asked or told."""
        return not self._waiting and not self._running

    def ask(self, n: int) -> list[Proposal]:
        """Up to `n` patterns of the present rung that have not been asked yet."""
        batch, self._waiting = self._waiting[:n], self._waiting[n:]
        self._running.update(batch)
        fidelity = self._reduction**-self._rungs_left
        return [
            Proposal(pattern, parents=self._came_from.get(pattern, ()), fidelity=float(fidelity))
            for pattern in batch
        ]

    def tell(self, trial: Trial) -> None:
        """Take a result; the last of a rung begins the next one. Others' trials are ignored."""
        if trial.pattern not in self._running:
            return
        self._running.remove(trial.pattern)
        self._results.append(trial)
        if self.is_over and self._rungs_left:
            self._begin(self._select_promotions())

    def _select_promotions(self) -> list[str]:
        """The best 1/reduction of the rung; a failed training is never among them."""
        scored = [trial for trial in self._results if trial.score is not None]
        ranked = sorted(scored, key=lambda trial: (-(trial.score or 0.0), trial.index))
        best = ranked[: self._size // self._reduction]
        self._came_from = {trial.pattern: (trial.index,) for trial in best}
        return list(self._came_from)


class BracketSearch:
    """Random patterns through brackets, one after the other; not a searcher by itself.

    `brackets` are (number of patterns, number of rungs), repeated for ever. Raises InvalidSetting
    for a reduction below 2 or no rung.
    """

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        brackets: Sequence[tuple[int, int]],
        reduction: int,
    ) -> None:
        self._rng, self._untried = rng, Untried(space)
        self._brackets, self._reduction = brackets, reduction
        self._num_begun = 0
        self._bracket = Bracket([], 1, reduction)

    def ask(self, n: int) -> list[Proposal]:
        if self._bracket.is_over:
            self._begin()
        return self._bracket.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._untried.discard(trial.pattern for trial in trials)
        for trial in trials:
            self._bracket.tell(trial)

    def _begin(self) -> None:
        """The next bracket, of untried patterns; smaller or empty as the space is exhausted."""
        num_patterns, num_rungs = self._brackets[self._num_begun % len(self._brackets)]
        self._num_begun += 1
        drawn = [self._untried.draw(self._rng) for _ in range(num_patterns)]
        patterns = [pattern for pattern in drawn if pattern is not None]
        self._bracket = Bracket(patterns, num_rungs, self._reduction)


@searcher("successive-halving")
class SuccessiveHalving(BracketSearch):
    """Successive halving, Jamieson & Talwalkar 2016: needs a proxy that scores partial trainings.

    Brackets of `reduction ** (num_rungs - 1)` patterns, one of which is trained in full.
    """

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        reduction: Reduction = 3,
        num_rungs: NumRungs = 3,
    ) -> None:
        brackets = [(reduction ** (num_rungs - 1), num_rungs)]
        super().__init__(space, rng, brackets, reduction)
