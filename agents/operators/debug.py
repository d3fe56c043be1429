"""Debug: repair a proposal without a score: a failed training, a duplicate, an unusable reply."""

from nasarena.agents.context.view import View
from nasarena.agents.operators import prompts
from nasarena.agents.operators.candidate import (
    Candidate,
    candidate_schema,
    parse_candidate,
    reply_form,
)
from nasarena.agents.operators.prompt import Prompt, build_prompt, lines_of

_INSTRUCTIONS = {
    "failed": prompts.DEBUG_FAILED,
    "duplicate": prompts.DEBUG_DUPLICATE,
    "invalid": prompts.DEBUG_INVALID,
}


def build(view: View) -> Prompt:
    """Ask for a repair of the one parent, whose status says what was wrong with it."""
    words = _INSTRUCTIONS[view.parents[0].status]
    instruction = words.format(parents=lines_of(view.parents, view, hypotheses=True))
    reply = reply_form(view)
    return build_prompt(
        view, instruction, reply, candidate_schema(view.space), words, prompts.REPLY
    )


def parse(text: str, view: View) -> Candidate:
    """The candidate in a reply; raises UnusableReply."""
    return parse_candidate(text, view.space)
