"""A BoTorch Gaussian process that refits its hyperparameters on a schedule.

Hyperparameters are fitted (maximal posterior density, L-BFGS) whenever the trials have grown by a
fifth, starting from the last fit; in between, new trials only condition the process. This saves
most of the time of Bayesian optimization and hardly changes its proposals. The schedule depends on
the number of trials alone, never on a clock, so that a replay proposes the same.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP
    from torch import Tensor

REFIT_GROWTH = 1.2
# Of L-BFGS. With scipy's own tolerance (2e-9) a fit creeps to the last step for nothing: the
# density is a mean over trials, and its fifth digit moves no ask.
FIT_OPTIONS = {"maxiter": 60, "ftol": 1e-5}


class FittedProcess:
    """`build` makes the untrained model from inputs `(n, d)` and targets `(n, 1)`, doubles."""

    def __init__(self, build: "Callable[[Tensor, Tensor], SingleTaskGP]") -> None:
        self._build = build
        self._hyperparameters: dict[str, Any] | None = None
        self._next_fit = 0

    def fit_if_due(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
        """Shapes `(n, d)` and `(n,)`. Call it inside `private_random`: a fit may restart."""
        if len(inputs) < self._next_fit:
            return
        from botorch.exceptions.errors import ModelFittingError
        from botorch.fit import fit_gpytorch_mll
        from gpytorch.mlls import ExactMarginalLogLikelihood  # type: ignore[import-untyped]

        self._next_fit = max(len(inputs) + 1, round(REFIT_GROWTH * len(inputs)))
        model = self._warm(inputs, targets)
        try:
            fit_gpytorch_mll(
                ExactMarginalLogLikelihood(model.likelihood, model),
                optimizer_kwargs={"options": FIT_OPTIONS},
            )
        except ModelFittingError:  # keep what fitted last; the schedule tries again
            return
        self._hyperparameters = model.state_dict()

    def condition_on(
        self, inputs: NDArray[np.float64], targets: NDArray[np.float64]
    ) -> "SingleTaskGP":
        """The process conditioned on these trials, under the hyperparameters of the last fit."""
        model = self._warm(inputs, targets)
        model.eval()
        return model

    def _warm(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> "SingleTaskGP":
        import torch

        model = self._build(torch.from_numpy(inputs), torch.from_numpy(targets)[:, None])
        if self._hyperparameters is not None:
            model.load_state_dict(self._hyperparameters)
        return model


def standardize(scores: list[float]) -> NDArray[np.float64]:
    """Mean 0 and standard deviation 1; all 0 where every score is the same."""
    values = np.array(scores, dtype=np.float64)
    values -= values.mean()
    return values / (float(values.std()) or 1.0)
