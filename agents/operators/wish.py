"""Wish: a pattern for a target score, the candidate sampler of LLAMBO (Liu et al. 2024)."""

from nasarena.agents.context.view import View
from nasarena.agents.languages.choice import language_of
from nasarena.agents.operators.prompt import Prompt, ask_for_candidate


def build(view: View) -> Prompt:
    """Ask for a candidate that would score `view.wish`."""
    words = language_of(view.space, view.form).words
    instruction = words.wish.format(wish=view.style.score(view.wish))
    return ask_for_candidate(view, instruction, words.wish)
