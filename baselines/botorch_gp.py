"""Bayesian optimization with BoTorch: a Gaussian process on letters, log expected improvement.

Kernel: exp(-weighted share of positions that differ), one lengthscale per position with a
LogNormal(0, 1) prior; without the prior a fit takes several times as long and overfits.
Acquisition: log expected improvement (Ament et al. 2023, section 4.1) over the best posterior mean
among the tried, because observed scores are noisy. Maximized by discrete local search over untried
patterns, so no pattern is asked twice. Double precision throughout.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasarena.baselines.acquisition_search import best_candidate
from nasarena.baselines.fitted_process import standardize
from nasarena.baselines.model_search import ModelSearch
from nasarena.baselines.options import NUM_STARTUP, NumStartup
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP
    from torch import Tensor

NUM_FAVOURITES = 3  # best patterns so far whose neighbours are starts of the local search


@searcher("botorch", requires="botorch")
class BotorchSearch(ModelSearch):
    """BoTorch Gaussian process with a categorical kernel and log expected improvement.

    Within a batch, patterns already chosen count as scored with their posterior mean.
    """

    def __init__(
        self, space: PatternSpace, rng: np.random.Generator, num_startup: NumStartup = NUM_STARTUP
    ) -> None:
        super().__init__(space, rng, num_startup, categorical_process)

    def by_model(self, n: int) -> list[str]:
        letters, believed = self._letters(self._patterns), standardize(self._scores)
        self._process.fit_if_due(letters, believed)
        chosen: list[str] = []
        for _ in range(n):
            model = self._process.condition_on(letters, believed)
            pattern = self._most_promising(model, letters) or self._untried.draw(self._rng)
            assert pattern is not None, "as many are left"
            self._untried.discard([pattern])
            chosen.append(pattern)
            new = self._letters([pattern])
            letters = np.concatenate([letters, new])
            believed = np.concatenate([believed, posterior_mean(model, new)])
        return chosen

    def _most_promising(self, model: "SingleTaskGP", tried: NDArray[np.float64]) -> str | None:
        best_mean = float(posterior_mean(model, tried).max())
        return best_candidate(
            self._space,
            self._rng,
            lambda patterns: log_improvement(model, best_mean, self._letters(patterns)),
            self._untried.__contains__,
            self.best_first()[:NUM_FAVOURITES],
        )

    def _letters(self, patterns: Sequence[str]) -> NDArray[np.float64]:
        """Shape `(len(patterns), depth)`, a digit per letter."""
        return np.array([self._space.digits(pattern) for pattern in patterns], dtype=np.float64)


def categorical_process(letters: "Tensor", scores: "Tensor") -> "SingleTaskGP":
    """The model over digits `(n, depth)` and standardized scores `(n, 1)`."""
    from botorch.models import SingleTaskGP
    from botorch.models.kernels import CategoricalKernel
    from gpytorch.kernels import ScaleKernel  # type: ignore[import-untyped]
    from gpytorch.priors import GammaPrior, LogNormalPrior  # type: ignore[import-untyped]

    letter_kernel = CategoricalKernel(
        ard_num_dims=letters.shape[1], lengthscale_prior=LogNormalPrior(0.0, 1.0)
    )
    kernel = ScaleKernel(letter_kernel, outputscale_prior=GammaPrior(2.0, 0.15))
    return SingleTaskGP(letters, scores, covar_module=kernel, outcome_transform=None)


def posterior_mean(model: "SingleTaskGP", letters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape `(n,)` for digits `(n, depth)`."""
    import torch

    with torch.no_grad():
        posterior = model.posterior(torch.from_numpy(letters))
    mean: NDArray[np.float64] = posterior.mean.squeeze(-1).numpy()
    return mean


def log_improvement(
    model: "SingleTaskGP", best_mean: float, letters: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithm of the expected improvement over `best_mean`, `(n,)` for digits `(n, depth)`."""
    import torch
    from botorch.acquisition.analytic import LogExpectedImprovement

    with torch.no_grad():
        improvement = LogExpectedImprovement(model, best_f=best_mean)
        values: NDArray[np.float64] = improvement(torch.from_numpy(letters)[:, None]).numpy()
    return values
