"""TPE with Optuna's pruners: every proposal is trained briefly, the better ones longer.

A pattern that TPE proposes is first trained to the lowest rung. Its score is reported, the pruner
decides immediately whether it continues to the next rung, and the ledger charges the increment.
There is no waiting, as in asynchronous successive halving. A pruned trial stays in TPE's model with
the score of its last rung, ranked behind those that got further (Optuna's way).

| pruner | rule for continuing |
|---|---|
| `halving` | in the best 1/`reduction` of all that reached this rung (Li et al. 2020, ASHA) |
| `hyperband` | the same, in brackets that begin at different rungs (Li et al. 2018) |
| `median` | not below the median of those that reached this rung, after `num_startup` full ones |
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from nasarena.baselines.libraries.optuna_study import OptunaSearch, tpe_sampler
from nasarena.baselines.options import NUM_STARTUP, Multivariate, NumRungs, NumStartup, Reduction
from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

if TYPE_CHECKING:
    import optuna

Pruner = Literal["halving", "hyperband", "median"]


@searcher("tpe-pruned", requires="optuna")
class PrunedTPE(OptunaSearch):
    """TPE with a pruner of Optuna's: needs a proxy that scores partial trainings.

    Rung k of `num_rungs` trains to fidelity `reduction ** (k + 1 - num_rungs)`.

    Raises InvalidSetting for a reduction below 2, no rung, or an unknown pruner.
    """

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        pruner: Annotated[
            Pruner, Field(description="halving, hyperband or median: whether a training goes on")
        ] = "halving",
        reduction: Reduction = 3,
        num_rungs: NumRungs = 3,
        num_startup: NumStartup = NUM_STARTUP,
        multivariate: Multivariate = None,
    ) -> None:
        steps: list[int] = [reduction**rung for rung in range(num_rungs)]
        made = _make_pruner(pruner, reduction, steps[-1], num_startup)
        super().__init__(space, tpe_sampler(rng, num_startup, multivariate), made)
        self._steps = steps
        self._going_on: list[tuple[optuna.Trial, Trial, int]] = []
        self._running: dict[str, list[tuple[optuna.Trial, int]]] = {}

    def ask(self, n: int) -> list[Proposal]:  # type: ignore[override]
        """Those that go on first, at their next rung; then new patterns at the lowest."""
        proposals = []
        for _ in range(n):
            parents: tuple[int, ...] = ()
            if self._going_on:
                trial, before, rung = self._going_on.pop(0)
                pattern, parents = before.pattern, (before.index,)
            else:
                (trial, pattern), rung = self._draw_trial(), 0
            self._running.setdefault(pattern, []).append((trial, rung))
            proposals.append(Proposal(pattern, parents=parents, fidelity=self._fidelity(rung)))
        return proposals

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            running = self._running.get(trial.pattern)
            if running:
                self._judge(*running.pop(0), trial)
            elif trial.pattern in self._space and not trial.is_partial:
                self._study.add_trial(self._foreign(trial))

    def _judge(self, asked: "optuna.Trial", rung: int, trial: Trial) -> None:
        """Report a score, and end the trial, prune it, or send it on."""
        from optuna.trial import TrialState

        last = len(self._steps) - 1
        if trial.score is None:
            self._study.tell(asked, state=TrialState.FAIL)
            return
        # A duplicate is answered by a training that went as far as asked, or further.
        while rung < last and self._fidelity(rung) < trial.fidelity:
            rung += 1
        asked.report(trial.score, self._steps[rung])
        if rung == last:
            self._study.tell(asked, trial.score)
        elif asked.should_prune():
            self._study.tell(asked, state=TrialState.PRUNED)
        else:
            self._going_on.append((asked, trial, rung + 1))

    def _fidelity(self, rung: int) -> float:
        return self._steps[rung] / self._steps[-1]


def _make_pruner(
    name: str, reduction: int, highest: int, num_startup: int
) -> "optuna.pruners.BasePruner":
    """`highest` is the step of the full training, the lowest being 1."""
    from optuna import pruners

    make: dict[str, Callable[[], pruners.BasePruner]] = {
        "halving": lambda: pruners.SuccessiveHalvingPruner(1, reduction, 0),
        "hyperband": lambda: pruners.HyperbandPruner(1, highest, reduction),
        "median": lambda: pruners.MedianPruner(num_startup, 0),
    }
    if name not in make:
        raise InvalidSetting(f"pruner must be one of {', '.join(make)}, got {name!r}")
    return make[name]()
