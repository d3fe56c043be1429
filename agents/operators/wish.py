"""Wish: a pattern for a target score, the candidate sampler of LLAMBO (Liu et al. 2024)."""

from nasarena.agents.context.trial_text import score_text
from nasarena.agents.context.view import View
from nasarena.agents.languages.choice import language_of
from nasarena.agents.operators.prompt import Prompt, ask_for_candidate


def build(view: View) -> Prompt:
    """Ask for a candidate that would score `view.wish`."""
    words = language_of(view.space).words
    instruction = words.wish.format(wish=score_text(view.wish, view.noise))
    return ask_for_candidate(view, instruction, words.wish)
