"""Patterns: a string of letters, constrained by a regular expression."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nasarena.agents.context.form import PLAIN_FORM, Form
from nasarena.agents.context.trial_text import trial_lines
from nasarena.agents.context.view import View
from nasarena.agents.languages import brief_prompts, prompts
from nasarena.agents.languages.candidate import (
    HYPOTHESIS_LENGTH,
    NAME_LENGTH,
    Candidate,
    candidate_schema,
    order_keys,
    parse_candidate,
)
from nasarena.agents.languages.language import Words
from nasarena.search.notation import run_lengths
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


@lru_cache
def words_of(form: Form) -> Words:
    """The texts of the operators in a form."""
    texts: Any = brief_prompts if form.is_brief else prompts
    says_more = form.rationale != "off" and not form.is_brief
    cues = (prompts.CUE_SIMPLE, prompts.CUE_COMBINED, prompts.CUE_BOLD)
    return Words(
        rules=_rules(form),
        noise=texts.NOISE,
        reply=_reply(form),
        draft=texts.DRAFT,
        cues=("", "", "") if form.is_brief else cues,
        improve=texts.IMPROVE + prompts.IMPROVE_HYPOTHESIS * says_more,
        crossover=texts.CROSSOVER + prompts.CROSSOVER_HYPOTHESIS * says_more,
        debug_failed=texts.DEBUG_FAILED,
        debug_duplicate=texts.DEBUG_DUPLICATE,
        debug_invalid=texts.DEBUG_INVALID,
        wish=texts.WISH,
        analyze=prompts.ANALYZE,
        reply_lesson=prompts.REPLY_LESSON,
    )


def _rules(form: Form) -> str:
    """What a score is, and how it is shown."""
    texts: Any = brief_prompts if form.is_brief else prompts
    scales = {"rank": texts.RANKS, "difference": texts.DIFFERENCES}
    shown = [scales[form.scores]] if form.scores in scales else []
    rules = [] if form.is_brief and shown else [texts.RULES]
    runs = [prompts.RUNS] if form.notation == "runs" else []
    return "\n".join([*rules, *shown, *runs])


def _reply(form: Form) -> str:
    """What a reply is to look like, with the blanks of its keys."""
    is_in_runs = form.notation == "runs"
    if form.is_brief:
        pattern = brief_prompts.RUNS if is_in_runs else brief_prompts.PATTERN
        keys = order_keys({"idea": brief_prompts.IDEA}, {"pattern": pattern}, form)
        return brief_prompts.REPLY.format(keys=", ".join(keys.values()))
    pattern = prompts.PATTERN_IN_RUNS if is_in_runs else prompts.PATTERN
    keys = order_keys({"idea": prompts.IDEA}, {"pattern": pattern}, form)
    return prompts.REPLY.format(keys=";\n".join(keys.values()))


PATTERN_WORDS = words_of(PLAIN_FORM)


@dataclass(frozen=True, slots=True)
class PatternLanguage:
    """As `Language`; without a legend in the view, letters stay signs."""

    space: PatternSpace
    form: Form = PLAIN_FORM
    words: Words = PATTERN_WORDS

    def task_words(self, view: View) -> str:
        texts: Any = brief_prompts if self.form.is_brief else prompts
        return str(texts.LAYERS if view.legend else texts.SIGNS)

    def task(self, view: View) -> str:
        if self.form.is_brief:
            told = [f"{letter} {re.split('[:,]', said)[0]}" for letter, said in view.legend]
            legend = ", ".join(told)
        else:
            legend = "\n".join(f"{letter} - {meaning}" for letter, meaning in view.legend)
        return self.task_words(view).format(
            depth=self.space.depth,
            alphabet=self.space.alphabet,
            size=f"{self.space.size:,}",
            legend=legend,
        )

    def reply_form(self) -> str:
        keys = self.words.reply.format(
            name_length=NAME_LENGTH,
            hypothesis_length=HYPOTHESIS_LENGTH,
            depth=self.space.depth,
            alphabet=self.space.alphabet,
        )
        return f"{keys}\n{self._example()}" if self.form.has_example else keys

    def _example(self) -> str:
        """A reply with a pattern drawn at random once for all: what it scores, nobody looked."""
        pattern = self.space.sample(stream(0, "example of a reply"))
        idea = {"name": "a title", "hypothesis": "the reason", "expected": "better"}
        given = {"pattern": run_lengths(pattern) if self.form.notation == "runs" else pattern}
        return prompts.EXAMPLE.format(reply=json.dumps(order_keys(idea, given, self.form)))

    def schema(self) -> Mapping[str, Any]:
        return candidate_schema(self.space, self.form)

    def regex(self, view: View) -> str | None:
        return None

    def show(self, trials: Sequence[Trial], view: View) -> str:
        return trial_lines(trials, view.style, hypotheses=not self.form.is_brief)

    def show_best(self, view: View) -> str:
        return ""

    def parse(self, text: str, view: View) -> Candidate:
        return parse_candidate(text, self.space, self.form)
