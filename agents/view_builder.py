"""What an agent is shown: the record, blinded as the control demands, cut down by memory.

    record --control--> known --memory--> sections of a view --disguise--> view

A policy chooses from `known`, a prompt shows what `build` returns; nothing else of the run reaches
either of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nasarena.agents.context.controls import (
    AnyDisguise,
    disguise_view,
    draw_disguise,
    shuffle_scores,
)
from nasarena.agents.context.edit_letters import EditLetters
from nasarena.agents.context.trial_text import shown_name
from nasarena.agents.context.view import Section, View, legend
from nasarena.agents.options import AgentOptions
from nasarena.agents.policies.policy import Move, best, operator_of
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.seeding import stream
from nasarena.search.trial import Proposal, Trial


class ViewBuilder:
    """Builds the views of one searcher. `seed` fixes every random choice that a control makes."""

    def __init__(self, space: Any, options: AgentOptions, seed: int) -> None:
        self._space, self._options, self._seed = space, options, seed
        self._memory, self._form = options.recollection(), options.form()
        self._disguise: AnyDisguise | None = None
        is_blind = options.control == "anonymous_letters"
        if options.prompt == "compact" and isinstance(space, EditSpace):
            self._disguise = EditLetters.draw(space, self._stream("disguise") if is_blind else None)
        elif is_blind:
            self._disguise = draw_disguise(space, self._stream("disguise"))

    def visible_trials(self, trials: Sequence[Trial], index: int) -> Sequence[Trial]:
        """The record as the agent may know it when it proposes trial `index`."""
        if self._options.control == "shuffled_scores":
            return shuffle_scores(trials, self._stream("shuffled scores", index))
        return trials

    def build(
        self,
        known: Sequence[Trial],
        move: Move,
        pending: Sequence[Proposal] = (),
        *,
        budget_left: float | None = None,
        wish: float | None = None,
    ) -> View:
        """What the model is shown for a move; without history, the task alone."""
        view = View(
            self._space,
            noise=self._options.noise,
            budget_left=budget_left,
            legend=legend(self._space),
            form=self._form,
        )
        if self._options.control == "no_history":
            return view
        by_index = {trial.index: trial for trial in known}
        parents = tuple(by_index[index] for index in move.parents if index in by_index)
        view = replace(view, known=_scores(known))
        sections, lessons = self._memory.recall(known, parents, view.style)
        view = replace(
            view,
            sections=sections,
            lessons=lessons,
            parents=parents,
            best=None if self._memory.view == "none" else best(known),
            pending=self._names_of(pending),
            last_good=_last_good(parents, by_index),
            num_siblings=_num_siblings(move, known, pending),
            wish=wish,
        )
        return disguise_view(view, self._disguise) if self._disguise else view

    def show_all(self, known: Sequence[Trial], pending: Sequence[Proposal] = ()) -> View:
        """Every trial that the model may know, and what is pending, in the letters it is shown."""
        if self._options.control == "no_history":
            known = pending = ()
        view = View(
            self._space,
            sections=(Section("all", tuple(known)),),
            pending=self._names_of(pending),
        )
        return disguise_view(view, self._disguise) if self._disguise else view

    def reveal(self, pattern: str) -> str:
        """The true pattern behind one in the letters that were shown."""
        return self._disguise.reveal(pattern) if self._disguise else pattern

    def explain(self, text: str) -> str:
        """What the model says of its candidate, with the names of edits it was shown letters of."""
        return self._disguise.explain(text) if isinstance(self._disguise, EditLetters) else text

    def _names_of(self, pending: Sequence[Proposal]) -> tuple[str, ...]:
        """Candidates that are being scored, a line each."""
        return tuple(
            shown_name(one.pattern, one.details.get("name", "without a name"))
            for one in pending
            if one.pattern in self._space
        )

    def _stream(self, *role: str | int) -> np.random.Generator:
        return stream(self._seed, *role)


def _scores(trials: Sequence[Trial]) -> tuple[float, ...]:
    """All scores, once for each pattern."""
    return tuple(
        trial.score for trial in trials if trial.status == "ok" and trial.score is not None
    )


def _last_good(parents: Sequence[Trial], by_index: Mapping[int, Trial]) -> Trial | None:
    """The nearest scored ancestor of the first parent, along first parents."""
    trial = parents[0] if parents else None
    while trial is not None:
        trial = by_index.get(trial.parents[0]) if trial.parents else None
        if trial is not None and trial.status == "ok":
            return trial
    return None


def _num_siblings(move: Move, known: Sequence[Trial], pending: Sequence[Proposal]) -> int:
    """Earlier proposals by the same operator from the same parents."""
    made: tuple[Trial | Proposal, ...] = (*known, *pending)
    return sum(operator_of(one) == move.operator and one.parents == move.parents for one in made)
