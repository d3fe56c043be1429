"""The form of a prompt: everything about it that can be chosen without changing what it tells.

Which trials are shown is memory's affair, and in which words an operator asks is a language's. A
form is plain values, so that it can be studied one value at a time.
"""

from dataclasses import dataclass
from typing import Literal

# `section`: each section of memory has an order of its own (`memory.py`).
Order = Literal["section", "best_last", "best_first", "time"]
Scores = Literal["raw", "rank", "difference"]
Notation = Literal["letters", "runs"]
Rationale = Literal["before", "after", "off"]


@dataclass(frozen=True, slots=True)
class Form:
    """How a prompt about patterns is written, and which reply it asks for.

    `is_brief`: few words, and lines that hold pattern and score alone. `scores` as they are, as
    ranks (1 is the best) or as differences to the best. `notation`: patterns as letters or as run
    lengths, in prompts and replies. `rationale`: where name, hypothesis and expectation stand in a
    reply. `has_example`: whether a reply is shown.
    """

    is_brief: bool = False
    scores: Scores = "raw"
    notation: Notation = "letters"
    rationale: Rationale = "before"
    has_example: bool = False


PLAIN_FORM = Form()
