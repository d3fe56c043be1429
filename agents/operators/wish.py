"""Wish: a pattern for a target score, the candidate sampler of LLAMBO (Liu et al. 2024)."""

from nasarena.agents.context.trial_text import score_text
from nasarena.agents.context.view import View
from nasarena.agents.operators import prompts
from nasarena.agents.operators.candidate import (
    Candidate,
    candidate_schema,
    parse_candidate,
    reply_form,
)
from nasarena.agents.operators.prompt import Prompt, build_prompt


def build(view: View) -> Prompt:
    """Ask for a pattern that would score `view.wish`."""
    instruction = prompts.WISH.format(wish=score_text(view.wish, view.noise))
    reply = reply_form(view)
    schema = candidate_schema(view.space)
    return build_prompt(view, instruction, reply, schema, prompts.WISH, prompts.REPLY)


def parse(text: str, view: View) -> Candidate:
    """The candidate in a reply; raises UnusableReply."""
    return parse_candidate(text, view.space)
