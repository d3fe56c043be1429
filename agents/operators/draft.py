"""Draft: a new candidate from scratch, more daring with every earlier draft."""

from collections.abc import Sequence

from nasarena.agents.context.view import View
from nasarena.agents.languages.choice import language_of
from nasarena.agents.languages.patterns import PATTERN_WORDS
from nasarena.agents.operators.prompt import Prompt, ask_for_candidate


def cue(num_siblings: int, cues: Sequence[str] = PATTERN_WORDS.cues) -> str:
    """How complex the next draft should be: two plain ones, two combined ones, then bold ones."""
    return cues[min(num_siblings // 2, 2)]


def build(view: View) -> Prompt:
    """Ask for a new idea."""
    language = language_of(view.space, view.form)
    words = language.words
    instruction = words.draft.format(
        cue=cue(view.num_siblings, words.cues), best=language.show_best(view)
    )
    return ask_for_candidate(view, instruction, words.draft, *words.cues)
