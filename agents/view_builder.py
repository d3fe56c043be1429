"""What an agent is shown: the record, blinded as the control demands, cut down by memory.

    record --control--> known --memory--> sections of a view --disguise--> view

A policy chooses from `known`, a prompt shows what `build` returns; nothing else of the run reaches
either of them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasarena.agents.context.controls import Disguise, shuffle_scores
from nasarena.agents.context.view import Section, View, legend
from nasarena.agents.options import AgentOptions
from nasarena.agents.policies.policy import Move, best, operator_of
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial


class ViewBuilder:
    """Builds the views of one searcher. `seed` fixes every random choice that a control makes."""

    def __init__(self, space: PatternSpace, options: AgentOptions, seed: int) -> None:
        self._space, self._options, self._seed = space, options, seed
        self._memory = options.recollection()
        self._disguise: Disguise | None = None
        if options.control == "anonymous_letters":
            self._disguise = Disguise.draw(space.alphabet, self._stream("disguise"))

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
        )
        if self._options.control == "no_history":
            return view
        by_index = {trial.index: trial for trial in known}
        parents = tuple(by_index[index] for index in move.parents if index in by_index)
        sections, lessons = self._memory.recall(known, parents, self._options.noise)
        view = replace(
            view,
            sections=sections,
            lessons=lessons,
            parents=parents,
            best=None if self._memory.view == "none" else best(known),
            pending=tuple(one.pattern for one in pending if one.pattern in self._space),
            num_siblings=_num_siblings(move, known, pending),
            wish=wish,
        )
        return self._disguise.view(view) if self._disguise else view

    def show_all(self, known: Sequence[Trial], pending: Sequence[Proposal] = ()) -> View:
        """Every trial that the model may know, and what is pending, in the letters it is shown."""
        if self._options.control == "no_history":
            known = pending = ()
        view = View(
            self._space,
            sections=(Section("all", tuple(known)),),
            pending=tuple(one.pattern for one in pending if one.pattern in self._space),
        )
        return self._disguise.view(view) if self._disguise else view

    def reveal(self, pattern: str) -> str:
        """The true pattern behind one in the letters that were shown."""
        return self._disguise.reveal(pattern) if self._disguise else pattern

    def _stream(self, *role: str | int) -> np.random.Generator:
        return stream(self._seed, *role)


def _num_siblings(move: Move, known: Sequence[Trial], pending: Sequence[Proposal]) -> int:
    """Earlier proposals by the same operator from the same parents."""
    made: tuple[Trial | Proposal, ...] = (*known, *pending)
    return sum(operator_of(one) == move.operator and one.parents == move.parents for one in made)
