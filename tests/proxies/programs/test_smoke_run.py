"""Before a long training a short one; and what a traceback comes to in a line."""

import numpy as np
import pytest

from nasarena.proxies.programs import smoke_run
from nasarena.proxies.programs.crash_words import crash_words
from nasarena.proxies.programs.script_task import ScriptTask, Verdict

_TEXT = np.zeros(5000, dtype=np.uint8)


def verdicts(
    monkeypatch: pytest.MonkeyPatch, seconds: float, *notes: str, steps: int | None = None
) -> tuple[Verdict, list[float]]:
    """The verdict where the trials in turn have these notes (empty: ok), and their seconds."""
    asked: list[float] = []

    def judge(source: str, task: ScriptTask, seed: int) -> Verdict:
        asked.append(task.seconds)
        note = notes[len(asked) - 1]
        return Verdict("failed" if note else "ok", None if note else -2.0, 1.0, note=note)

    monkeypatch.setattr(smoke_run, "judge", judge)
    task = ScriptTask("t", _TEXT, _TEXT, length=8, seconds=seconds, steps=steps, num_windows=9)
    return smoke_run.judge_after_smoke("x = 1", task, 0), asked


def test_a_long_training_begins_where_a_short_one_came_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert verdicts(monkeypatch, 300, "", "")[1] == [5, 300]
    verdict, asked = verdicts(monkeypatch, 300, "ValueError: x (line 3 of train)")
    assert asked == [5] and verdict.status == "failed"
    assert verdict.note == "smoke run: ValueError: x (line 3 of train)"
    verdict, asked = verdicts(monkeypatch, 300, "trained for more than 5 s", "")
    assert asked == [5, 300] and verdict.status == "ok"


def test_a_short_training_is_its_own_smoke_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdicts(monkeypatch, 10, "")[1] == [10]
    assert verdicts(monkeypatch, 60, "", steps=3)[1] == [60]


def test_a_traceback_in_a_line() -> None:
    log = """step 1
Traceback (most recent call last):
  File "/x/train_child.py", line 90, in main
    program["train"](model, tokens, clock)
  File "program.py", line 88, in train
  File "program.py", line 45, in <lambda>
RuntimeError: mat1 and mat2 do not fit
"""
    words = "RuntimeError: mat1 and mat2 do not fit (line 88 of train, line 45 of <lambda>)"
    assert crash_words(log) == words
    assert crash_words("killed\n") == "killed"
    assert crash_words(" \n") == ""
    deep = log.replace('  File "program.py", line 45', '  File "program.py", line 7, in f\n' * 900
                       + '  File "program.py", line 45')  # fmt: skip
    assert len(crash_words(deep)) < 200
