"""`nasarena.run`, `nasarena.evaluate` and `nasarena.check`."""

import os
from pathlib import Path

import numpy as np
import pytest

import nasarena
import users_searchers
from nasarena.experiments.commands.cli import main
from nasarena.figures.plots import gallery
from nasarena.proxies.landscapes import additive
from nasarena.search.errors import InvalidPattern, InvalidSetting, SearcherFailed
from nasarena.search.proxy import TrialSeed
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.space import PatternSpace
from users_searchers import climbing, failing


def test_a_run_knows_its_best_pattern_and_all_trials(tmp_path: Path) -> None:
    run = nasarena.run(
        "tpe", proxy="additive", budget={"patterns": 12}, seed=3, options={"num_startup": 5},
        folder=tmp_path, progress=False,
    )  # fmt: skip
    trials = read_run(run.folder).trials()
    top = max(trials, key=lambda trial: trial.score or -np.inf)
    assert run.best == (top.pattern, top.score)
    assert run.trials["pattern"].tolist() == [trial.pattern for trial in trials]
    assert run.trials["best_so_far"].iloc[-1] == top.score
    assert run.finals["pattern"].iloc[0] == top.pattern
    assert top.pattern in repr(run)
    config = read_run(run.folder).config
    assert config["loop"]["seed"] == 3 and config["searcher"]["options"]["num_startup"] == 5


def test_a_run_is_that_of_the_command_and_the_commands_read_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "FIGURES", gallery.FIGURES[:2])
    settings = {"proxy": "additive", "budget": {"patterns": 8}, "progress": False}
    run = nasarena.run("random", folder=tmp_path / "ours", name="one", **settings)
    words = f"searcher=random proxy=additive budget.patterns=8 folder={tmp_path / 'theirs'}"
    assert main(["run", "name=one", *words.split()]) == 0
    theirs = read_run(tmp_path / "theirs" / "one" / "random" / "seed-0")
    assert drop_measurements(read_run(run.folder).events) == drop_measurements(theirs.events)
    capsys.readouterr()
    for folder in (run.folder, run.folder.parent.parent):
        assert main(["status", str(folder)]) == 0
        assert "1 finished" in capsys.readouterr().out
    assert main(["report", str(run.folder)]) == 0
    assert "random is the only searcher" in capsys.readouterr().out
    assert (run.folder / "report.html").exists()


def test_a_run_takes_an_object_or_a_file(tmp_path: Path) -> None:
    settings = {"proxy": "additive", "budget": {"patterns": 8}, "progress": False}
    options = {"restart": 0.5}
    own = nasarena.run(climbing, options=options, folder=tmp_path / "own", **settings)
    place = f"{users_searchers.__file__}:climbing"
    same = nasarena.run(place, options=options, folder=tmp_path / "file", **settings)
    plain = nasarena.run(climbing, folder=tmp_path / "plain", **settings)
    patterns = [run.trials["pattern"].tolist() for run in (own, same, plain)]
    assert patterns[0] == patterns[1] != patterns[2]


def test_a_run_that_breaks_down_raises(tmp_path: Path) -> None:
    with pytest.raises(SearcherFailed, match="failing seed 0: .*LookupError: out of ideas"):
        nasarena.run(failing, proxy="additive", folder=tmp_path, progress=False)
    with pytest.raises(InvalidSetting, match="'climbing.options.restrat'; nearest: .*restart"):
        nasarena.run(climbing, options={"restrat": 1}, folder=tmp_path, progress=False)


def test_patterns_are_scored_by_pattern_and_seed() -> None:
    proxy = {"name": "additive", "noise": 0.5}
    frame = nasarena.evaluate(["8A8M", "M" * 16], proxy=proxy, seeds=2, progress=False)
    assert frame["pattern"].tolist() == ["A" * 8 + "M" * 8] * 2 + ["M" * 16] * 2
    assert frame["seed"].tolist() == [0, 1, 0, 1]
    known = additive(PatternSpace(), noise=0.5)
    seeds = [TrialSeed(seed) for seed in frame["seed"]]
    outcomes = known.evaluate(frame["pattern"].tolist(), seeds)
    assert frame["score"].tolist() == [outcome.score for outcome in outcomes]
    assert frame["score"].nunique() == 4 and set(frame["status"]) == {"ok"}
    assert frame["flops"].tolist() == [outcome.cost.flops for outcome in outcomes]


def test_one_pattern_may_stand_alone_and_a_wrong_one_is_refused() -> None:
    assert len(nasarena.evaluate("16A", proxy="additive", progress=False)) == 1
    with pytest.raises(InvalidPattern, match="must have 16 letters"):
        nasarena.evaluate("AMS", proxy="additive")
    with pytest.raises(InvalidSetting, match="at least one pattern"):
        nasarena.evaluate([], proxy="additive")
    with pytest.raises(InvalidSetting, match="seeds must be at least 1"):
        nasarena.evaluate("16A", seeds=0)


def test_what_the_caller_imports_later_keeps_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    before = dict(os.environ)
    nasarena.evaluate("16A", proxy="nk", progress=False)
    assert dict(os.environ) == before


def test_the_check_has_points_and_says_whether_all_are_passed(tmp_path: Path) -> None:
    short = {"trials": 20, "seeds": 7, "folder": str(tmp_path)}
    good = nasarena.check(climbing, **short)
    questions = {point.question: point.passed for point in good.points}
    assert len(questions) > 5 and good.passed == all(questions.values())
    assert questions.pop("beats random search") in (True, False) and all(questions.values())
    assert good.folder is not None and (good.folder / "figures" / "anytime.png").exists()
    assert good.table["question"].tolist() == [point.question for point in good.points]
    bad = nasarena.check(failing, **short)
    assert not bad.passed and len(bad.points) == 1 and "out of ideas" in bad.points[0].words
    assert "FAIL" in repr(bad) and "out of ideas" in bad._repr_html_() and bad.folder is None
