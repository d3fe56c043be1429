"""No trick gives a score that was not earned.

The held-out bytes are four letters at random: two bits each, whoever learns what. A program that
gets less has been believed something.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasarena.proxies.programs import judge as judge_file
from nasarena.proxies.programs import windows
from nasarena.proxies.programs.judge import judge
from nasarena.proxies.programs.script_task import ScriptTask, Verdict
from nasarena.proxies.sandbox.levels import why_missing
from program_hacks import HACKS, HONEST, PEEK

ROOT = Path(__file__).parents[3]
LEAST_BITS = 1.97  # 1,024 letters at random, and what can be lucky about them

pytestmark = pytest.mark.skipif(bool(why_missing("landlock")), reason=why_missing("landlock"))


def letters(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.frombuffer(b"acgt", np.uint8), size)


TASK = ScriptTask(
    "letters", letters(0, 2000), letters(1, 2000), length=16, seconds=8.0, warmup_seconds=0.5,
    steps=12, num_windows=64, score_seconds=20.0,
)  # fmt: skip


def verdict_on(hack: str, folder: Path, task: ScriptTask = TASK) -> Verdict:
    (folder / "held_out").write_bytes(task.held_out.tobytes())
    places = {
        "held_out": str(folder / "held_out"),
        "flag": str(folder / "flag"),
        "judge": judge_file.__file__,
        "repository": str(ROOT),
        "cache": str(folder),
        "parent": os.getpid(),
    }
    return judge(f"PLACES = {places!r}\n{HONEST}{hack}", task, seed=0)


def test_an_honest_program_has_the_score_that_it_earned(tmp_path: Path) -> None:
    verdict = verdict_on("", tmp_path)
    assert verdict.status == "ok", verdict
    assert LEAST_BITS < verdict.metrics["bits_per_byte"] < 3.0
    assert verdict.score == -verdict.metrics["bits_per_byte"]
    assert verdict.metrics["num_parameters"] == 256 * 256
    assert verdict_on("", tmp_path).score == verdict.score


WHY = {
    "timers that stand still": "trained for more than 0.5 s",
    "metrics that are printed": "ok",
    "metrics that are written to every pipe": "more",
    "an end with success and without a result": "left no weights",
    "an exit hook that goes on": "ok",
    "the file of the held-out text": "held_out",
    "a look one byte ahead": "depend on later bytes",
    "a look ahead at few places": "depend on later bytes",
    "a look ahead that remembers beginnings": "depend on later bytes",
    "a look at the other windows of a batch": "depend on later bytes",
    "learning from the windows while they are scored": "depend on later bytes",
    "answers by chance": "depend on later bytes",
    "outputs that are not normalized": "ok",
    "logits that lie about their shape": "while scoring",
    "logits for fewer bytes": "expected [32, 16, 256]",
    "logits that are whole numbers": "torch.int64, expected",
    "logits that are no numbers": "not finite",
    "logits that are infinite": "not finite",
    "a daemon that goes on after the clock": "",
    "threads that go on after the clock": "ok",
    "functions of PyTorch that are replaced": "ok",
    "numpy that says nothing": "did not answer in time",
    "weights that are a pickle with code": "weights that cannot be read",
    "weights with a broken header": "weights that cannot be read",
    "weights that are a link": "left no weights",
    "weights that are a second name": "left no weights",
    "weights of a hundred megabytes": "left no weights",
    "files of the judge that are overwritten": "Permission denied",
    "files in the repository and the cache": "exit 3",
    "the memory of the parent": "exit 3",
    "an answer of the wrong length": "in place of a shape",
    "more words after the answers": "wrote",
    "a gigabyte on standard output": "",
    "a gigabyte on the pipe of the answers": "while scoring",
    "the training bytes before the clock": "ok",
    "no answer at all": "did not answer in time",
    "no interest in the input": "while scoring",
}


def test_every_trick_has_a_cause() -> None:
    assert set(WHY) == set(HACKS) and len(HACKS) >= 15


@pytest.mark.parametrize("name", HACKS)
def test_a_trick_is_not_believed(name: str, tmp_path: Path) -> None:
    task = TASK
    if name == "timers that stand still":
        task = replace(TASK, seconds=0.5, steps=None)
    if WHY[name] in ("did not answer in time", "while scoring"):
        task = replace(TASK, score_seconds=2.0)
    before = Path(judge_file.__file__).read_bytes()
    verdict = verdict_on(HACKS[name], tmp_path, task)
    assert verdict.status == "failed" or verdict.metrics["bits_per_byte"] > LEAST_BITS, verdict
    assert "\n" not in verdict.note
    assert verdict.status == "ok" if WHY[name] == "ok" else WHY[name] in verdict.note, verdict
    assert Path(judge_file.__file__).read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["held_out"]
    assert not (ROOT / "hacked").exists()


def test_without_the_twins_a_look_ahead_would_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trick works; it is the comparison that finds it."""
    monkeypatch.setattr(windows, "TOLERANCE", np.inf)
    assert verdict_on(PEEK, tmp_path).metrics["bits_per_byte"] < 1.0


def test_nothing_is_found_again_in_the_next_trial(tmp_path: Path) -> None:
    hide = """
PLACES_TO_HIDE = [os.getcwd(), os.environ["HOME"], "/tmp", "/dev/shm", "/var/tmp", "/run"]
found = [one for one in PLACES_TO_HIDE if os.path.exists(one + "/cached-answers")]
for one in PLACES_TO_HIDE:
    try: open(one + "/cached-answers", "w").write("x")
    except OSError: pass
if found: raise SystemExit("found again in " + found[0])
"""
    for _ in range(2):
        verdict = verdict_on(hide, tmp_path)
        assert verdict.status == "ok", verdict


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("def build_model(", "SyntaxError"),
        ("x = 1", "KeyError: 'build_model'"),
        ("raise ValueError('one\\ntwo')", "two"),
        ("\0", "null bytes"),
        ("x = " + "(" * 5000, "too many nested parentheses"),
    ],
)
def test_a_program_that_is_none_fails_with_its_cause(source: str, note: str) -> None:
    verdict = judge(source, TASK, seed=0)
    assert verdict.status == "failed" and note in verdict.note, verdict
