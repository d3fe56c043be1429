"""The candidate that Draft, Improve, Debug and Crossover ask for, its schema and its parser.

The schema has the rationale before the pattern, so that a model that writes left to right reasons
before it commits itself. Parsing is strict about content and lenient about form: a code fence,
prose around the object, raw control characters in a string and a bare pattern are accepted and
marked `salvaged`; a wrong letter, a missing key or a cut-off object is an error whose text is
quoted back to the model.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nasarena.agents.context.form import PLAIN_FORM, Form
from nasarena.agents.llm.text import one_line
from nasarena.search.errors import InvalidPattern
from nasarena.search.notation import expand
from nasarena.search.space import PatternSpace

NAME_LENGTH = 40
HYPOTHESIS_LENGTH = 200
MAX_REPLY = 16_384  # characters; no honest reply comes near, and none longer is looked into

Expected = Literal["better", "worse", "same"]
EXPECTED: tuple[Expected, ...] = ("better", "worse", "same")


class UnusableReply(ValueError):
    """A reply that cannot be read as what was asked for; its text is quoted back to the model.

    `excerpt` are lines that go with the quotation as they stand, such as the nearest piece of a
    program.
    """

    def __init__(self, words: str, excerpt: str = "") -> None:
        super().__init__(words)
        self.excerpt = excerpt


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal as the model made it; `pattern` is in the letters that it was shown.

    `notes` are remembered with the trial, such as edits that were dropped.
    """

    pattern: str
    name: str = ""
    hypothesis: str = ""
    expected: str = ""
    salvaged: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)


def candidate_schema(space: PatternSpace, form: Form = PLAIN_FORM) -> dict[str, Any]:
    """The JSON schema of a candidate: bounded strings, the pattern as a regular expression.

    No regular expression can bound a sum: run lengths that do not add up are left to the parser.
    """
    pattern = f"^[{space.alphabet}]{{{space.depth}}}$"
    if form.notation == "runs":
        pattern = f"^([1-9][0-9]?[{space.alphabet}]){{1,{space.depth}}}$"
    properties = order_keys(
        idea_schema(), {"pattern": {"type": "string", "pattern": pattern}}, form
    )
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def order_keys(idea: Mapping[str, Any], pattern: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """What stands in a reply, in the order of the form."""
    if form.rationale == "off":
        return dict(pattern)
    return {**idea, **pattern} if form.rationale == "before" else {**pattern, **idea}


def parse_candidate(text: str, space: PatternSpace, form: Form = PLAIN_FORM) -> Candidate:
    """The candidate in a reply. Raises UnusableReply, saying what was expected and what came."""
    bare = text.strip() if len(text) <= MAX_REPLY else ""
    if bare in space:
        return Candidate(bare, salvaged=True)
    record, salvaged = read_object(text)
    found = text_of(record, "pattern", None)
    try:
        pattern = space.validate(_expand(found) if form.notation == "runs" else found)
    except InvalidPattern as error:
        raise UnusableReply(str(error)) from error
    if form.rationale == "off":
        return Candidate(pattern, salvaged=salvaged)
    return Candidate(pattern, *read_idea(record), salvaged)


def _expand(text: str) -> str:
    """Run lengths as letters. Raises InvalidPattern, also for counts that no pattern has."""
    if re.search("[0-9]{3}", text):
        raise InvalidPattern(f"run lengths must be below 100, got {one_line(text, 60)!r}")
    return expand(text)


def idea_schema() -> dict[str, Any]:
    """What stands before the candidate itself in every schema."""
    return {
        "name": {"type": "string", "maxLength": NAME_LENGTH},
        "hypothesis": {"type": "string", "maxLength": HYPOTHESIS_LENGTH},
        "expected": {"type": "string", "enum": list(EXPECTED)},
    }


def read_idea(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Name, hypothesis and expected direction. Raises UnusableReply."""
    expected = text_of(record, "expected", None)
    if expected not in EXPECTED:
        raise UnusableReply(f"expected must be better, worse or same, got {one_line(expected, 40)}")
    name = text_of(record, "name", NAME_LENGTH)
    return name, text_of(record, "hypothesis", HYPOTHESIS_LENGTH), expected


def read_object(text: str) -> tuple[Mapping[str, Any], bool]:
    """The JSON object in a reply, and whether anything stood around it.

    Raises UnusableReply, saying why, where there is no complete object.
    """
    if len(text) > MAX_REPLY:
        raise UnusableReply(f"a reply must be one short JSON object, got {len(text)} characters")
    try:
        return _check_object(json.loads(text)), False
    except (ValueError, RecursionError):
        pass  # perhaps only its packaging is wrong
    start, end = text.find("{"), text.rfind("}")
    if start < 0:
        raise UnusableReply(f"a reply must be one JSON object, got {one_line(text, 60)!r}")
    if end < start:
        raise UnusableReply(f"the JSON object is cut off after {one_line(text[start:], 60)!r}")
    try:
        return _check_object(json.loads(text[start : end + 1], strict=False)), True
    except (ValueError, RecursionError) as error:
        raise UnusableReply(f"the reply is no valid JSON: {one_line(str(error), 120)}") from error


def text_of(record: Mapping[str, Any], key: str, limit: int | None) -> str:
    """A string of a reply on one line, at most `limit` characters.

    With a limit of None the string is taken as it is. Raises UnusableReply if there is none.
    """
    value = record.get(key)
    if not isinstance(value, str):
        found = "nothing" if value is None else type(value).__name__
        raise UnusableReply(f"the object must have a string {key!r}, got {found}")
    return value if limit is None else one_line(_without_surrogates(value), limit)


def _check_object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnusableReply(f"a reply must be one JSON object, got {type(value).__name__}")
    return value


def _without_surrogates(text: str) -> str:
    """Half a surrogate pair is legal JSON and cannot be written to a file."""
    return re.sub(r"[\ud800-\udfff]", "?", text)
