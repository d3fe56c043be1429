"""Our own claims are measured by code that must be right as well: on small cases, done by hand."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nasarena.experiments.commands.cli import main
from nasarena.experiments.measure import compare, overhead, quick_icc, separation
from nasarena.experiments.measure.engine import transformers_baseline as baseline
from nasarena.experiments.measure.quick_icc import random_patterns
from nasarena.experiments.measure.record import record
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.landscapes import additive
from nasarena.search.space import PatternSpace


def test_regret_is_that_of_the_best_seen_pattern_of_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    settings = ["searchers=[random,evolution]", "seeds=2", "proxy=additive", "name=x"]
    budget = ["budget=trials", "budget.amount=9", "references=false", "report=false"]
    assert main(["compare", *settings, *budget]) == 0
    regrets = separation.regrets_in(Path("runs/x"))
    assert set(regrets) == {"random", "evolution"}
    landscape = additive(PatternSpace("AMS", 16))
    _, top = landscape.optimum()
    for seed in range(2):
        best = (-np.inf, "")
        for line in Path(f"runs/x/random/seed-{seed}/events.jsonl").read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "settled":
                best = max(best, (event["trial"]["score"], event["trial"]["pattern"]))
        expected = top - landscape.true_score(best[1])
        assert regrets["random"][seed] == pytest.approx(expected)

    events = Path("runs/x/random/seed-1/events.jsonl")
    events.write_text("".join(events.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(RuntimeError, match="seed-1 is partial"):
        separation.regrets_in(Path("runs/x"))


def test_p_is_that_of_the_paired_one_sided_test() -> None:
    better, worse = np.arange(5.0), np.arange(5.0) + [0.1, 0.2, 0.3, 0.4, 0.5]
    # All five differences have one sign: 1 of the 2^5 equally likely sign patterns.
    assert separation.p_better(better, worse) == pytest.approx(1 / 32)
    assert separation.p_better(worse, better) == pytest.approx(1.0)


def test_every_trial_and_every_ask_is_timed() -> None:
    proxy = additive(PatternSpace("AMS", 16))
    times_s = overhead.loop_times(proxy, 30)
    assert len(times_s) == 29 and min(times_s) > 0
    times_s = overhead.ask_and_tell_times("evolution", proxy, 5)
    assert len(times_s) == 5 and min(times_s) > 0


def test_patterns_of_the_icc_are_distinct_and_always_the_same() -> None:
    space = PatternSpace("AM", 4)
    patterns = random_patterns(space, 16)
    assert sorted(patterns) == sorted(space.pattern(i) for i in range(16))
    assert random_patterns(space, 16) == patterns


def test_a_training_that_fails_is_no_measurement() -> None:
    """Whether the largest of many shows a nan depends on where among them it stands."""
    config = evaluate_settings(["proxy=additive", "proxy.failure_rate=0.999999"])
    jobs = [(pattern, 0) for pattern in random_patterns(config.space, 2)]
    population = quick_icc.Population(config.proxy, config.space, tuple(jobs))
    with pytest.raises(RuntimeError, match=f"{jobs[0][0]} with seed 0 failed: loss became nan"):
        population(lambda _: None)


def test_runs_that_did_not_finish_are_counted_and_measured_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text("def raises(history, space, rng):\n    raise RuntimeError\n")
    settings = ["proxy=additive", "name=x", "budget=trials", "budget.amount=9", "report=false"]
    assert main(["compare", "searchers=[random,my.py:raises]", "seeds=2", *settings]) == 2
    rows, summary = compare.summarize(Path("runs"))
    (row,) = rows
    assert (row["searcher"], row["runs"], row["trials"]) == ("random", 2, 18)
    assert (summary["unfinished"], summary["searchers"], summary["seeds"]) == (2, 1, 2)
    for path in Path("runs/x/random").iterdir():
        (path / "run.json").unlink()
    with pytest.raises(SystemExit, match="no searcher finished a run, of 6 planned"):
        compare.summarize(Path("runs"))


@pytest.mark.parametrize(("exit_code", "unfinished"), [(0, 0), (2, 1), (2, 0), (130, 1)])
def test_a_comparison_that_broke_off_is_no_measurement(
    exit_code: int, unfinished: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed runs are a number among others; a Ctrl-C, or a fault after all runs, ends it."""
    recorded: list[object] = []
    monkeypatch.setattr(sys, "argv", ["compare"])
    monkeypatch.setattr(compare, "_run_compare", lambda folder, settings: (1.0, exit_code))
    monkeypatch.setattr(compare, "summarize", lambda folder: ([], {"unfinished": unfinished}))
    monkeypatch.setattr(compare, "record", lambda *given, **named: recorded.append(given[2]))
    if (exit_code, unfinished) in ((2, 0), (130, 1)):
        with pytest.raises(SystemExit, match=f"exit code {exit_code}"):
            compare.main()
    else:
        compare.main()
        assert recorded == [{"wall_s": 1.0, "unfinished": unfinished}]


def test_a_record_names_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record("x", [{"a": 1.0}], {"b": 2}, device="toaster", argv=["--save"])
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert shown == json.loads(Path("docs/measurements/x-toaster.json").read_text())
    assert shown["rows"] == [{"a": 1.0}] and shown["summary"] == {"b": 2}
    assert shown["command"] == "python -m nasarena.experiments.measure.x --save"
    assert {"name", "date", "commit", "device"} <= shown.keys()


def test_the_baseline_trains_without_our_deterministic_kernels() -> None:
    was = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError, match="broken"), baseline._as_usual():
            assert not torch.are_deterministic_algorithms_enabled()
            raise RuntimeError("broken")
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(was)


def test_modules_of_make_measure_are_there() -> None:
    (line,) = [
        line
        for line in (Path(__file__).parents[2] / "Makefile").read_text().splitlines()
        if line.startswith("MEASURES :=")
    ]
    names = line.removeprefix("MEASURES :=").split()
    code = "; ".join(f"import nasarena.experiments.measure.{name}" for name in names)
    subprocess.run([sys.executable, "-c", code], check=True)
