"""A few seconds first: a long training is not begun with a program that cannot end well.

A trial that is short is its own smoke run. Seconds, for a program
need not step an optimizer of PyTorch.
"""

from dataclasses import replace

from nasarena.proxies.programs.judge import TOO_LONG, judge
from nasarena.proxies.programs.script_task import ScriptTask, Verdict

SMOKE = "smoke run: "  # how the note of a program begins that did not come through
_SECONDS, _WINDOWS = 5.0, 8
FROM_S = 20.0  # shorter trainings cost less than what three more processes do


def judge_after_smoke(source: str, task: ScriptTask, seed: int) -> Verdict:
    """As `judge`; a program that fails within a few seconds is not trained any further.

    One whose steps take longer than that has not failed.
    """
    if task.steps is None and task.seconds >= FROM_S:
        few = replace(task, seconds=_SECONDS, num_windows=_WINDOWS)
        verdict = judge(source, few, seed)
        if verdict.status == "failed" and not verdict.note.startswith(TOO_LONG):
            return replace(verdict, note=f"{SMOKE}{verdict.note}"[:300])
    return judge(source, task, seed)
