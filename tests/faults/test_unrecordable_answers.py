"""Answers and errors of a searcher that cannot be written down or sent end its own run alone."""

from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.search.run_folder import read_run

SETTINGS = (
    "proxy=additive space.depth=4 seeds=1 budget=trials budget.amount=6 references=false "
    "report=false workers=1 name=x"
).split()
HEAD = """
from nasarena.search.errors import NasArenaError
from nasarena.search.trial import Proposal

class Own(NasArenaError):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")

def hostile(history, space, rng):
    pattern = space.sample(rng)
"""
ANSWERS = {
    "a lone surrogate": (r'raise ValueError("bad \ud800")', r"ask raised ValueError: bad \ud800"),
    "an error of two arguments": ("raise Own(1, 2)", "ask raised Own: 1 and 2"),
    "details": ("return Proposal(pattern, details={'a': object()})", "cannot be recorded"),
    "no details": ("return Proposal(pattern, details=None)", "cannot be recorded"),
    "llm": ("return Proposal(pattern, llm='x')", "must be an LlmCost or None, got str"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_run_has_failed_and_the_others_go_on(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, words = ANSWERS[answer]
    (tmp_path / "own.py").write_text(f"{HEAD}    {code}\n")
    assert main(["compare", *SETTINGS, "searchers=[own.py:hostile,random]"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    runs = tmp_path / "runs" / "x"
    (failed,) = [run.parent for run in runs.rglob("run.json") if "hostile" in str(run)]
    assert read_run(failed).state == "failed" and words in read_run(failed).events[-1]["reason"]
    assert read_run(runs / "random" / "seed-0").state == "finished"
    assert main(["status", "runs/x"]) == 1
