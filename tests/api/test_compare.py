"""`nasarena.compare` and `nasarena.load`: the command's results, from Python."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import nasarena
from nasarena.experiments.commands.cli import main
from nasarena.experiments.measure.machines.same_events import events_below
from nasarena.figures.plots import gallery
from nasarena.search.errors import InvalidSetting, SearcherFailed
from nasarena.search.run_folder import find_runs, read_run
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial
from users_searchers import Sampling, failing, sampling, walking

SMALL: dict[str, Any] = {
    "proxy": "additive",
    "seeds": 2,
    "budget": {"patterns": 10},
    "references": False,
    "workers": 1,
    "progress": False,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by `compare`; to be read only."""
    runs = tmp_path_factory.mktemp("runs")
    searchers = ["random", {"name": "evolution", "options": {"population": 4, "tournament": 2}}]
    return nasarena.compare(searchers, folder=runs, name="small", **SMALL).folder


def test_it_does_what_the_command_does(folder: Path, tmp_path: Path) -> None:
    arguments = [
        "searchers=[random,{name:evolution,options:{population:4,tournament:2}}]",
        "proxy=additive seeds=2 budget.patterns=10 references=false workers=1 name=small",
        f"folder={tmp_path} report=false",
    ]
    assert main(["compare", *" ".join(arguments).split()]) == 0
    theirs = tmp_path / "small"
    assert len(events_below(folder)) == 4
    assert events_below(folder) == events_below(theirs)
    for path in find_runs(folder):
        same = theirs / path.relative_to(folder)
        assert read_run(path).config == read_run(same).config
    made_by_clock = ["searcher_seconds", "training_seconds"]
    ours, other = (
        pd.read_csv(each / "table.csv").drop(columns=made_by_clock) for each in (folder, theirs)
    )
    pd.testing.assert_frame_equal(ours, other)


def test_what_it_returns_is_what_the_folder_holds(folder: Path) -> None:
    result = nasarena.load(folder)
    assert result.folder == folder and result.failures == []
    written = pd.read_csv(folder / "table.csv")
    assert result.table["name"].tolist() == written["name"].tolist()
    assert np.allclose(result.table["score"], written["score"], rtol=1e-5)
    trials = {str(path): read_run(path).trials() for path in find_runs(folder)}
    assert len(result.trials) == sum(map(len, trials.values()))
    of_run = result.trials.query("searcher == 'evolution' and seed == 1")
    told = trials[str(folder / "evolution" / "seed-1")]
    assert of_run["pattern"].tolist() == [trial.pattern for trial in told]
    assert of_run["score"].tolist() == [trial.score for trial in told]
    assert sorted(zip(result.runs["searcher"], result.runs["seed"], strict=True)) == [
        ("evolution", 0), ("evolution", 1), ("random", 0), ("random", 1),
    ]  # fmt: skip
    assert set(result.finals["searcher"]) == {"evolution", "random"}
    assert all(isinstance(sentence, str) for sentence in result.verdict)
    assert result.verdict[0] in (folder / "report.md").read_text()


def test_loading_and_plotting_write_nothing(folder: Path) -> None:
    def state() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}

    before = state()
    result = nasarena.load(str(folder))
    figures = {name: result.plot(name) for name in ("ranking", "anytime")}
    assert all(isinstance(figure, Figure) for figure in figures.values())
    below = {name: figure.axes[-1].get_xlabel() for name, figure in figures.items()}
    assert "final score" in below["ranking"] and "FLOPs" in below["anytime"]
    assert result.plot().axes[-1].get_xlabel() == below["ranking"]
    assert set(figures) < set(result.plots)
    assert result._repr_html_() and repr(result)
    assert state() == before


def test_tables_are_the_callers_own(folder: Path) -> None:
    result = nasarena.load(folder)
    trials = result.trials
    trials["score"] = 0.0
    result.verdict.clear()
    assert result.trials["score"].nunique() > 1 and result.verdict


def test_a_notebook_shows_table_and_verdict_as_text_not_markup(folder: Path) -> None:
    result = nasarena.load(folder)
    page = result._repr_html_()
    assert page.count("<table") == 1 and "evolution" in page and "random" in page
    assert f"{result.table['score'].iloc[0]:.4f}" in page
    assert result.verdict[0].replace("'", "&#x27;") in page
    result._verdict[0] = "<script>"
    assert "<script>" not in result._repr_html_()


def test_the_report_is_made_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "FIGURES", gallery.FIGURES[:2])
    result = nasarena.compare(["random"], folder=tmp_path, name="own", **SMALL)
    assert not (result.folder / "report.html").exists()
    report = result.report()
    assert report == tmp_path / "own" / "report.html" and "random" in report.read_text()
    assert (tmp_path / "own" / "figures" / "ranking.png").exists()


def test_a_second_call_runs_what_is_missing_alone(folder: Path, tmp_path: Path) -> None:
    nasarena.compare(["random"], folder=tmp_path, name="grows", **SMALL)
    before = events_below(tmp_path)
    more = nasarena.compare(["random", sampling], folder=tmp_path, name="grows", **SMALL)
    after = events_below(tmp_path)
    assert len(before) == 2 and len(after) == 4
    assert before.items() <= after.items()
    assert set(more.runs["searcher"]) == {"random", "sampling"}


def test_searchers_may_be_functions_generators_and_classes(tmp_path: Path) -> None:
    entries = [
        sampling,
        Sampling,
        walking,
        {"name": walking, "options": {"letters": 3}, "label": "far"},
    ]
    result = nasarena.compare(entries, folder=tmp_path, name="own", **SMALL)
    assert set(result.runs["searcher"]) == {"sampling", "Sampling", "walking", "far"}
    done = events_below(tmp_path / "own")
    # What a searcher does does not depend on how it is spelled.
    assert done["sampling/seed-0"] == done["Sampling/seed-0"] != done["walking/seed-0"]
    assert done["far/seed-0"] != done["walking/seed-0"]
    config = read_run(tmp_path / "own" / "far" / "seed-0").config["searcher"]
    assert config["options"] == {"letters": 3} and config["name"] == "walking"


def test_a_searcher_that_cannot_be_sent_runs_in_this_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock, seen = threading.Lock(), set[int]()

    def holding(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
        with lock:
            seen.add(os.getpid())
            return space.sample(rng)

    settings = SMALL | {"progress": True}
    result = nasarena.compare([holding, sampling], folder=tmp_path, name="own", **settings)
    assert seen == {os.getpid()}
    done = events_below(result.folder)
    assert done["holding/seed-1"] == done["sampling/seed-1"]
    said = capsys.readouterr()
    assert "holding cannot be sent to worker processes (TypeError: cannot pickle" in said.err
    assert "sampling cannot" not in said.err and said.out == ""


def test_an_edited_object_is_another_version_beside_the_first(tmp_path: Path) -> None:
    def define(letter: str) -> Any:
        def constant(space: PatternSpace, rng: np.random.Generator) -> Iterator[str]:
            yield letter * space.depth

        return constant

    for letter in "AAMA":
        result = nasarena.compare([define(letter), "random"], folder=tmp_path, **SMALL)
    assert {run.rpartition("/")[0] for run in events_below(result.folder)} == {
        *("constant", "constant-2", "random"),
    }
    asked = events_below(result.folder)["constant-2/seed-0"]
    assert ["M" * 16] in [event["patterns"] for event in asked if event["event"] == "asked"]


def test_runs_that_fail_are_named_and_the_others_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = nasarena.compare([failing, "random"], folder=tmp_path, name="one", **SMALL)
    (words,) = result.failures
    assert words.startswith("failing, seeds 0, 1, failed: ") and "out of ideas" in words
    assert words in capsys.readouterr().err
    assert set(result.runs["searcher"]) == {"random"}


def test_where_nothing_finishes_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(nasarena.NasArenaError, match="out of ideas"):
        nasarena.compare([failing], folder=tmp_path, **SMALL)
    with pytest.raises(SearcherFailed, match="out of ideas"):
        nasarena.compare([failing], folder=tmp_path, **SMALL | {"seeds": 1})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nasarena.compare(["random"], sedes=3), "no setting is called 'sedes'; nearest: s"),
        (lambda: nasarena.compare(["randon"]), "no searcher is called 'randon'; nearest: random"),
        (lambda: nasarena.compare("random"), "searchers must be a list"),
        (lambda: nasarena.compare([3]), "a searcher must be a function, a generator function or"),
        (lambda: nasarena.compare([lambda history, space, rng: "A"]), "@nasarena.searcher('my-lam"),
        (lambda: nasarena.compare([nasarena.searcher("tpe")(Sampling)]), "searcher of nasarena"),
        (lambda: nasarena.compare(["random"], proxy="qick"), "nearest: quick"),
        (lambda: nasarena.compare(["random"], budget={"patterns": -1}), "budget.patterns must be"),
        (lambda: nasarena.load("nowhere"), "there is no folder 'nowhere'"),
    ],
)
def test_what_a_user_can_cause_is_one_line(call: Any, words: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_two_objects_of_one_name_are_refused() -> None:
    other = nasarena.searcher("sampling")(Sampling)
    with pytest.raises(InvalidSetting, match="two searchers are called 'sampling'"):
        nasarena.compare([sampling, other], **SMALL)
    del Sampling.__searcher_spec__  # type: ignore[attr-defined]


def test_a_searcher_of_ours_may_be_given_as_the_class_it_is(tmp_path: Path, folder: Path) -> None:
    from nasarena.baselines.random_search import RandomSearch

    result = nasarena.compare([RandomSearch], folder=tmp_path, **SMALL)
    assert events_below(result.folder)["random/seed-0"] == events_below(folder)["random/seed-0"]


def test_an_unknown_figure_is_refused_with_the_nearest(folder: Path) -> None:
    with pytest.raises(InvalidSetting, match="no figure is called 'rankin'; nearest: ranking"):
        nasarena.load(folder).plot("rankin")


def test_a_folder_without_runs_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(nasarena.NasArenaError) as caught:
        nasarena.load(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


SCRIPT = """
import nasarena

STEP = 2

def walking(space, rng):
    pattern = space.sample(rng)
    while True:
        yield pattern
        for _ in range(STEP):
            pattern = space.mutate(pattern, rng)

result = nasarena.compare(
    ["random", walking], proxy="additive", seeds=2, budget={"patterns": 8}, folder="runs",
    name="own", workers=2, references=False, progress=False,
)
print(result.runs.sort_values(["searcher", "seed"])["final"].tolist())
"""


def test_a_script_needs_no_guard_and_may_come_from_standard_input(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    said, done = [], []
    for way in (str(script), "-"):
        folder = tmp_path / f"as {Path(way).stem}"
        folder.mkdir()
        ran = subprocess.run(
            [sys.executable, way], input=SCRIPT, capture_output=True, text=True, cwd=folder
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        said.append(ran.stdout)
        done.append(events_below(folder / "runs" / "own"))
    assert len(done[0]) == 4 and done[0] == done[1]
    assert said[0] == said[1] and said[0].count(",") == 3
