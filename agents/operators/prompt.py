"""The common frame of all prompts: task and rules first, then memory, then what is asked for.

The system message holds what never changes within a run. In the user message, lessons come before
trials and the newest trials last, so that the longest possible beginning stays the same from call
to call and a server's prefix cache can be used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nasarena.agents.context.trial_text import score_text, trial_line, trial_lines
from nasarena.agents.context.view import View
from nasarena.agents.languages import prompts
from nasarena.agents.languages.choice import language_of


@dataclass(frozen=True, slots=True)
class Prompt:
    """Chat messages, the JSON schema that the reply must keep if it is JSON, the version of the
    words, and the regular expression that a reply of free text must match."""

    messages: tuple[Mapping[str, str], ...]
    schema: Mapping[str, Any] | None
    version: str
    regex: str | None = None


def build_prompt(
    view: View, instruction: str, reply: str, schema: Mapping[str, Any] | None, *texts: str
) -> Prompt:
    """A prompt that ends with `instruction`; `texts` are the operator's own words, for hashing."""
    language = language_of(view.space, view.form)
    words = language.words
    system = [language.task(view), words.rules]
    if view.noise and view.form.scores != "rank":
        system.append(words.noise.format(noise=score_text(view.noise, view.noise)))
    messages = (
        {"role": "system", "content": "\n\n".join([*system, reply])},
        {"role": "user", "content": "\n\n".join([*_memory(view), instruction])},
    )
    version = prompts.version(language.task_words(view), words.rules, words.noise, *texts)
    return Prompt(messages, schema, version)


def ask_for_candidate(view: View, instruction: str, words: str, *texts: str) -> Prompt:
    """A prompt for a candidate, in the form that the space's language has for it.

    `instruction` are the `words` of an operator, filled in.
    """
    language = language_of(view.space, view.form)
    reply, schema = language.reply_form(), language.schema()
    prompt = build_prompt(view, instruction, reply, schema, words, language.words.reply, *texts)
    return replace(prompt, regex=language.regex(view))


def _memory(view: View) -> list[str]:
    parts = []
    if view.lessons:
        parts.append("\n".join([f"{prompts.LESSONS_HEADING}:", *view.lessons]))
    for section in view.sections:
        parts.append(f"{section.heading}:\n{trial_lines(section.trials, view.style)}")
    if view.pending:
        parts.append(
            "\n".join([f"{prompts.PENDING_HEADING}:", *map(view.style.pattern, view.pending)])
        )
    if view.best is not None and not (view.form.is_brief and view.best in view.trials):
        parts.append(prompts.BEST.format(line=trial_line(view.best, view.style)))
    if view.budget_left is not None:
        parts.append(prompts.BUDGET.format(left=f"{view.budget_left:.0%}"))
    if view.readings:
        said = [line for one in view.readings for line in (f"{one.heading}:", *one.lines)]
        heading = [] if view.form.is_brief else [f"{prompts.READINGS_HEADING}:"]
        parts.append("\n".join([*heading, *said]))
    if view.hint:
        parts.append(view.hint)
    return parts
