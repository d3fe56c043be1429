"""What an agent has to know of a kind of candidate: words for it, and how a reply is read.

A `Language` is a pure function of a space. Operators take their words from it, fill in the blanks
and read replies with it, and know nothing else of what a candidate is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import Candidate
from nasarena.search.trial import Trial


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of all operators about one kind of candidate; blanks are in braces.

    `rules` and `noise` ({noise}) join the task; `reply` and `reply_lesson` say what form an answer
    has; the others ask for something: {parents} are the trials acted on, {best} the best
    one, {cue} one of `cues`, {wish} a score.
    """

    rules: str
    noise: str
    reply: str
    draft: str
    cues: tuple[str, str, str]
    improve: str
    crossover: str
    debug_failed: str
    debug_duplicate: str
    debug_invalid: str
    wish: str
    analyze: str
    reply_lesson: str


class Language(Protocol):
    """How candidates of one space are described to a model, and read from what it says."""

    @property
    def words(self) -> Words:
        """The texts of the operators."""
        ...

    def task_words(self, view: View) -> str:
        """What is searched, with its blanks: a part of a prompt's version."""
        ...

    def task(self, view: View) -> str:
        """The same, filled in: what never changes within a run."""
        ...

    def reply_form(self) -> str:
        """`words.reply`, filled in."""
        ...

    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema that a reply must keep; None where a reply is free text."""
        ...

    def regex(self, view: View) -> str | None:
        """The regular expression that a reply of free text must match; None where it is JSON."""
        ...

    def show(self, trials: Sequence[Trial], view: View) -> str:
        """The trials that an operator acts on, whole."""
        ...

    def show_best(self, view: View) -> str:
        """The best trial whole, for a draft, where a line does not say all of it."""
        ...

    def parse(self, text: str, view: View) -> Candidate:
        """The candidate in a reply. Raises UnusableReply, saying what was expected and came."""
        ...
