"""Debug: repair a proposal without a score: a failed training, a duplicate, an unusable reply."""

from nasarena.agents.context.view import View
from nasarena.agents.languages.choice import language_of
from nasarena.agents.operators.prompt import Prompt, ask_for_candidate


def build(view: View) -> Prompt:
    """Ask for a repair of the one parent, whose status says what was wrong with it."""
    language = language_of(view.space, view.form)
    asked = {
        "failed": language.words.debug_failed,
        "duplicate": language.words.debug_duplicate,
        "invalid": language.words.debug_invalid,
    }[view.parents[0].status]
    instruction = asked.format(parents=language.show(view.parents, view))
    return ask_for_candidate(view, instruction, asked)
