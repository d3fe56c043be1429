"""Analyze: a lesson in words. The model does not judge: all scores come from the proxy."""

from dataclasses import dataclass
from typing import Any

from nasarena.agents.context.view import View
from nasarena.agents.languages.candidate import UnusableReply, read_object, text_of
from nasarena.agents.languages.choice import language_of
from nasarena.agents.operators.prompt import Prompt, build_prompt

EVIDENCE_LENGTH = 200
LESSON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the model believes to have learned, and from what."""

    text: str
    evidence: str
    salvaged: bool = False


def lesson_schema() -> dict[str, Any]:
    """The JSON schema of a lesson; it has no place for a number."""
    return {
        "type": "object",
        "properties": {
            "evidence": {"type": "string", "maxLength": EVIDENCE_LENGTH},
            "lesson": {"type": "string", "maxLength": LESSON_LENGTH},
        },
        "required": ["evidence", "lesson"],
        "additionalProperties": False,
    }


def build(view: View) -> Prompt:
    """Ask for one lesson from the trials in view."""
    words = language_of(view.space, view.form).words
    reply = words.reply_lesson.format(evidence_length=EVIDENCE_LENGTH, lesson_length=LESSON_LENGTH)
    texts = (words.analyze, words.reply_lesson)
    return build_prompt(view, words.analyze, reply, lesson_schema(), *texts)


def parse(text: str, view: View) -> Lesson:
    """The lesson in a reply; raises UnusableReply."""
    record, salvaged = read_object(text)
    lesson = text_of(record, "lesson", LESSON_LENGTH)
    if not lesson:
        raise UnusableReply("the lesson must not be empty")
    return Lesson(lesson, text_of(record, "evidence", EVIDENCE_LENGTH), salvaged)
