"""Folders that cannot be compared as they are: refused in one line, or shown apart with the reason.

Nothing is ever averaged over silently: what is left out stands in table.csv, report.md and
report.html, with why; a comparison that shows nothing says that it shows nothing.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fakes import edit_events
from nasarena.experiments.commands.cli import main
from nasarena.figures.comparison import write_all
from nasarena.figures.plots.heatmap import best_patterns
from nasarena.figures.report.conclusion import Conclusion
from nasarena.figures.report.fairness import fairness
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.tables import read_tables
from nasarena.search.run_folder import read_run
from nasarena.search.space import PatternSpace

Add = Callable[..., Path]


def refusal_of(capsys: pytest.CaptureFixture[str], folder: Path, command: str = "report") -> str:
    """The one line that a command says before it gives up with exit code 2."""
    assert main([command, str(folder)]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and line.startswith("nasarena: ")
    return line


def write_and_check(folder: Path) -> Conclusion:
    """Everything but most figures; each reason must stand in all three files."""
    conclusion = write_all(folder, "nasarena report", only=("ranking",))
    table = pd.read_csv(folder / "table.csv")
    page = (folder / "report.html").read_text()
    for run in conclusion.analysis.tables.excluded:
        reason = run.reason.replace("'", "&#39;")
        assert run.reason in (folder / "report.md").read_text() and reason in page
        assert any(run.reason in str(words) for words in table["reason"])
    return conclusion


def reasons(conclusion: Conclusion) -> dict[tuple[str, int], str]:
    return {(run.searcher, run.seed): run.reason for run in conclusion.analysis.tables.excluded}


def edit_config(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    header = json.loads((run / "run.json").read_text())
    change(header["config"])
    (run / "run.json").write_text(json.dumps(header))


@pytest.mark.parametrize("command", ["report", "figures"])
def test_a_folder_that_is_missing_or_empty_is_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is no folder" in refusal_of(capsys, tmp_path / "nowhere", command)
    assert "holds no run of a searcher" in refusal_of(capsys, tmp_path, command)
    assert list(tmp_path.iterdir()) == []  # and nothing was written into it


def test_references_alone_are_no_comparison(
    tmp_path: Path, add_run: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    add_run(tmp_path, "references", 0, references={"striped": "AMSAMS"})
    assert "holds no run of a searcher" in refusal_of(capsys, tmp_path)


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"config": {}}'])
def test_a_damaged_header_is_refused(
    text: str, tmp_path: Path, add_run: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    (add_run(tmp_path, "random", 0) / "run.json").write_text(text)
    assert "random/seed-0/run.json cannot be read as the header of a run" in refusal_of(
        capsys, tmp_path
    )


def test_a_record_damaged_in_the_middle_is_refused(
    tmp_path: Path, add_run: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    file = add_run(tmp_path, "random", 0) / "events.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:4], b"\x00\x00\n", *lines[4:]]))
    assert "events.jsonl" in refusal_of(capsys, tmp_path)


def test_partial_runs_stand_apart(tmp_path: Path, add_run: Add) -> None:
    """Cut between two events, in the middle of a line, or before the first."""
    for seed in (0, 1):
        add_run(tmp_path, "random", seed)
        add_run(tmp_path, "climber", seed, greed=0.9)
    cut, torn, begun = (
        add_run(tmp_path, name, 0) / "events.jsonl" for name in ("cut", "torn", "begun")
    )
    lines = cut.read_bytes().splitlines(keepends=True)
    cut.write_bytes(b"".join(lines[: len(lines) // 2]))
    torn.write_bytes(torn.read_bytes()[:-20])
    begun.unlink()
    conclusion = write_and_check(tmp_path)
    found = reasons(conclusion)
    assert set(found) == {("cut", 0), ("torn", 0), ("begun", 0)}
    assert all(reason.startswith("not finished: it stands at") for reason in found.values())
    assert "it stands at 0 trials" in found["begun", 0]
    assert conclusion.analysis.tables.searchers == ["climber", "random"]


def test_when_nothing_is_finished_the_report_says_that_alone(tmp_path: Path, add_run: Add) -> None:
    for name in ("random", "climber"):
        file = add_run(tmp_path, name, 0) / "events.jsonl"
        file.write_bytes(file.read_bytes()[:-20])
    conclusion = write_and_check(tmp_path)
    assert conclusion.verdict[0].startswith("No conclusion: none of the 2 runs finished")
    assert conclusion.analysis.standings.places == [] and conclusion.fairness == []
    assert not (tmp_path / "anchors.json").exists()  # nothing to freeze yet


CONDITIONS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another proxy": (
        lambda config: config["proxy"].update(name="quick"),
        "proxy.name is 'quick', not 'letters'",
    ),
    "another version of it": (
        lambda config: config["proxy"].update(version="8"),
        "proxy.version is '8', not '7'",
    ),
    "winners trained by another proxy": (
        lambda config: config.update(final_proxy={"name": "quick", "version": "3"}),
        "final_proxy is {'name': 'quick', 'version': '3'}, not None",
    ),
    "another space": (
        lambda config: config["space"].update(alphabet="AM"),
        "space.alphabet is 'AM', not 'AMS'",
    ),
    "a larger budget": (
        lambda config: config["budget"].update(amount=24),
        "budget.amount is 24, not 12",
    ),
    "another unit": (
        lambda config: config["budget"].update(unit="flops"),
        "budget.unit is 'flops', not 'trials'",
    ),
    "language models charged": (
        lambda config: config["budget"].update(charge_llm=True),
        "budget.charge_llm is True, not False",
    ),
    "another initial design": (
        lambda config: config["loop"].update(initial_design=0),
        "loop.initial_design is 0, not 4",
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_runs_of_another_condition_stand_apart(name: str, tmp_path: Path, add_run: Add) -> None:
    change, words = CONDITIONS[name]
    for seed in (0, 1):
        add_run(tmp_path, "random", seed)
        edit_config(add_run(tmp_path, "other", seed) if seed else add_run(tmp_path, "x", 0), change)
    add_run(tmp_path, "climber", 0)
    add_run(tmp_path, "climber", 1)
    tables = read_tables(tmp_path)
    assert tables.searchers == ["climber", "random"]
    assert {run.reason for run in tables.excluded} == {f"made under another condition: {words}"}


@pytest.mark.parametrize("name", CONDITIONS)
def test_where_no_condition_is_the_majority_the_folder_is_refused(
    name: str, tmp_path: Path, add_run: Add, capsys: pytest.CaptureFixture[str]
) -> None:
    add_run(tmp_path, "random", 0)
    edit_config(add_run(tmp_path, "other", 0), CONDITIONS[name][0])
    line = refusal_of(capsys, tmp_path)
    assert "mixes runs that cannot be compared" in line and "give the folder of one" in line
    assert not (tmp_path / "report.html").exists()


def test_searchers_without_a_seed_in_common_are_not_compared(tmp_path: Path, add_run: Add) -> None:
    for seed in (0, 1):
        add_run(tmp_path, "random", seed)
        add_run(tmp_path, "climber", seed + 2, greed=0.9)
    conclusion = write_and_check(tmp_path)
    assert len(conclusion.analysis.tables.searchers) == 1
    assert "is the only searcher to compare" in conclusion.verdict[0]
    apart = reasons(conclusion)
    assert len(apart) == 2 and all("lacks seeds" in reason for reason in apart.values())


def test_budgets_that_were_not_used_up_alike_are_pointed_out(tmp_path: Path, add_run: Add) -> None:
    """An equal amount on paper, a third of it spent: compared, and the fairness list says no."""
    for seed in (0, 1):
        add_run(tmp_path, "random", seed)
        add_run(tmp_path, "early", seed, patterns=["AMSAMS", "AAAAAA", "MMMMMM"])
    points = {point.claim: point for point in write_and_check(tmp_path).fairness}
    spent = points["Budgets spent to within one trial"]
    assert spent.answer == "no" and "2 runs stopped early: early" in spent.detail
    assert "- [ ] Budgets spent to within one trial" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("spent", "answer", "words"),
    [
        (12 * (1 + 1e-12), "yes", "no run spent more"),  # sums of seconds carry rounding
        (12.01, "no", "1 run spent more"),
        (24, "no", "1 run spent more"),
    ],
)
def test_a_run_that_spent_more_than_the_budget_is_pointed_out(
    spent: float, answer: str, words: str, tmp_path: Path, add_run: Add
) -> None:
    """No loop of ours lets it happen; the list says what the record says all the same."""
    for name, seed in (("random", 0), ("random", 1), ("greedy", 0), ("greedy", 1)):
        run = add_run(tmp_path, name, seed)
    edit_events(run, lambda event: event.update(spent=spent) if "spent" in event else None)
    (point,) = [p for p in fairness(analyze(tmp_path)) if p.claim == "Same budget and cap"]
    assert (point.answer, point.detail) == (answer, f"12 trials; {words}")


def test_one_seed_of_one_searcher_is_said_to_be_that(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "alone", 0)
    conclusion = write_and_check(tmp_path)
    assert conclusion.verdict[0].startswith("alone is the only searcher to compare")
    assert "there is no ranking" in conclusion.verdict[0]
    assert " nan" not in (tmp_path / "report.md").read_text()


def test_all_failed_but_one_is_a_comparison_of_one(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "random", 0)
    add_run(tmp_path, "hopeless", 0, fails=True)
    add_run(tmp_path, "crasher", 0, raises=True)
    conclusion = write_and_check(tmp_path)
    assert conclusion.analysis.tables.searchers == ["random"]
    found = reasons(conclusion)
    assert found["crasher", 0].startswith("ask raised RuntimeError: out of ideas (ask, fakes.py:")
    assert found["hopeless", 0].startswith("none of its 12 trials was scored")


def test_partial_trainings_are_nobodys_best_pattern(tmp_path: Path, add_run: Add) -> None:
    """Without re-training the best patterns are taken from the trials: from full ones alone."""
    run = add_run(tmp_path, "random", 0, finalists=0, space=PatternSpace("AMS", 6))
    trials = read_run(run).trials()
    best = max((t for t in trials if t.score is not None), key=lambda trial: trial.score or 0.0)

    def train_in_part(event: dict[str, Any]) -> None:
        if event["event"] == "settled" and event["trial"]["index"] == best.index:
            event["trial"]["fidelity"] = 0.5

    edit_events(run, train_in_part)
    (pattern,) = best_patterns(read_tables(tmp_path), "random")
    assert pattern != best.pattern


@pytest.mark.parametrize(("num_diverged", "is_judged"), [(2, True), (3, False), (4, False)])
def test_a_pattern_of_which_most_retrainings_diverge_is_not_judged_by_the_others(
    tmp_path: Path, add_run: Add, num_diverged: int, is_judged: bool
) -> None:
    def diverge(event: dict[str, Any]) -> None:
        if event["event"] == "final" and event["replicate"] < num_diverged:
            event["outcome"] |= {"status": "failed", "score": None, "note": "loss is nan"}
        elif event["event"] == "final":
            event["outcome"]["score"] = float(event["replicate"])

    for name in ("random", "lucky"):
        run = add_run(tmp_path, name, 0, finalists=1, replicates=4)
    edit_events(run, diverge)
    tables = read_tables(tmp_path)
    if is_judged:
        assert tables.by_seed("final")["lucky"] == [2.5]  # the mean of replicates 2 and 3
    else:
        (excluded,) = tables.excluded
        assert excluded.reason == (
            f"{num_diverged} of its 4 re-trainings failed, so it has no final score: loss is nan"
        )
