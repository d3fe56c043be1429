"""The common frame of all prompts: task and rules first, then memory, then what is asked for.

The system message holds what never changes within a run. In the user message, lessons come before
trials and the newest trials last, so that the longest possible beginning stays the same from call
to call and a server's prefix cache can be used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasarena.agents.context.trial_text import score_text, trial_line
from nasarena.agents.context.view import View
from nasarena.agents.operators import prompts
from nasarena.search.trial import Trial


@dataclass(frozen=True, slots=True)
class Prompt:
    """Chat messages, the JSON schema that the reply must keep, and the version of the words."""

    messages: tuple[Mapping[str, str], ...]
    schema: Mapping[str, Any]
    version: str


def build_prompt(
    view: View, instruction: str, reply: str, schema: Mapping[str, Any], *texts: str
) -> Prompt:
    """A prompt that ends with `instruction`; `texts` are the operator's own words, for hashing."""
    task = prompts.LAYERS if view.legend else prompts.SIGNS
    system = [_fill_task(task, view), prompts.RULES]
    if view.noise:
        system.append(prompts.NOISE.format(noise=score_text(view.noise, view.noise)))
    messages = (
        {"role": "system", "content": "\n\n".join([*system, reply])},
        {"role": "user", "content": "\n\n".join([*_memory(view), instruction])},
    )
    return Prompt(messages, schema, prompts.version(task, prompts.RULES, prompts.NOISE, *texts))


def lines_of(trials: Sequence[Trial], view: View, *, hypotheses: bool = False) -> str:
    """Trials below each other; with `hypotheses`, also what was expected of each."""
    lines = []
    for trial in trials:
        said = trial.details.get("hypothesis", "") if hypotheses else ""
        lines.append(trial_line(trial, view.noise) + (f" - {said}" if said else ""))
    return "\n".join(lines)


def _fill_task(task: str, view: View) -> str:
    return task.format(
        depth=view.space.depth,
        alphabet=view.space.alphabet,
        size=f"{view.space.size:,}",
        legend="\n".join(f"{letter} - {meaning}" for letter, meaning in view.legend),
    )


def _memory(view: View) -> list[str]:
    parts = []
    if view.lessons:
        parts.append("\n".join([f"{prompts.LESSONS_HEADING}:", *view.lessons]))
    for section in view.sections:
        parts.append(f"{section.heading}:\n{lines_of(section.trials, view)}")
    if view.pending:
        parts.append("\n".join([f"{prompts.PENDING_HEADING}:", *view.pending]))
    if view.best is not None:
        parts.append(prompts.BEST.format(line=trial_line(view.best, view.noise)))
    if view.budget_left is not None:
        parts.append(prompts.BUDGET.format(left=f"{view.budget_left:.0%}"))
    if view.readings:
        said = [line for one in view.readings for line in (f"{one.heading}:", *one.lines)]
        parts.append("\n".join([f"{prompts.READINGS_HEADING}:", *said]))
    return parts
