"""Draft: a new pattern from scratch, more daring with every earlier draft."""

from nasarena.agents.context.view import View
from nasarena.agents.operators import prompts
from nasarena.agents.operators.candidate import (
    Candidate,
    candidate_schema,
    parse_candidate,
    reply_form,
)
from nasarena.agents.operators.prompt import Prompt, build_prompt

_CUES = (prompts.CUE_SIMPLE, prompts.CUE_COMBINED, prompts.CUE_BOLD)


def cue(num_siblings: int) -> str:
    """How complex the next draft should be: two plain ones, two combined ones, then bold ones."""
    return _CUES[min(num_siblings // 2, 2)]


def build(view: View) -> Prompt:
    """Ask for a new idea."""
    instruction = prompts.DRAFT.format(cue=cue(view.num_siblings))
    reply = reply_form(view)
    schema = candidate_schema(view.space)
    return build_prompt(view, instruction, reply, schema, prompts.DRAFT, prompts.REPLY, *_CUES)


def parse(text: str, view: View) -> Candidate:
    """The candidate in a reply; raises UnusableReply."""
    return parse_candidate(text, view.space)
