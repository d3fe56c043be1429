"""Lists of edits: a JSON object with a typed, bounded property for each edit of the catalogue.

Edits that mean nothing beside the others are dropped, as those of every searcher are, and the trial
says which; a name or a value that the catalogue does not have makes a reply unusable.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasarena.agents.context.trial_text import trial_lines
from nasarena.agents.context.view import View
from nasarena.agents.languages import edit_texts
from nasarena.agents.languages.candidate import (
    HYPOTHESIS_LENGTH,
    MAX_REPLY,
    NAME_LENGTH,
    Candidate,
    UnusableReply,
    idea_schema,
    read_idea,
    read_object,
)
from nasarena.agents.languages.language import Words
from nasarena.agents.llm.text import one_line
from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidPattern
from nasarena.search.trial import Trial


@dataclass(frozen=True, slots=True)
class EditLanguage:
    """As `Language`. A catalogue that says of no edit what it changes is under neutral names."""

    space: EditSpace
    words: Words = edit_texts.WORDS

    def task_words(self, view: View) -> str:
        is_named = self.space.about or any(edit.about for edit in self.space.edits)
        return edit_texts.TASK if is_named else edit_texts.NEUTRAL_TASK

    def task(self, view: View) -> str:
        lines = [catalogue_line(edit) for edit in self.space.edits]
        return "\n".join([self.task_words(view).format(about=self.space.about), *lines])

    def reply_form(self) -> str:
        shown = self.space.edits[:2]
        return self.words.reply.format(
            name_length=NAME_LENGTH,
            hypothesis_length=HYPOTHESIS_LENGTH,
            example=json.dumps({edit.name: edit.read(edit.default) for edit in shown}),
        )

    def schema(self) -> Mapping[str, Any]:
        edits = {edit.name: value_schema(edit) for edit in self.space.edits}
        given = {"type": "object", "properties": edits, "additionalProperties": False}
        properties = {**idea_schema(), "edits": given}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def regex(self, view: View) -> str | None:
        return None

    def show(self, trials: Sequence[Trial], view: View) -> str:
        return trial_lines(trials, view.style, hypotheses=True)

    def show_best(self, view: View) -> str:
        return ""

    def parse(self, text: str, view: View) -> Candidate:
        bare = text.strip() if len(text) <= MAX_REPLY else ""
        if bare in self.space:
            return Candidate(bare, salvaged=True)
        record, salvaged = read_object(text)
        found = record.get("edits")
        if not isinstance(found, Mapping):
            kind = "nothing" if found is None else type(found).__name__
            raise UnusableReply(f"the object must have an object 'edits', got {kind}")
        try:
            values = {name: _spell(self.space.edit(name), value) for name, value in found.items()}
            candidate = self.space.repair(values)
        except InvalidPattern as error:
            raise UnusableReply(one_line(str(error), 300)) from error
        kept = self.space.given(candidate)
        dropped = [
            name for name, value in values.items()
            if name not in kept and value != self.space.edit(name).default
        ]  # fmt: skip
        notes = {"dropped": ", ".join(dropped)} if dropped else {}
        return Candidate(candidate, *read_idea(record), salvaged, notes)


def catalogue_line(edit: Edit) -> str:
    """Name, values, default, what it changes, and what it goes with."""
    if edit.is_ordered:
        on_log = " (log scale)" if edit.kind == "log" else ""
        values = f"{'integer' if edit.kind == 'int' else 'number'} {edit.low:g} to {edit.high:g}"
        values += on_log
    else:
        values = "|".join(edit.values)
    notes = [edit.about] if edit.about else []
    notes += [f"only with {name}={'|'.join(allowed)}" for name, allowed in edit.requires]
    notes += [f"not with {name}" for name in edit.excludes]
    said = f"; {'; '.join(notes)}" if notes else ""
    return f"{edit.name}: {values} ={edit.default}{said}"


def value_schema(edit: Edit) -> dict[str, Any]:
    """The JSON schema of one value."""
    if not edit.is_ordered:
        return {"type": "string", "enum": list(edit.values)}
    if edit.kind == "int":
        return {"type": "integer", "minimum": int(edit.low), "maximum": int(edit.high)}
    return {"type": "number", "minimum": edit.low, "maximum": edit.high}


def _spell(edit: Edit, value: object) -> str:
    """A value of a reply as the catalogue writes it: also `true` for on, `64` for the choice "64".

    Raises InvalidPattern for one that the edit cannot have.
    """
    if isinstance(value, bool):
        return edit.parse("on" if value else "off")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int | float):
        return edit.parse(repr(value)[:60])
    if isinstance(value, str):
        return edit.parse(value)
    raise InvalidPattern(f"edit {edit.name} must be a number or a word, got {value!r:.40}")
