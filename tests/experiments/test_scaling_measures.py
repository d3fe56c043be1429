"""What measures models at scale and many machines, on cases done by hand."""

import json
import sys
from pathlib import Path

import httpx
import pytest

from nasarena.experiments.measure.machines.many_workers import Slept, efficiency
from nasarena.experiments.measure.scaling import likelihoods, resume, served, speed, use
from nasarena.experiments.scaling.likelihood import Likelihood
from nasarena.experiments.scaling.task_requests import Question, Request
from nasarena.proxies.data.task import Batch
from nasarena.proxies.data.text_data import ByteText


def test_repeated_steps_are_counted_by_kill(tmp_path: Path) -> None:
    """Two steps again after the first kill, three after the second; a decay's step is another.

    Of two kills while the same steps are trained again, each costs its own.
    """
    order = [1, 2, 3, 2, 3, 4, 5, 3, 4, 5, 6]
    steps = [("trunk", step) for step in order] + [("decay-6", 6)]
    assert resume.most_repeated_in(_record(tmp_path, steps)) == 3
    again = [("trunk", step) for step in (1, 2, 3, 4, 2, 3, 2, 3, 4, 5)]
    assert resume.most_repeated_in(_record(tmp_path, again)) == 3
    decay = [("trunk", 8), ("decay-9", 9), ("trunk", 8), ("decay-9", 9), ("trunk", 9)]
    assert resume.most_repeated_in(_record(tmp_path, decay)) == 2


def _record(folder: Path, steps: list[tuple[str, int]]) -> Path:
    lines = (json.dumps({"part": part, "step": step}) for part, step in steps)
    (folder / "losses.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_efficiency_is_what_workers_slept_of_their_time() -> None:
    """Two workers for 10 s, of which the second begins after 4: 10 + 6 of 20, then 6 + 6 of 12."""
    slept = [Slept(0, 10, 1), Slept(4, 7, 2), Slept(7, 10, 2)]
    assert efficiency(slept, 2, since_s=0) == 16 / 20
    assert efficiency(slept, 2, since_s=4) == 1
    assert efficiency(slept[:2], 2, since_s=5) == (5 + 2) / 10


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


def test_likelihoods_are_compared_answer_by_answer_and_question_by_question() -> None:
    """The second question is answered otherwise; one answer is greedy to one side alone."""
    questions = [Question([Request("?", " a"), Request("?", " b")], 0)] * 2
    ours = [Likelihood(total, 2, False) for total in (-1.0, -2.0, -4.0, -3.0)]
    theirs = [(-1.0, False), (-2.5, True), (-3.0, False), (-3.25, False)]
    row = likelihoods.differences(questions, ours, theirs)
    assert row["largest_difference"] == 1.0
    assert row["largest_relative"] == pytest.approx(1 / 3)
    assert row["other_choices"] == 1 and row["other_greedy"] == 1 and row["tokens"] == 8


def test_a_served_prompt_is_read_from_its_second_token_on(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = {
        "choices": [{"prompt_logprobs": [None, {"7": {"logprob": -0.5}}, {"3": {"logprob": -2.0}}]}]
    }
    request = httpx.Request("POST", "http://test")
    monkeypatch.setattr(
        httpx, "post", lambda *a, **k: httpx.Response(200, json=reply, request=request)
    )
    assert served.prompt_log_probabilities("http://test", "model", [5, 7, 3]) == [-0.5, -2.0]


def test_results_at_use_are_read_from_their_files(tmp_path: Path) -> None:
    """The verdict is that of the accuracy of least p; the held-out bits are the cell's."""
    cell = tmp_path / "cells" / "one"
    cell.mkdir(parents=True)
    result = {"pattern": "AM", "seed": 0, "steps": 2, "tokens": 80, "loss": 1.5,
              "bits_per_byte": 2.25}  # fmt: skip
    (cell / "result-2.json").write_text(json.dumps(result))
    share = {"estimate": 0.5, "low": 0.25, "high": 0.75}
    task = {
        "task": "piqa", "num_questions": 4, "chance": 0.5, "bits_per_byte": 2.5,
        "accuracy": {"share": share, "p_value": 0.6, "verdict": "not above chance"},
        "normalized": {"share": share, "p_value": 0.001, "verdict": "above chance"},
    }  # fmt: skip
    found = {"model": {"pattern": "1A1M"}, "tasks": [task, {**task, "normalized": None}]}
    (cell / "downstream.json").write_text(json.dumps(found))
    first, second = use.task_rows(tmp_path)
    assert (first["verdict"], second["verdict"]) == ("above chance", "not above chance")
    assert (first["held-out bits a byte"], first["tokens"], first["low"]) == (2.25, 80, 0.25)
    head = "pattern,parameters,context,batch,prefill_tokens_per_s,decode_tokens_per_s"
    (cell / "inference.csv").write_text(f"{head},cache_bytes,state_bytes,x\n1A1M,9,1,1,2,3,4,5,6\n")
    (row,) = use.speed_rows(tmp_path)
    assert row["cache_bytes"] == 4 and "x" not in row
