"""Whole programs: free text with a file, or with SEARCH/REPLACE blocks against the parent."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasarena.agents.context.trial_text import trial_line
from nasarena.agents.context.view import View
from nasarena.agents.languages import program_texts
from nasarena.agents.languages.candidate import (
    EXPECTED,
    HYPOTHESIS_LENGTH,
    NAME_LENGTH,
    Candidate,
    UnusableReply,
)
from nasarena.agents.languages.language import Words
from nasarena.agents.languages.search_replace import BLOCKS, apply_blocks, find_blocks
from nasarena.agents.llm.text import one_line
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import InvalidPattern
from nasarena.search.trial import Trial

_HEADER = re.compile(r"[\s*#>-]{0,8}(NAME|HYPOTHESIS|EXPECTED)\**:\**(.*)", re.IGNORECASE)
_CALL = re.compile(r"line (\d{1,6}) of ([\w<>]{1,60})")
_FENCE = "```"
_THREE_LINES = (
    rf"NAME: [^\n]{{1,{NAME_LENGTH}}}\nHYPOTHESIS: [^\n]{{1,{HYPOTHESIS_LENGTH}}}\n"
    rf"EXPECTED: ({'|'.join(EXPECTED)})\n"
)
# A reply ends with its program, so a file has no backquote.
_FILE = rf"{_FENCE}python\n[^`]*\n{_FENCE}\n?"
_MOST_OF_DIFF, _MOST_OF_REPLY = 6000, 6000  # characters that a prompt shows
_BESIDE_PROGRAM = 8000  # characters of a reply that are not the program


@dataclass(frozen=True, slots=True)
class ProgramLanguage:
    """As `Language`."""

    space: ProgramSpace
    words: Words = program_texts.WORDS

    def task_words(self, view: View) -> str:
        return program_texts.TASK

    def task(self, view: View) -> str:
        interface = self.space.interface
        functions = [f"{name}({', '.join(args)})" for name, args in interface.functions]
        return program_texts.TASK.format(
            about=self.space.about,
            functions=" and ".join(functions),
            imports=", ".join(interface.imports),
            characters=f"{interface.most_characters:,}",
            given=_code_block(self.space.drafts[0][1]),
        )

    def reply_form(self) -> str:
        return self.words.reply.format(name_length=NAME_LENGTH, hypothesis_length=HYPOTHESIS_LENGTH)

    def schema(self) -> Mapping[str, Any] | None:
        return None

    def regex(self, view: View) -> str | None:
        """Small models end after the three lines, or never write them, where nothing holds them."""
        is_changed = self._base(view) is not None
        return f"{_THREE_LINES}({_FILE}|{BLOCKS})" if is_changed else f"{_THREE_LINES}{_FILE}"

    def show(self, trials: Sequence[Trial], view: View) -> str:
        return "\n\n".join(self._whole(trial, view) for trial in trials)

    def show_best(self, view: View) -> str:
        best = view.best
        if best is None or best.pattern not in self.space:
            return ""
        if self.space.identity(best.pattern) == self.space.identity(self.space.drafts[0][1]):
            return ""  # the task shows it
        return program_texts.BEST.format(program=self._whole(best, view))

    def parse(self, text: str, view: View) -> Candidate:
        most = self.space.interface.most_characters + _BESIDE_PROGRAM
        if len(text) > most:
            raise UnusableReply(f"an answer has at most {most} characters, got {len(text)}")
        bare = text.strip() + "\n"
        if bare in self.space:
            return Candidate(bare, salvaged=True)
        blocks = find_blocks(text)
        notes = {"form": "blocks" if blocks else "file"}
        if blocks:
            base = self._base(view)
            if base is None:
                raise UnusableReply(
                    "there is no program that blocks could change: write the whole file"
                )
            source, was_loose = apply_blocks(base, blocks)
            if was_loose:
                notes["match"] = "white space disregarded"
        else:
            source = _find_file(text)
        name, hypothesis, expected = _read_header(text)
        try:
            source = self.space.validate(source)
        except InvalidPattern as error:
            raise UnusableReply(one_line(str(error), 300)) from error
        return Candidate(source, name, hypothesis, expected, notes=notes)

    def _base(self, view: View) -> str | None:
        """What blocks change: the first parent, or where that is no program the last good one."""
        for trial in (*view.parents[:1], view.last_good):
            if trial is not None and trial.pattern in self.space:
                return trial.pattern
        return None

    def _whole(self, trial: Trial, view: View) -> str:
        """Line and program; of a failure also where it failed, and what was changed."""
        if trial.pattern not in self.space:
            reply = trial.pattern[:_MOST_OF_REPLY]
            return f"{trial_line(trial, view.style)}\n{_code_block(reply, '')}"
        parts = [trial_line(trial, view.style), _code_block(trial.pattern)]
        if trial.status == "failed":
            if trial.note.startswith("smoke run: "):
                parts.append(program_texts.SMOKE)
            if calls := _failing_lines(trial):
                parts.append("\n".join([program_texts.TRACE, *calls]))
            if view.last_good is not None and view.last_good.index != trial.index:
                diff = self.space.difference(view.last_good.pattern, trial.pattern)
                heading = program_texts.CHANGED.format(index=view.last_good.index)
                parts.append(f"{heading}\n{_code_block(diff[:_MOST_OF_DIFF], 'diff')}")
        return "\n".join(parts)


def _failing_lines(trial: Trial) -> list[str]:
    """The calls that a note names, each with its line of the program, then the error."""
    lines = trial.pattern.split("\n")
    found = [(int(number), name) for number, name in _CALL.findall(trial.note)]
    calls = [
        f"  line {number}, in {name}: {lines[number - 1].strip()}"
        for number, name in found
        if 0 < number <= len(lines)
    ]
    return [*calls, trial.note.partition(" (line ")[0]] if calls else []


def _find_file(text: str) -> str:
    """The longest fenced text. Raises UnusableReply where there is none, or one without an end."""
    files: list[str] = []
    inside: list[str] | None = None
    for line in text.split("\n"):
        if not line.lstrip().startswith(_FENCE):
            if inside is not None:
                inside.append(line)
        elif inside is None:
            inside = []
        else:
            files.append("\n".join(inside))
            inside = None
    if inside is not None and not files:
        raise UnusableReply("the program is cut off: the last line must be three backquotes")
    if not files:
        raise UnusableReply(
            "the answer must hold a program between lines of three backquotes, or blocks, got "
            f"{one_line(text, 60)!r}"
        )
    return max(files, key=len) + "\n"


def _read_header(text: str) -> tuple[str, str, str]:
    """Name, hypothesis and expected direction. Raises UnusableReply."""
    found: dict[str, str] = {}
    for line in text.split("\n")[:200]:
        match = _HEADER.fullmatch(line[:2000])
        if match is not None:
            found.setdefault(match[1].upper(), match[2].strip())
    expected = found.get("EXPECTED", "").lower().strip(" .*\"'`")
    if expected not in EXPECTED:
        raise UnusableReply(
            f"the line EXPECTED: must say better, worse or same, got {one_line(expected, 40)!r}"
        )
    name = one_line(found.get("NAME", ""), NAME_LENGTH)
    return name, one_line(found.get("HYPOTHESIS", ""), HYPOTHESIS_LENGTH), expected


def _code_block(text: str, kind: str = "python") -> str:
    return f"{_FENCE}{kind}\n{text.rstrip()}\n{_FENCE}"
