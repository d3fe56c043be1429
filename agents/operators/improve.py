"""Improve: one atomic change to one parent, so that its effect can be told."""

from nasarena.agents.operators import prompts
from nasarena.agents.operators.candidate import (
    Candidate,
    UnusableReply,
    candidate_schema,
    parse_candidate,
    reply_form,
)
from nasarena.agents.operators.prompt import Prompt, framed, lines_of
from nasarena.agents.view import View


def build(view: View) -> Prompt:
    """Ask for one change to the parent."""
    instruction = prompts.IMPROVE.format(parents=lines_of(view.parents, view, hypotheses=True))
    reply = reply_form(view, "the pattern that you start from")
    schema = candidate_schema(view.space)
    return framed(view, instruction, reply, schema, prompts.IMPROVE, prompts.REPLY)


def parse(text: str, view: View) -> Candidate:
    """The candidate in a reply; raises UnusableReply if it is the parent itself."""
    candidate = parse_candidate(text, view.space)
    if candidate.pattern == view.parents[0].pattern:
        raise UnusableReply(
            f"the pattern must differ from the one you start from, got {candidate.pattern} again"
        )
    return candidate
