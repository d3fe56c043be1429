"""Optuna's samplers behind ask and tell: TPE and the Gaussian process.

One categorical parameter per layer, in an in-memory study, which a replay of the run folder
rebuilds. Trials that it did not propose (the initial design, another searcher's) are added by
`add_trial`; failed ones are reported as failed, so no sentinel score reaches a model. A duplicate
is reported with the score that it repeats.

TPE: Bergstra et al. 2011; Watanabe 2023 for the multivariate form. GP: Optuna's own, Matern 5/2.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasarena.baselines.options import NUM_STARTUP, Multivariate, NumStartup
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

if TYPE_CHECKING:
    import optuna


class OptunaSearch:
    """Shared by all samplers; not a searcher by itself. Without a pruner trials are never cut."""

    def __init__(
        self,
        space: Any,
        sampler: "optuna.samplers.BaseSampler",
        pruner: "optuna.pruners.BasePruner | None" = None,
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space = space
        # Optuna's Hyperband draws brackets by the name of the study, which is random by default.
        self._study = optuna.create_study(
            direction="maximize", sampler=sampler, pruner=pruner, study_name="nasarena"
        )
        self._distributions = self.dimensions()
        self._waiting: dict[str, list[optuna.Trial]] = {}

    def dimensions(self) -> "dict[str, optuna.distributions.BaseDistribution]":
        """A choice of letters for each layer."""
        from optuna.distributions import CategoricalDistribution

        letters = list(self._space.alphabet)
        return {f"layer_{slot:02d}": CategoricalDistribution(letters)
                for slot in range(self._space.depth)}  # fmt: skip

    def spell(self, params: Mapping[str, Any]) -> str:
        """The pattern of the sampled parameters."""
        return "".join(params[name] for name in self._distributions)

    def params_of(self, pattern: str) -> dict[str, Any]:
        """The parameters of a pattern that was not asked here."""
        return dict(zip(self._distributions, pattern, strict=True))

    def ask(self, n: int) -> list[str]:
        """`n` patterns; the sampler sees those asked before it in the batch as running."""
        patterns = []
        for _ in range(n):
            trial, pattern = self._draw_trial()
            self._waiting.setdefault(pattern, []).append(trial)
            patterns.append(pattern)
        return patterns

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            waiting = self._waiting.get(trial.pattern)
            if waiting:
                self._finish(waiting.pop(0), trial)
            elif trial.pattern in self._space:
                self._study.add_trial(self._foreign(trial))

    def _draw_trial(self) -> "tuple[optuna.Trial, str]":
        """A new trial of the study and the pattern that its parameters spell."""
        trial = self._study.ask(self._distributions)
        return trial, self.spell(trial.params)

    def _finish(self, asked: "optuna.Trial", trial: Trial) -> None:
        from optuna.trial import TrialState

        if trial.score is None:
            self._study.tell(asked, state=TrialState.FAIL)
        else:
            self._study.tell(asked, trial.score)

    def _foreign(self, trial: Trial) -> "optuna.trial.FrozenTrial":
        from optuna.trial import TrialState, create_trial

        return create_trial(
            params=self.params_of(trial.pattern),
            distributions=self._distributions,
            value=trial.score,
            state=TrialState.FAIL if trial.score is None else TrialState.COMPLETE,
        )


@searcher("tpe", requires="optuna")
class TPE(OptunaSearch):
    """Optuna's tree-structured Parzen estimator.

    `multivariate` models the letters jointly; by default Optuna decides (5.0: jointly).
    """

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        num_startup: NumStartup = NUM_STARTUP,
        multivariate: Multivariate = None,
    ) -> None:
        super().__init__(space, tpe_sampler(rng, num_startup, multivariate))


def tpe_sampler(
    rng: np.random.Generator, num_startup: int, multivariate: bool | None
) -> "optuna.samplers.TPESampler":
    """The sampler of `tpe`; its seed is one integer drawn from `rng`."""
    import warnings

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # multivariate is marked experimental
        return optuna.samplers.TPESampler(
            seed=int(rng.integers(2**31)),
            n_startup_trials=num_startup,
            multivariate=multivariate,
        )


@searcher("gp-optuna", requires="optuna")
class GaussianProcess(OptunaSearch):
    """Optuna's Gaussian process."""

    def __init__(
        self, space: PatternSpace, rng: np.random.Generator, num_startup: NumStartup = NUM_STARTUP
    ) -> None:
        super().__init__(space, gp_sampler(rng, num_startup))


def gp_sampler(rng: np.random.Generator, num_startup: int) -> "optuna.samplers.GPSampler":
    """The sampler of `gp-optuna`; its seed is one integer drawn from `rng`."""
    import warnings

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GPSampler is marked experimental
        return optuna.samplers.GPSampler(
            seed=int(rng.integers(2**31)), n_startup_trials=num_startup
        )
