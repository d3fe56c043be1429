"""Patterns: a string of letters, constrained by a regular expression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasarena.agents.context.trial_text import trial_lines
from nasarena.agents.context.view import View
from nasarena.agents.languages import prompts
from nasarena.agents.languages.candidate import (
    HYPOTHESIS_LENGTH,
    NAME_LENGTH,
    Candidate,
    candidate_schema,
    parse_candidate,
)
from nasarena.agents.languages.language import Words
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

PATTERN_WORDS = Words(
    rules=prompts.RULES,
    noise=prompts.NOISE,
    reply=prompts.REPLY,
    draft=prompts.DRAFT,
    cues=(prompts.CUE_SIMPLE, prompts.CUE_COMBINED, prompts.CUE_BOLD),
    improve=prompts.IMPROVE,
    crossover=prompts.CROSSOVER,
    debug_failed=prompts.DEBUG_FAILED,
    debug_duplicate=prompts.DEBUG_DUPLICATE,
    debug_invalid=prompts.DEBUG_INVALID,
    wish=prompts.WISH,
    analyze=prompts.ANALYZE,
    reply_lesson=prompts.REPLY_LESSON,
)


@dataclass(frozen=True, slots=True)
class PatternLanguage:
    """As `Language`; without a legend in the view, letters stay signs."""

    space: PatternSpace
    words: Words = PATTERN_WORDS

    def task_words(self, view: View) -> str:
        return prompts.LAYERS if view.legend else prompts.SIGNS

    def task(self, view: View) -> str:
        return self.task_words(view).format(
            depth=self.space.depth,
            alphabet=self.space.alphabet,
            size=f"{self.space.size:,}",
            legend="\n".join(f"{letter} - {meaning}" for letter, meaning in view.legend),
        )

    def reply_form(self) -> str:
        return prompts.REPLY.format(
            name_length=NAME_LENGTH,
            hypothesis_length=HYPOTHESIS_LENGTH,
            depth=self.space.depth,
            alphabet=self.space.alphabet,
        )

    def schema(self) -> Mapping[str, Any]:
        return candidate_schema(self.space)

    def show(self, trials: Sequence[Trial], view: View) -> str:
        return trial_lines(trials, view.noise, hypotheses=True)

    def show_best(self, view: View) -> str:
        return ""

    def parse(self, text: str, view: View) -> Candidate:
        return parse_candidate(text, self.space)
