"""Improve: one atomic change to one parent, so that its effect can be attributed."""

from nasarena.agents.context.view import View
from nasarena.agents.operators import prompts
from nasarena.agents.operators.candidate import (
    Candidate,
    candidate_schema,
    parse_candidate,
    reply_form,
)
from nasarena.agents.operators.prompt import Prompt, build_prompt, lines_of


def build(view: View) -> Prompt:
    """Ask for one change to the parent."""
    instruction = prompts.IMPROVE.format(parents=lines_of(view.parents, view, hypotheses=True))
    reply = reply_form(view)
    schema = candidate_schema(view.space)
    return build_prompt(view, instruction, reply, schema, prompts.IMPROVE, prompts.REPLY)


def parse(text: str, view: View) -> Candidate:
    """The candidate in a reply; raises UnusableReply. The parent again is a duplicate."""
    return parse_candidate(text, view.space)
