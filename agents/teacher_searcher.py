"""The embedded agent's teacher as a searcher of its own: what the agent was taught to imitate.

Each turn fits `Teacher` (scribe/teacher.py) to all scores so far and takes the candidate of highest
expected improvement. No model is asked. `llm=scribe` falls short of it by what the imitation lost,
and because it is shown 16 trials instead of all.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from nasarena.agents.scribe.teacher import Teacher
from nasarena.search.searcher import searcher
from nasarena.search.settings import ByBudget
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


@searcher("teacher", max_parallel=1)
class TeacherSearch:
    """Expected improvement near the best patterns; failed trials teach it nothing."""

    def __init__(
        self,
        space: PatternSpace,
        rng: np.random.Generator,
        num_startup: Annotated[
            int, Field(ge=0, description="random trials first, the initial design among them")
        ] = ByBudget(1 / 12, least=4, most=10),
    ) -> None:
        self._space, self._rng = space, rng
        self._num_startup = max(2, num_startup)
        self._tried = set[str]()
        self._patterns: list[str] = []
        self._scores: list[float] = []

    def ask(self, n: int) -> list[str]:
        """One pattern that was not tried; none when everything was."""
        pattern = None
        if len(self._scores) >= self._num_startup and self._space.depth > 1:
            pattern = self._by_teacher()
        pattern = pattern or self._draw()
        return [] if pattern is None else [pattern]

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            if trial.pattern in self._space:
                self._tried.add(trial.pattern)
            if trial.score is not None and not trial.is_partial:
                self._patterns.append(trial.pattern)
                self._scores.append(trial.score)

    def recommend(self, k: int) -> list[str]:
        """The tried patterns of highest posterior mean."""
        if len(self._scores) < 2 or self._space.depth == 1:
            return []
        teacher = self._fit()
        means_N, _ = teacher.posterior(teacher.digits)
        order = np.argsort(-means_N, kind="stable")
        return list(dict.fromkeys(self._patterns[place] for place in order))[:k]

    def _by_teacher(self) -> str | None:
        """The best candidate that did not fail either; None where all were tried."""
        teacher = self._fit()
        candidates = teacher.candidates(self._rng)
        patterns = [self._space.from_digits(digits) for digits in candidates]
        left = [place for place, pattern in enumerate(patterns) if pattern not in self._tried]
        if not left:
            return None
        values = teacher.expected_improvement(candidates[left])
        return patterns[left[int(values.argmax())]]

    def _fit(self) -> Teacher:
        digits = np.stack([self._space.digits(pattern) for pattern in self._patterns])
        return Teacher(digits, np.array(self._scores), len(self._space.alphabet))

    def _draw(self) -> str | None:
        """A uniform untried pattern: by rejection while most are untried, else from the list."""
        size = self._space.size
        if 2 * len(self._tried) < size:
            pattern = self._space.sample(self._rng)
            while pattern in self._tried:
                pattern = self._space.sample(self._rng)
            return pattern
        everything = map(self._space.pattern, range(size))
        left = [pattern for pattern in everything if pattern not in self._tried]
        return left[self._rng.integers(len(left))] if left else None
