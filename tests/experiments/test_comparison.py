"""Comparisons end to end: what runs, what is skipped, what fails alone, and what is refused."""

import json
import os
from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.comparison.plan import plan_comparison, read_plan
from nasarena.experiments.settings.commands import compare_settings
from nasarena.experiments.settings.registry import load_searcher
from nasarena.figures.plots import gallery
from nasarena.proxies.landscapes import additive, nk
from nasarena.search.proxy import TrialSeed
from nasarena.search.retraining import final_seed
from nasarena.search.run_folder import RunRecord, drop_measurements, find_runs, read_run
from nasarena.search.space import PatternSpace

SMALL = ["proxy=additive", "name=x", "budget=trials", "budget.amount=8", "seeds=2"]

OWN = '''
from nasarena.search.searcher import searcher

@searcher("climber")
def climber(history, space, rng, changes=1):
    """Changes letters of the best so far."""
    scored = [trial for trial in history if trial.score is not None]
    if not scored:
        return space.sample(rng)
    return space.mutate(max(scored, key=lambda trial: trial.score).pattern, rng, changes)

def raises(history, space, rng):
    raise RuntimeError("out of ideas")

def never_ends(history, space, rng):
    while True:
        pass

def nonsense(history, space, rng):
    return 42

def leaves(history, space, rng):
    if len(history) == 6:
        import os
        os._exit(9)
    return space.sample(rng)

def spoils(history, space, rng):
    if len(history) == 6:
        with open("runs/x/spoils/seed-0/events.jsonl", "a") as file:
            file.write("nonsense\\n")
    return space.sample(rng)
'''


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gallery, "FIGURES", gallery.FIGURES[:2])  # tests/figures draws them all
    Path("my.py").write_text(OWN)


def compare(*arguments: str) -> int:
    return main(["compare", *SMALL, "report=false", *arguments])


def runs(folder: str = "runs/x") -> dict[str, RunRecord]:
    return {str(path.relative_to(folder)): read_run(path) for path in find_runs(Path(folder))}


def contents(folder: str = "runs/x") -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in Path(folder).rglob("events.jsonl")}


def test_a_comparison_runs_ranks_and_is_not_run_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("searchers=[random,evolution]", "report=true") == 0
    out = capsys.readouterr().out
    assert "6 of 6 runs to do" in out and "report.html" in out
    written = {path.name for path in Path("runs/x").iterdir()}
    assert written >= {"table.csv", "report.md", "report.html", "figures", "plan.json"}
    before = contents()
    assert sorted(before) == [
        f"runs/x/{name}/seed-{seed}/events.jsonl"
        for name in ("evolution", "random", "references")
        for seed in (0, 1)
    ]
    # Other searchers and seeds join the same comparison; what is finished stays as it is.
    assert compare("searchers=[random,evolution,my.py:climber]") == 0
    assert "2 of 8 runs to do (6 were done before)" in capsys.readouterr().out
    assert before.items() <= contents().items()


def test_pairs_share_their_initial_design_and_their_landscape() -> None:
    assert compare("searchers=[random,evolution,genetic]", "references=false") == 0
    for seed in (0, 1):
        designs = [
            [(trial.pattern, trial.score) for trial in run.trials()[:4]]
            for name, run in runs().items()
            if name.endswith(f"seed-{seed}")
        ]
        assert len(designs) == 3 and designs[0] == designs[1] == designs[2]


def test_budgets_are_spent_equally_to_within_one_trial() -> None:
    settings = ["proxy=additive", "name=x", "budget.patterns=20", "seeds=2", "report=false"]
    assert main(["compare", *settings, "searchers=[random,evolution,local-search]"]) == 0
    for name, run in runs().items():
        if name.startswith("references"):
            continue
        amount = run.config["budget"]["amount"]
        dearest = max(trial.cost.flops for trial in run.trials())
        assert 0 <= amount - run.events[-1]["spent"] < dearest * 1.5


def test_references_are_scored_and_charged_to_nobody() -> None:
    assert compare("searchers=[random]", "seeds=1") == 0
    record = runs()["references/seed-0"]
    trials = record.trials()
    names = {trial.details["name"] for trial in trials}
    assert {"Llama 3.2", "Composer", "Jamba 1:7"} <= names and len(names) == len(trials)
    assert len(list(record.of_kind("final"))) == 4 * len(trials)
    assert len(runs()["random/seed-0"].trials()) == 8
    many = plan_comparison(compare_settings([*SMALL, "seeds=7"]), "by hand").cells
    assert sorted(cell.seed for cell in many if cell.entrant.name == "references") == [*range(3)]


def test_a_searcher_of_ones_own_takes_part_by_path() -> None:
    own = ["searcher.path=my.py:climber", "searcher.options.changes=2", "searchers=[random]"]
    assert compare(*own) == 0
    searcher = runs()["climber/seed-0"].config["searcher"]
    assert searcher["options"] == {"changes": 2}
    assert searcher["path"].endswith("/my.py:climber") and len(searcher["source"]) == 16
    assert "climber" in Path("runs/x/table.csv").read_text()


def test_searchers_that_fail_do_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "my.py:raises,my.py:never_ends,my.py:nonsense,my.py:leaves"
    arguments = [f"searchers=[random,{bad}]", "loop.ask_timeout_s=0.5", "references=false"]
    assert compare(*arguments) == 2
    err = capsys.readouterr().err
    (line,) = [line for line in err.splitlines() if "raises" in line]
    assert "seeds 0, 1, failed: the searcher failed: ask raised RuntimeError: out of ideas" in line
    assert "(raises, my.py:13)" in line  # where to look
    assert "never_ends, seeds 0, 1, failed" in err and "within 0.5 s (ask_timeout_s)" in err
    assert "nonsense, seeds 0, 1, failed" in err and "invalid proposals in a row" in err
    assert "leaves, seeds 0, 1, partial: its process was ended (exit code 9)" in err
    assert len(err.splitlines()) == 4
    found = runs()
    assert {name: run.state for name, run in found.items() if "random" in name} == {
        "random/seed-0": "finished",
        "random/seed-1": "finished",
    }
    assert len(found["leaves/seed-0"].trials()) == 6  # all that was settled is kept
    table = Path("runs/x/table.csv").read_text()
    assert "out of ideas" in table and "random" in table

    # Failed runs are reported again and not run again, unless asked to; partial ones go on.
    before = contents()
    assert compare(*arguments) == 2
    out, err = capsys.readouterr()
    assert "2 of 10 runs to do" in out
    assert "recorded before; retry_failed=true tries again" in err
    raised = "runs/x/raises/seed-0/events.jsonl"
    assert contents()[raised] == before[raised]
    assert compare(*arguments, "retry_failed=true") == 2
    assert contents()[raised].startswith(before[raised]) and contents()[raised] != before[raised]


def test_a_damaged_run_stops_none_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    three = "searchers=[my.py:spoils,random,evolution]"  # one population of two, if one worker
    assert compare(three, "seeds=1", "references=false", "workers=1") == 2
    assert "events.jsonl is damaged at line" in capsys.readouterr().err
    for name in ("random", "evolution"):
        assert read_run(Path(f"runs/x/{name}/seed-0")).state == "finished"


def test_a_run_cut_after_its_search_is_shown_with_what_it_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["searchers=[random]", "seeds=1", "references=false"]
    assert compare(*arguments) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[1/1")]
    file = Path("runs/x/random/seed-0/events.jsonl")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-2]))
    assert compare(*arguments) == 0
    (again,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[1/1")]
    assert "finished, 8 trials, best 0." in line
    assert again.partition("]")[2] == line.partition("]")[2]


def test_a_failing_run_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL[:-1], "searcher.path=my.py:raises"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "out of ideas" in line and "seed-0" in line


def test_a_folder_of_another_configuration_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("searchers=[random]") == 0
    before = contents()
    capsys.readouterr()
    # The same run with another budget; another searcher under another proxy.
    assert compare("searchers=[random]", "budget.amount=9") == 2
    assert "budget.amount is 8" in capsys.readouterr().err
    assert compare("searchers=[evolution]", "proxy.noise=0.3") == 2
    assert (
        "runs of another configuration (proxy of random/seed-0 differ)" in capsys.readouterr().err
    )
    assert contents() == before and not Path("runs/x/evolution").exists()


def test_an_edit_within_the_same_second_is_an_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same length and time: Python's bytecode of the old text would pass for the new one."""
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    file, found = Path("edited.py"), list[object]()
    for changes in (1, 3):
        file.write_text(OWN.replace("changes=1", f"changes={changes}"))
        os.utime(file, (1e9, 1e9))
        found.append(load_searcher(f"{file}:climber").options()["changes"])
    assert found == [1, 3] and not Path("__pycache__").exists()


def test_an_edited_searcher_goes_by_the_next_label_and_keeps_it() -> None:
    small = ["references=false", "seeds=1"]
    assert compare("searchers=[my.py:climber]", *small) == 0
    first = contents()
    Path("my.py").write_text(OWN.replace("changes=1", "changes=3"))
    assert compare("searchers=[my.py:climber]", *small) == 0
    assert compare("searchers=[my.py:climber]", "seeds=2", "references=false") == 0
    assert compare("searchers=[{name:my.py:climber,options:{changes:5}}]", *small) == 0
    assert first.items() <= contents().items()
    found = {name: run.config["searcher"] for name, run in runs().items()}
    assert {name: searcher["options"]["changes"] for name, searcher in found.items()} == {
        "climber/seed-0": 1,
        "climber-2/seed-0": 3,
        "climber-2/seed-1": 3,
        "climber-3/seed-0": 5,
    }
    assert read_plan(Path("runs/x"))["runs"] == list(found)
    # The first version again: it is there already, under its own label.
    Path("my.py").write_text(OWN)
    before = contents()
    assert compare("searchers=[my.py:climber]", *small) == 0
    assert contents() == before


def test_overwrite_takes_the_place_of_what_is_of_another_configuration() -> None:
    small = ["references=false", "seeds=1", "overwrite=true"]
    assert compare("searchers=[my.py:climber,random]", *small) == 0
    kept = Path("runs/x/random/seed-0/run.json").stat().st_ino
    Path("my.py").write_text(OWN.replace("changes=1", "changes=3"))
    assert compare("searchers=[my.py:climber,random]", *small) == 0
    found = runs()
    assert found["climber/seed-0"].config["searcher"]["options"] == {"changes": 3}
    assert sorted(found) == ["climber/seed-0", "random/seed-0"]
    assert Path("runs/x/random/seed-0/run.json").stat().st_ino == kept  # of this comparison
    # Another noise: nothing that is there can be compared with it.
    assert compare("searchers=[random]", "proxy.noise=0.3", *small) == 0
    assert sorted(runs()) == ["random/seed-0"]


def test_a_fault_of_the_settings_alone_is_told_once_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ask(tournament: int, *others: str) -> int:
        options = f"{{population:5,tournament:{tournament}}}"
        searcher = f"{{name:evolution,options:{options},label:small}}"
        return compare(f"searchers=[{','.join([searcher, *others])}]", "references=false")

    assert ask(9) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "evolution needs 1 <= tournament <= population, got 9 and 5" in line
    assert not Path("runs/x").exists()
    assert ask(9, "random") == 2
    assert sorted(runs()) == ["random/seed-0", "random/seed-1"]
    assert read_plan(Path("runs/x"))["runs"] == sorted(runs())
    assert ask(4, "random") == 0
    assert runs()["small/seed-0"].config["searcher"]["label"] == "small"


def test_a_searcher_that_is_mostly_random_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("searchers=[evolution]", "references=false", "seeds=1") == 0
    out = capsys.readouterr().out
    assert "random patterns to begin with: evolution population=8" in out
    assert "warning: evolution is random search for most of its 8 trials (population=8)" in out
    assert compare("searchers=[evolution]", "references=false", "budget.amount=40", "name=y") == 0
    assert "warning" not in capsys.readouterr().out


def test_the_default_name_holds_what_all_runs_share() -> None:
    small = [setting for setting in SMALL if setting != "name=x"]
    base = ["compare", *small, "searchers=[random]", "report=false"]
    assert main([*base, "seeds=1"]) == 0
    assert main([*base, "seeds=2"]) == 0
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("additive-")
    assert main([*base, "seeds=1", "proxy.noise=0.2"]) == 0
    assert len(list(Path("runs").iterdir())) == 2


def test_a_run_is_a_cell_of_the_comparison_of_its_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    same = ["proxy=additive", "budget=trials", "budget.amount=6"]
    assert main(["run", *same, "searcher=evolution", "seed=1"]) == 0
    capsys.readouterr()
    whole = ["compare", *same, "searchers=[random,evolution]", "seeds=2", "references=false"]
    assert main([*whole, "report=false"]) == 0
    assert "3 of 4 runs to do (1 were done before)" in capsys.readouterr().out


def test_the_number_of_workers_changes_no_event() -> None:
    arguments = ["searchers=[random,evolution]", "references=false"]
    assert compare(*arguments, "workers=1", "folder=one") == 0
    assert compare(*arguments, "workers=3", "folder=three") == 0
    one, three = runs("one/x"), runs("three/x")
    assert one.keys() == three.keys()
    for name in one:
        assert drop_measurements(one[name].events) == drop_measurements(three[name].events)


def test_another_proxy_may_judge_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["searchers=[random,evolution]", "loop.finalists=2", "loop.final_replicates=1"]
    assert compare(*arguments, "final_proxy=nk") == 0
    space = PatternSpace("AMS", 16)
    searched, judge = additive(space), nk(space)
    for name, run in runs().items():
        seed = int(name[-1])
        for trial in run.trials():
            (outcome,) = searched.evaluate([trial.pattern], [TrialSeed(seed)])
            assert trial.score == outcome.score
        finals = list(run.of_kind("final"))
        assert len(finals) == 2 or name.startswith("references")
        for event in finals:
            again = final_seed(seed, event["replicate"])
            (outcome,) = judge.evaluate([event["pattern"]], [again], "held_out")
            assert event["outcome"]["score"] == outcome.score
        assert run.config["final_proxy"]["name"] == "nk"
    capsys.readouterr()
    assert compare(*arguments) == 2  # a final score of another kind never joins
    assert "runs/x" in capsys.readouterr().err
    assert compare(*arguments, "final_proxy=nkk") == 2
    assert "no proxy is called 'nkk'" in capsys.readouterr().err


def test_what_was_planned_and_is_not_there_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("searchers=[random]", "references=false") == 0
    plan = json.loads(Path("runs/x/plan.json").read_text())
    assert plan["runs"] == ["random/seed-0", "random/seed-1"]
    for file in Path("runs/x/random/seed-1").iterdir():
        file.unlink()
    capsys.readouterr()
    assert main(["status", "runs/x"]) == 1
    assert "1 finished, 1 missing" in capsys.readouterr().out
    assert compare("searchers=[random]", "references=false") == 0
    assert main(["status", "runs/x"]) == 0


def test_figures_and_report_can_be_drawn_later(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("searchers=[random,evolution]") == 0
    out = capsys.readouterr().out
    assert "report.md" in out and "report.html" not in out and "evolution" in out
    assert not Path("runs/x/figures").exists() and not Path("runs/x/report.html").exists()
    table = Path("runs/x/table.csv").read_bytes()
    Path("runs/x/table.csv").unlink()
    assert main(["report", "runs/x"]) == 0
    assert "report.html" in capsys.readouterr().out
    assert Path("runs/x/figures/ranking.png").exists() and Path("runs/x/report.html").exists()
    assert Path("runs/x/table.csv").read_bytes() == table


def test_a_run_is_the_same_alone_and_within_a_comparison() -> None:
    assert compare("searchers=[random,evolution]", "workers=2") == 0
    together = runs()
    for name, record in together.items():
        searcher, seed = name.split("/seed-")
        if searcher == "references":
            continue
        one = ["run", f"searcher={searcher}", f"seed={seed}", *SMALL[:-1], "folder=alone"]
        assert main(one) == 0
        alone = read_run(Path("alone/x") / name)
        assert drop_measurements(alone.events) == drop_measurements(record.events)
        loop = record.config["loop"]
        num_finals = sum(1 for _ in record.of_kind("final"))
        assert num_finals >= loop["finalists"] * loop["final_replicates"]
