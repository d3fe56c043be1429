"""Crossover: one child of two parents, chosen by reasoning instead of at random."""

from nasarena.agents.context.view import View
from nasarena.agents.languages.choice import language_of
from nasarena.agents.operators.prompt import Prompt, ask_for_candidate


def build(view: View) -> Prompt:
    """Ask for a child of the two parents."""
    language = language_of(view.space, view.form)
    instruction = language.words.crossover.format(parents=language.show(view.parents, view))
    return ask_for_candidate(view, instruction, language.words.crossover)
