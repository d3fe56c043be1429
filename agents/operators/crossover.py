"""Crossover: one child of two parents, chosen by reasoning instead of at random."""

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
    """Ask for a child of the two parents."""
    parents = lines_of(view.parents, view, hypotheses=True)
    instruction = prompts.CROSSOVER.format(parents=parents)
    reply = reply_form(view)
    schema = candidate_schema(view.space)
    return build_prompt(view, instruction, reply, schema, prompts.CROSSOVER, prompts.REPLY)


def parse(text: str, view: View) -> Candidate:
    """The candidate in a reply; raises UnusableReply."""
    return parse_candidate(text, view.space)
