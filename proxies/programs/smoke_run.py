"""A few steps first: a long training is not begun with a program that cannot end well.

A trial that is short is its own smoke run.
"""

from dataclasses import replace

from nasarena.proxies.programs.judge import judge
from nasarena.proxies.programs.script_task import ScriptTask, Verdict

SMOKE = "smoke run: "  # how the note of a program begins that did not come through
_STEPS, _SECONDS, _WINDOWS = 3, 30.0, 8
_FROM_S = 20.0  # shorter trainings cost less than what three more processes do


def judge_after_smoke(source: str, task: ScriptTask, seed: int) -> Verdict:
    """As `judge`; a program that fails within a few steps is not trained any further."""
    if task.steps is None and task.seconds >= _FROM_S:
        few = replace(task, steps=_STEPS, seconds=min(task.seconds, _SECONDS), num_windows=_WINDOWS)
        verdict = judge(source, few, seed)
        if verdict.status == "failed":
            return replace(verdict, note=f"{SMOKE}{verdict.note}"[:300])
    return judge(source, task, seed)
