"""What measures models at scale, on cases done by hand."""

import json
import sys
from pathlib import Path

import pytest

from nasarena.experiments.measure.scaling import resume, speed
from nasarena.proxies.data.task import Batch
from nasarena.proxies.data.text_data import ByteText


def test_repeated_steps_are_counted_by_kill(tmp_path: Path) -> None:
    """Two steps again after the first kill, three after the second; a decay's step is another."""
    order = [1, 2, 3, 2, 3, 4, 5, 3, 4, 5, 6]
    steps = [{"part": "trunk", "step": step} for step in order] + [{"part": "decay-6", "step": 6}]
    (tmp_path / "losses.jsonl").write_text("".join(f"{json.dumps(step)}\n" for step in steps))
    assert resume.most_repeated_in(tmp_path) == 3


def test_a_training_that_fails_by_itself_is_no_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="ended with code 1"):
        resume.kill("torch", tmp_path, step=3, delay_s=0.01)


def test_every_step_but_the_first_is_timed() -> None:
    batch = ByteText(length=4).sample(0, "train", 1)
    seen: list[Batch] = []
    times_s = speed.seconds_in_turn({"own": seen.append, "other": seen.append}, [batch] * 3)
    assert len(seen) == 6
    assert set(times_s) == {"own", "other"} and min(times_s.values()) > 0
