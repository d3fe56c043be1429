"""The language of a space, by its kind."""

from functools import lru_cache
from typing import Any

from nasarena.agents.context.form import PLAIN_FORM, Form
from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import Candidate
from nasarena.agents.languages.edits import EditLanguage
from nasarena.agents.languages.language import Language
from nasarena.agents.languages.patterns import PatternLanguage, words_of
from nasarena.agents.languages.programs import ProgramLanguage
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.space import PatternSpace


@lru_cache(maxsize=64)
def language_of(space: Any, form: Form = PLAIN_FORM) -> Language:
    """How its candidates are spoken of; only patterns have several forms.

    Raises InvalidSetting for a kind that has no words.
    """
    if isinstance(space, PatternSpace):
        return PatternLanguage(space, form, words_of(form))
    if isinstance(space, EditSpace):
        return EditLanguage(space)
    if isinstance(space, ProgramSpace):
        return ProgramLanguage(space)
    raise InvalidSetting(
        f"agents can speak of patterns, lists of edits and programs, got {type(space).__name__}"
    )


def parse_reply(text: str, view: View) -> Candidate:
    """The candidate in a reply to any operator; raises UnusableReply."""
    return language_of(view.space, view.form).parse(text, view)
