"""What an operator may see when it writes a prompt: a frozen picture of the run, and nothing else.

A searcher builds a view before each call; an operator turns it into messages. Between the two a
control may have blinded it (`controls.py`): the letters and scores in a view are those to be
shown, which need not be the true ones. A prompt never shows anything that is not in its view.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any

from nasarena.agents.context.form import PLAIN_FORM, Form
from nasarena.agents.context.trial_text import LineStyle
from nasarena.search.notation import LETTERS
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


@dataclass(frozen=True, slots=True)
class Section:
    """Some remembered trials under one heading, in the order in which they are shown."""

    heading: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an instrument said: a heading, lines, and the patterns with the scores expected."""

    heading: str
    lines: tuple[str, ...]
    predictions: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """The run as one prompt shows it.

    `sections` and `lessons` are what memory keeps within its token budget; `parents` are what the
    operator acts on (none for Draft, two for Crossover). `best` is the best trial so far, shown
    or not. `pending` are patterns proposed in this ask whose scores are not known yet.
    `num_siblings` counts earlier children of the same parent (earlier drafts for Draft). `noise`
    is the standard deviation of a score over seeds, if known; `budget_left` the share of the
    budget that is left, only for a searcher that is declared budget-aware; `wish` a score to aim
    at. `legend` says what letters stand for; it is empty when they are to stay anonymous.
    `readings` are what an instrument said to this agent, in the letters of the view. `last_good` is
    the nearest ancestor of the first parent that was scored; `hint` what the agent is told besides
    its record. `form` is how all of it is written, `known` all scores that ranks and differences
    are told from.
    """

    space: Any  # a space that `agents.languages` has words for
    sections: tuple[Section, ...] = ()
    lessons: tuple[str, ...] = ()
    parents: tuple[Trial, ...] = ()
    best: Trial | None = None
    pending: tuple[str, ...] = ()
    num_siblings: int = 0
    noise: float | None = None
    budget_left: float | None = None
    wish: float | None = None
    legend: tuple[tuple[str, str], ...] = ()
    readings: tuple[Reading, ...] = ()
    last_good: Trial | None = None
    hint: str = ""
    form: Form = PLAIN_FORM
    known: tuple[float, ...] = ()

    @property
    def style(self) -> LineStyle:
        """How lines about trials are written."""
        return LineStyle(self.noise, self.form, self.known)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every remembered trial and parent once, in the order in which they were tried."""
        remembered = chain(*(section.trials for section in self.sections), self.parents)
        by_index = {trial.index: trial for trial in remembered}
        return tuple(by_index[index] for index in sorted(by_index))


def legend(space: Any) -> tuple[tuple[str, str], ...]:
    """What the letters of a space stand for; one without a row in the table is left out.

    Only patterns have letters.
    """
    if not isinstance(space, PatternSpace):
        return ()
    return tuple((sign, LETTERS[sign].meaning) for sign in space.alphabet if sign in LETTERS)
