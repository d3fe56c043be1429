"""The language of a space, by its kind."""

from functools import lru_cache
from typing import Any

from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import Candidate
from nasarena.agents.languages.edits import EditLanguage
from nasarena.agents.languages.language import Language
from nasarena.agents.languages.patterns import PatternLanguage
from nasarena.agents.languages.programs import ProgramLanguage
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.space import PatternSpace


@lru_cache(maxsize=16)
def language_of(space: Any) -> Language:
    """How its candidates are spoken of. Raises InvalidSetting for a kind that has no words."""
    if isinstance(space, PatternSpace):
        return PatternLanguage(space)
    if isinstance(space, EditSpace):
        return EditLanguage(space)
    if isinstance(space, ProgramSpace):
        return ProgramLanguage(space)
    raise InvalidSetting(
        f"agents can speak of patterns, lists of edits and programs, got {type(space).__name__}"
    )


def parse_reply(text: str, view: View) -> Candidate:
    """The candidate in a reply to any operator; raises UnusableReply."""
    return language_of(view.space).parse(text, view)
