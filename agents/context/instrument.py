"""The instrument: the run's model of scores, which an agent may question before it proposes.

    query   predict: what would these patterns score?
            best:    which untried patterns would score highest?
            effect:  what does each letter do at this position?
    answer  a `Reading`: lines for a prompt in words, pattern and mean for a compact one

It is fitted to the trials that the agent may know, in the letters that it is shown: what a control
withholds from the agent, the instrument does not know either. Questions take nothing of the budget.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from nasarena.agents.context.trial_text import PLAIN_STYLE, LineStyle, score_text
from nasarena.agents.context.view import Reading
from nasarena.search.fidelity import comparable
from nasarena.search.models.score_model import FEWEST, ScoreModel
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

QueryKind = Literal["predict", "best", "effect", "none"]
QUERY_KINDS: tuple[QueryKind, ...] = get_args(QueryKind)


@dataclass(frozen=True, slots=True)
class Query:
    """A question in shown letters; `position` counts from 1. `none` is no question."""

    kind: QueryKind
    patterns: tuple[str, ...] = ()
    position: int = 1


class Instrument:
    """Answers for one proposal; `pending` patterns are asked for already, so never the best."""

    def __init__(
        self,
        space: PatternSpace,
        trials: Sequence[Trial],
        pending: Collection[str] = (),
        num_best: int = 3,
    ) -> None:
        self._space, self._trials = space, trials
        self._pending, self._num_best = pending, num_best

    @property
    def is_ready(self) -> bool:
        """Whether enough was scored to fit a model."""
        return sum(trial.status == "ok" for trial in comparable(self._trials)) >= FEWEST

    def answer(self, query: Query, style: LineStyle = PLAIN_STYLE) -> Reading:
        """What the model says, written in this style."""
        if query.kind == "effect":
            return self._effects(query.position, style.noise)
        if query.kind == "predict":
            return self._predictions("Expected", query.patterns, style)
        failed = [trial.pattern for trial in self._trials if trial.status == "failed"]
        best = self._model.best_untried(self._num_best, {*self._pending, *failed})
        return self._predictions("Highest expected of those not tried", best, style)

    @cached_property
    def _model(self) -> ScoreModel:
        return ScoreModel(self._space, self._trials)

    def _predictions(self, heading: str, patterns: Sequence[str], style: LineStyle) -> Reading:
        if not patterns:
            return Reading(heading, ("nothing",))
        means, deviations = (values.tolist() for values in self._model.predict(patterns))
        is_ranked = style.form.scores == "rank"  # a rank has no deviation
        lines = [
            f"{style.pattern(pattern)} {style.score(mean)}"
            + ("" if is_ranked else f" +- {score_text(deviation, style.noise)}")
            for pattern, mean, deviation in zip(patterns, means, deviations, strict=True)
        ]
        return Reading(heading, tuple(lines), tuple(zip(patterns, means, strict=True)))

    def _effects(self, position: int, noise: float | None) -> Reading:
        effects = self._model.effects_at(position - 1)
        lines = [f"{letter} {_signed(effects[letter], noise)}" for letter in sorted(effects)]
        return Reading(f"Effect of a letter at position {position}", tuple(lines))


def _signed(effect: float, noise: float | None) -> str:
    text = score_text(abs(effect), noise)
    return f"-{text}" if effect < 0 else f"+{text}"
