"""Improve: one atomic change to one parent, so that its effect can be attributed."""

from nasarena.agents.context.view import View
from nasarena.agents.languages.choice import language_of
from nasarena.agents.operators.prompt import Prompt, ask_for_candidate


def build(view: View) -> Prompt:
    """Ask for one change to the parent. The parent again is a duplicate."""
    language = language_of(view.space, view.form)
    instruction = language.words.improve.format(parents=language.show(view.parents, view))
    return ask_for_candidate(view, instruction, language.words.improve)
