"""Query: a question to the instrument before a proposal, or none. It answers with no candidate."""

from typing import Any

from nasarena.agents.context.instrument import QUERY_KINDS, Query
from nasarena.agents.context.view import View
from nasarena.agents.languages import prompts
from nasarena.agents.languages.candidate import UnusableReply, read_object, text_of
from nasarena.agents.llm.text import one_line
from nasarena.agents.operators.prompt import Prompt, build_prompt
from nasarena.search.errors import InvalidPattern

MAX_PATTERNS = 8  # of one question


def query_schema(view: View) -> dict[str, Any]:
    """The JSON schema of a question; what a kind of question does not need may be left out."""
    pattern = f"^[{view.space.alphabet}]{{{view.space.depth}}}$"
    return {
        "type": "object",
        "properties": {
            "query": {"type": "string", "enum": list(QUERY_KINDS)},
            "patterns": {
                "type": "array",
                "items": {"type": "string", "pattern": pattern},
                "maxItems": MAX_PATTERNS,
            },
            "position": {"type": "integer", "minimum": 1, "maximum": view.space.depth},
        },
        "required": ["query"],
        "additionalProperties": False,
    }


def build(view: View, num_left: int) -> Prompt:
    """Ask for a question, of which there may be `num_left`, this one counted."""
    reply = prompts.REPLY_QUERY.format(
        most=MAX_PATTERNS, depth=view.space.depth, alphabet=view.space.alphabet
    )
    instruction = prompts.QUERY.format(left=num_left)
    texts = (prompts.QUERY, prompts.REPLY_QUERY, prompts.READINGS_HEADING)
    return build_prompt(view, instruction, reply, query_schema(view), *texts)


def parse(text: str, view: View) -> Query:
    """The question in a reply. Raises UnusableReply, saying what was expected and what came."""
    record, _ = read_object(text)
    kind = text_of(record, "query", None)
    if kind == "predict":
        return Query("predict", _patterns_of(record.get("patterns"), view))
    if kind == "effect":
        return Query("effect", position=_position_of(record.get("position"), view.space.depth))
    if kind == "best":
        return Query("best")
    if kind == "none":
        return Query("none")
    raise UnusableReply(f"query must be {', '.join(QUERY_KINDS)}, got {one_line(kind, 40)}")


def _patterns_of(found: object, view: View) -> tuple[str, ...]:
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_PATTERNS:
        raise UnusableReply(f"predict needs a list of 1 to {MAX_PATTERNS} patterns")
    try:
        return tuple(dict.fromkeys(view.space.validate(pattern) for pattern in found))
    except InvalidPattern as error:
        raise UnusableReply(str(error)) from error


def _position_of(found: object, depth: int) -> int:
    is_number = isinstance(found, int) and not isinstance(found, bool)
    if not is_number or not 1 <= found <= depth:  # type: ignore[operator]
        raise UnusableReply(f"effect needs a position from 1 to {depth}")
    return int(found)  # type: ignore[call-overload, no-any-return]
