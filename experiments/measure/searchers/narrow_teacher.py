"""The embedded agent's teacher when it sees no more of the history than a compact prompt shows.

What it loses against the whole history, no student of such prompts can win back.
"""

import numpy as np

from nasarena.agents.context.compact_prompt import nearest_and_best
from nasarena.agents.scribe.teacher import Teacher
from nasarena.agents.teacher_searcher import TeacherSearch
from nasarena.search.searcher import SearcherSpec, searcher, spec_of


class _NarrowTeacher(TeacherSearch):
    num_lines = 24

    def _fit(self) -> Teacher:
        scores: dict[str, float] = {}
        for pattern, score in zip(self._patterns, self._scores, strict=True):
            scores.setdefault(pattern, score)
        ranked = sorted(scores.items(), key=lambda one: -one[1])
        shown = nearest_and_best(self._space, ranked, self.num_lines)
        digits = np.stack([self._space.digits(pattern) for pattern, _ in shown])
        return Teacher(digits, np.array([score for _, score in shown]), len(self._space.alphabet))


@searcher("teacher-24-lines", max_parallel=1)
class TeacherOf24(_NarrowTeacher):
    """The teacher of the 24 lines that the first embedded agent was taught to read."""


@searcher("teacher-48-lines", max_parallel=1)
class TeacherOf48(_NarrowTeacher):
    """The teacher of 48 lines, as in the lessons of the second."""

    num_lines = 48


NARROW: dict[str, SearcherSpec] = {
    spec_of(one).name: spec_of(one) for one in (TeacherOf24, TeacherOf48)
}
