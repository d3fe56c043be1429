"""Bayesian optimization with BoTorch: a Gaussian process on letters, log expected improvement.

Kernel: exp(-weighted share of positions that differ), one lengthscale per position with a
LogNormal(0, 1) prior; without the prior a fit takes several times as long and overfits.
Acquisition: log expected improvement (Ament et al. 2023, section 4.1) over the best posterior mean
among the tried, because observed scores are noisy. Maximized by discrete local search over untried
patterns, so no pattern is asked twice. Double precision throughout.

Hyperparameters are fitted again whenever the trials have grown by a tenth, from the values of the
last fit; in between new trials only condition the process. When that happens is set by the number
of trials alone, never by a clock, so that replay asks the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasarena.baselines.acquisition_search import best_candidate
from nasarena.baselines.private_torch import private_torch
from nasarena.baselines.untried import Untried
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP

REFIT_GROWTH = 1.1
MAX_FIT_STEPS = 60  # of L-BFGS; warm starts seldom need 20


@searcher("botorch", requires="botorch")
class BotorchSearch:
    """`num_startup` random patterns (the initial design counts) before the model is used."""

    def __init__(
        self, space: PatternSpace, rng: np.random.Generator, num_startup: int = 10
    ) -> None:
        self._space, self._rng = space, rng
        self._num_startup = num_startup
        self._untried = Untried(space)
        self._patterns: list[str] = []
        self._scores: list[float] = []
        self._process = CategoricalProcess()

    def ask(self, n: int) -> list[str]:
        """Within a batch, patterns already chosen count as scored with their posterior mean."""
        num_needed = max(2, self._num_startup)
        if len(self._patterns) < num_needed:
            drawn = (self._untried.draw(self._rng) for _ in range(n))
            return [pattern for pattern in drawn if pattern is not None]
        with private_torch(self._rng):
            return self._by_model(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._untried.discard(trial.pattern for trial in trials)
        for trial in trials:
            if trial.score is not None:
                self._patterns.append(trial.pattern)
                self._scores.append(trial.score)

    def _by_model(self, n: int) -> list[str]:
        scores = np.array(self._scores)
        believed = (scores - scores.mean()) / (scores.std() or 1.0)
        letters = self._letters(self._patterns)
        self._process.fit_if_due(letters, believed)
        chosen: list[str] = []
        for _ in range(min(n, self._untried.num_left)):
            self._process.condition(letters, believed)
            pattern = self._maximize()
            if pattern is None:
                pattern = self._untried.draw(self._rng)
            assert pattern is not None, "num_left bounds the batch"
            self._untried.discard([pattern])
            chosen.append(pattern)
            new = self._letters([pattern])
            letters = np.concatenate([letters, new])
            believed = np.concatenate([believed, self._process.mean(new)])
        return chosen

    def _maximize(self) -> str | None:
        best_first = np.argsort(-np.array(self._scores), kind="stable")
        favourites = [self._patterns[index] for index in best_first[:3]]
        return best_candidate(
            self._space,
            self._rng,
            lambda patterns: self._process.log_improvement(self._letters(patterns)),
            self._untried.__contains__,
            favourites,
        )

    def _letters(self, patterns: Sequence[str]) -> NDArray[np.float64]:
        """Shape `(len(patterns), depth)`, a digit per letter."""
        return np.array([self._space.digits(pattern) for pattern in patterns], dtype=np.float64)


class CategoricalProcess:
    """SingleTaskGP over digits, shape `(n, depth)`, and standardized scores, shape `(n,)`."""

    def __init__(self) -> None:
        self._hyperparameters: dict[str, Any] | None = None
        self._next_fit = 0
        self._model: SingleTaskGP | None = None
        self._best_mean = 0.0

    def fit_if_due(self, letters: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """Hyperparameters of maximal posterior density, if enough trials are new."""
        if len(letters) < self._next_fit:
            return
        from botorch.exceptions.errors import ModelFittingError
        from botorch.fit import fit_gpytorch_mll
        from gpytorch.mlls import ExactMarginalLogLikelihood  # type: ignore[import-untyped]

        self._next_fit = max(len(letters) + 1, round(REFIT_GROWTH * len(letters)))
        model = self._build(letters, scores)
        likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        try:
            fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"maxiter": MAX_FIT_STEPS}})
        except ModelFittingError:  # keep what fitted last; the schedule tries again
            return
        self._hyperparameters = model.state_dict()

    def condition(self, letters: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """The posterior given these trials, under the hyperparameters of the last fit."""
        self._model = self._build(letters, scores)
        self._model.eval()
        self._best_mean = float(self.mean(letters).max())

    def mean(self, letters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Posterior mean, shape `(n,)`."""
        import torch

        assert self._model is not None, "condition first"
        with torch.no_grad():
            posterior = self._model.posterior(torch.from_numpy(letters))
        mean: NDArray[np.float64] = posterior.mean.squeeze(-1).numpy()
        return mean

    def log_improvement(self, letters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithm of the expected improvement over the best mean among the tried, `(n,)`."""
        import torch
        from botorch.acquisition.analytic import LogExpectedImprovement

        assert self._model is not None, "condition first"
        acquisition = LogExpectedImprovement(self._model, best_f=self._best_mean)
        with torch.no_grad():
            values: NDArray[np.float64] = acquisition(torch.from_numpy(letters)[:, None]).numpy()
        return values

    def _build(self, letters: NDArray[np.float64], scores: NDArray[np.float64]) -> "SingleTaskGP":
        import torch
        from botorch.models import SingleTaskGP
        from botorch.models.kernels import CategoricalKernel
        from gpytorch.kernels import ScaleKernel  # type: ignore[import-untyped]
        from gpytorch.priors import GammaPrior, LogNormalPrior  # type: ignore[import-untyped]

        depth = letters.shape[1]
        letter_kernel = CategoricalKernel(
            ard_num_dims=depth, lengthscale_prior=LogNormalPrior(0.0, 1.0)
        )
        model = SingleTaskGP(
            torch.from_numpy(letters),
            torch.from_numpy(scores)[:, None],
            covar_module=ScaleKernel(letter_kernel, outputscale_prior=GammaPrior(2.0, 0.15)),
            outcome_transform=None,
        )
        if self._hyperparameters is not None:
            model.load_state_dict(self._hyperparameters)
        return model
