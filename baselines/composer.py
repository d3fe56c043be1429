"""Composer's search (arXiv 2510.00379, v2): SingleTaskGP with RBF kernel, qLogNEI, three variants.

- `composer`: one-shot, all layers at once; the paper's default.
- `composer-end`: end-layer incremental: the bottom is frozen, the next layers are searched.
- `composer-middle`: middle-layer incremental: the design is split and its middle is searched.

The two incremental ones propose patterns of full depth (`partial_pattern.py`). What the paper does
not specify follows its library, Ax: letters as one-hot columns, BoTorch's default priors, random
patterns first, the best of a discrete local search. The model is told every trial of every step.
Steps share the trials equally; if trials are left after the last step (`num_trials` counts average
patterns), a new round begins with nothing frozen.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasarena.baselines.acquisition_search import best_candidate
from nasarena.baselines.fitted_process import standardize
from nasarena.baselines.model_search import ModelSearch
from nasarena.baselines.options import NUM_STARTUP, NumStartup
from nasarena.baselines.partial_pattern import PartialPattern
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP
    from torch import Tensor

Improvement = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # (m, d) -> (m,)

PAPER_TRIALS = 100  # of the 16-layer search, as a reviewer infers; the paper gives no number
NUM_SAMPLES = 128  # of the joint posterior in qLogNEI, quasi-random


@searcher("composer", requires="botorch")
class Composer(ModelSearch):
    """Composer's one-shot search: Gaussian process with RBF kernel and qLogNEI.

    Patterns chosen earlier in the same batch are pending points of qLogNEI.
    """

    def __init__(
        self, space: PatternSpace, rng: np.random.Generator, num_startup: NumStartup = NUM_STARTUP
    ) -> None:
        super().__init__(space, rng, num_startup, rbf_process)

    def _frames(self) -> Iterator[tuple[PatternSpace, PartialPattern]]:
        """Letters to search and the frame they are put into; the next one if all are tried."""
        yield self._space, PartialPattern("", "", self._space.depth)

    def by_model(self, n: int) -> list[str]:
        columns, targets = self._one_hot(self._patterns), standardize(self._scores)
        self._process.fit_if_due(columns, targets)
        model = self._process.condition_on(columns, targets)
        chosen: list[str] = []
        for _ in range(n):
            seed = int(self._rng.integers(2**31))
            improvement = noisy_improvement(model, columns, self._one_hot(chosen), seed)
            pattern = self._most_promising(improvement) or self._untried.draw(self._rng)
            assert pattern is not None, "as many are left"
            self._untried.discard([pattern])
            chosen.append(pattern)
        return chosen

    def _most_promising(self, improvement: Improvement) -> str | None:
        found = (self._best_option(*option, improvement) for option in self._frames())
        return next((pattern for pattern in found if pattern is not None), None)

    def _best_option(
        self, options: PatternSpace, frame: PartialPattern, improvement: Improvement
    ) -> str | None:
        """The full pattern of the most promising untried letters, if any is untried."""
        letters = best_candidate(
            options,
            self._rng,
            lambda keys: improvement(self._one_hot([frame.fill(key) for key in keys])),
            lambda key: frame.fill(key) in self._untried,
        )
        return None if letters is None else frame.fill(letters)

    def _one_hot(self, patterns: Sequence[str]) -> NDArray[np.float64]:
        """Shape `(num_patterns, depth * num_letters)`; of two letters one column is enough."""
        num_patterns, num_letters = len(patterns), len(self._space.alphabet)
        one_hots = np.array([self._space.one_hot(pattern) for pattern in patterns])
        num_columns = num_letters if num_letters > 2 else 1
        columns = one_hots.reshape(num_patterns, self._space.depth, num_letters)[:, :, :num_columns]
        return columns.reshape(num_patterns, self._space.depth * num_columns)


class _Incremental(Composer):
    """Freezes the winner of each step; a subclass says how the frame grows."""

    grow: Callable[[PartialPattern, str], PartialPattern]

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        num_trials: int | None = None,
        num_startup: NumStartup = NUM_STARTUP,
        layers_per_step: Annotated[int, Field(ge=1, description="letters that each step adds")] = 4,
    ) -> None:
        super().__init__(space, rng, num_startup)
        self._layers_per_step = min(layers_per_step, space.depth)
        self._num_steps = -(-space.depth // self._layers_per_step)
        by_model = (num_trials or PAPER_TRIALS) - self._num_startup
        self._trials_per_step = max(1, by_model // self._num_steps)
        self._start_round()

    def _frames(self) -> Iterator[tuple[PatternSpace, PartialPattern]]:
        """The step that is on; if none of its options is untried, the steps after it."""
        if self._num_asked >= self._trials_per_step and self._winner() is not None:
            self._freeze()
        for _ in range(self._num_steps + 1):
            self._num_asked += 1
            yield PatternSpace(self._space.alphabet, self._num_letters), self._frame
            self._freeze()

    @property
    def _num_letters(self) -> int:
        return min(self._layers_per_step, self._frame.num_open)

    def _start_round(self) -> None:
        self._frame, self._num_asked = PartialPattern("", "", self._space.depth), 0

    def _winner(self) -> str | None:
        """Letters of the best scored option of this step."""
        options = (self._frame.letters_of(p, self._num_letters) for p in self.best_first())
        return next((letters for letters in options if letters is not None), None)

    def _freeze(self) -> None:
        """On to the next step; where every option failed, any letters are as good."""
        letters = self._winner()
        if letters is None:
            letters = PatternSpace(self._space.alphabet, self._num_letters).sample(self._rng)
        self._frame, self._num_asked = self.grow(self._frame, letters), 0
        if self._frame.num_open == 0:
            self._start_round()


@searcher("composer-end", requires="botorch", budget_aware=True)
class ComposerEnd(_Incremental):
    """Composer's search, end-layer incremental: the pattern grows by its end."""

    grow = staticmethod(PartialPattern.grow_end)


@searcher("composer-middle", requires="botorch", budget_aware=True)
class ComposerMiddle(_Incremental):
    """Composer's search, middle-layer incremental: the pattern grows by its middle."""

    grow = staticmethod(PartialPattern.grow_middle)


def rbf_process(columns: "Tensor", scores: "Tensor") -> "SingleTaskGP":
    """BoTorch's default model, an RBF kernel among it, over `(n, d)` and scores `(n, 1)`."""
    from botorch.models import SingleTaskGP

    return SingleTaskGP(columns, scores, outcome_transform=None)


def noisy_improvement(
    model: "SingleTaskGP",
    tried: NDArray[np.float64],
    pending: NDArray[np.float64],
    seed: int,
) -> Improvement:
    """qLogNEI over the tried `(n, d)` and pending `(p, d)` points, for candidates `(m, d)`."""
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.sampling.normal import SobolQMCNormalSampler

    with torch.no_grad():
        acquisition = qLogNoisyExpectedImprovement(
            model,
            torch.from_numpy(tried),
            sampler=SobolQMCNormalSampler(torch.Size([NUM_SAMPLES]), seed=seed),
            X_pending=torch.from_numpy(pending) if len(pending) else None,
            prune_baseline=True,
        )

    def values(columns: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.no_grad():
            found: NDArray[np.float64] = acquisition(torch.from_numpy(columns)[:, None]).numpy()
        return found

    return values
