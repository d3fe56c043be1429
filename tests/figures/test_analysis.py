"""A comparison worked out: each fact once, from records read once, the same as its parts say."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nasarena.experiments.commands.cli import main
from nasarena.figures import plots
from nasarena.figures.comparison import write_all
from nasarena.figures.plots import gallery
from nasarena.figures.plots.gallery import FigureSpec
from nasarena.figures.results import analysis as module
from nasarena.figures.results.analysis import Analysis, analyze
from nasarena.figures.results.anchors import FILE_NAME, compute_anchors
from nasarena.figures.results.tables import read_tables
from nasarena.search.run_folder import find_runs, read_run

Add = Callable[..., Path]
PARTS = (
    "deciding_scale", "standings", "judge_incumbents", "winners", "letter_controls",
    "seeded_controls", "running_times", "areas", "make_tables", "select_runs",
)  # fmt: skip


def write_facts(folder: Path) -> dict[str, float]:
    """What a benchmark knows of the runs in a folder; the true score of each pattern."""
    trials = [trial for path in find_runs(folder) for trial in read_run(path).trials()]
    patterns = sorted({trial.pattern for trial in trials if trial.score is not None})
    scores = {pattern: number / 8 for number, pattern in enumerate(patterns)}
    best = patterns[-1]
    facts = {
        "version": 1,
        "proxy": {"name": "letters", "version": "7"},
        "size": 3**6,
        "optimum": {"pattern": best, "score": scores[best]},
        "scores": scores,
        "ranks": {pattern: len(patterns) - number for number, pattern in enumerate(patterns)},
        "trainings": {},
        "surrogate": None,
    }
    (folder / "benchmark.json").write_text(json.dumps(facts))
    return scores


@pytest.fixture
def known(comparison: Path, tmp_path: Path) -> tuple[Path, dict[str, float]]:
    """The small comparison on a benchmark that knows the truth, and that truth."""
    folder = tmp_path / "known"
    shutil.copytree(comparison, folder)
    return folder, write_facts(folder)


def test_nothing_is_worked_out_twice_for_all_that_is_written(
    known: tuple[Path, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()

    def counted(name: str) -> Callable[..., object]:
        work = getattr(module, name)

        def count(*arguments: object) -> object:
            counts[name] += 1
            return work(*arguments)

        return count

    for name in PARTS:
        monkeypatch.setattr(module, name, counted(name))
    conclusion = write_all(known[0], "command")
    assert {each.png.stem for each in conclusion.drawings} >= {"exact", "exact-rank", "cost"}
    assert set(counts.values()) == {1} and set(PARTS) - {"winners"} <= set(counts)


def test_the_parts_are_those_of_the_tables(comparison: Path) -> None:
    analysis = analyze(comparison)
    tables = read_tables(comparison)
    assert analysis.anchors == compute_anchors(tables)
    assert analysis.anchors is not None and analysis.scale is analysis.anchors.final
    finals = tables.runs.pivot(index="seed", columns="searcher", values="final")
    for name, scores in analysis.standings.scores.items():
        assert scores == finals[name].tolist()
    assert analysis.exact is None and analysis.exact_standings == [] and analysis.winners == []
    assert analysis.letter_controls == analysis.seeded_controls == []
    assert set(analysis.areas) == set(tables.searchers)
    assert [run.record.path for run in analysis.runs if run.searcher != "references"] == [
        comparison / name / f"seed-{seed}" for name in tables.searchers for seed in tables.seeds
    ]
    assert not (comparison / FILE_NAME).exists()  # nothing was written


def test_records_that_were_read_before_are_not_read_again(comparison: Path, tmp_path: Path) -> None:
    records = [read_run(path) for path in find_runs(comparison)]
    analysis = analyze(tmp_path, records)  # where there is no run at all
    assert analysis.tables.data_hash == analyze(comparison).tables.data_hash
    assert [run.record for run in analysis.runs if run.seed == 0 and run.searcher == "random"] == [
        record for record in records if record.path == comparison / "random" / "seed-0"
    ]


def test_incumbents_are_worth_their_true_scores(known: tuple[Path, dict[str, float]]) -> None:
    folder, scores = known
    analysis = analyze(folder)
    best = max(scores.values())
    assert analysis.exact is not None and analysis.exact.unknown == ()
    for name in analysis.tables.searchers:
        for seed in analysis.tables.seeds:
            held, expected = None, []
            for trial in read_run(folder / name / f"seed-{seed}").trials():
                if trial.status == "ok" and (held is None or trial.score > held.score):  # type: ignore[operator]
                    held = trial
                expected.append(np.nan if held is None else scores[held.pattern])
            run = analysis.tables.trials_by_seed(name)[seed]
            assert np.array_equal(run["worth"], expected, equal_nan=True)
            regrets = analysis.exact.regrets[name][seed]
            assert np.array_equal(regrets, best - np.array(expected), equal_nan=True)
            ranks = analysis.exact.ranks[name][seed]
            truly_better = [sum(s > own for s in scores.values()) for own in expected]
            assert ranks[-1] == 1 + truly_better[-1]
    standing = analysis.exact.standing("random")
    ends = [run[-1] for run in analysis.exact.regrets["random"]]
    assert standing.num_optima == sum(end == 0 for end in ends)
    assert analysis.exact.final_regrets["random"] == ends


def test_an_empty_comparison_has_an_analysis_that_says_so(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "random", 0, fails=True)
    analysis = analyze(tmp_path)
    assert analysis.anchors is None and analysis.scale is None
    assert analysis.standings.places == [] and analysis.running_times == {} == analysis.areas
    assert len(analysis.runs) == 1 == len(analysis.tables.excluded)


MY_FIGURE = '''
"""How many trials each searcher made."""

from matplotlib.figure import Figure

from nasarena.figures.results.analysis import Analysis


def draw(analysis: Analysis) -> Figure:
    counts = analysis.tables.trials["searcher"].value_counts().sort_index()
    figure = Figure()
    figure.subplots().bar(counts.index, counts.to_numpy())
    return figure
'''


def test_a_figure_of_your_own_is_a_file_a_line_and_a_command(
    comparison: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The three steps: the file beside the others, its line in the table, `nasarena figures`."""
    folder, beside = tmp_path / "small", tmp_path / "plots"
    shutil.copytree(comparison, folder)
    beside.mkdir()
    (beside / "my_figure.py").write_text(MY_FIGURE)
    monkeypatch.setattr(plots, "__path__", [*plots.__path__, str(beside)])
    from nasarena.figures.plots import my_figure  # type: ignore[attr-defined]

    line = FigureSpec("my-figure", "How many trials each made", my_figure.draw)
    monkeypatch.setattr(gallery, "FIGURES", (gallery.FIGURES[0], line))
    try:
        assert main(["figures", str(folder)]) == 0
        drawn = sorted(path.name for path in (folder / "figures").iterdir())
        assert drawn == sorted(
            f"{name}.{kind}" for name in ("ranking", "my-figure") for kind in ("png", "svg", "pdf")
        )
        for name in ("report.md", "report.html"):
            assert "How many trials each made" in (folder / name).read_text()
        assert main(["figures", "--check", str(folder)]) == 0
    finally:
        sys.modules.pop("nasarena.figures.plots.my_figure", None)


def test_every_figure_takes_the_analysis_and_nothing_else(comparison: Path) -> None:
    analysis = analyze(comparison)
    names = [figure.name for figure in gallery.FIGURES]
    assert len(names) == len(set(names))
    for figure in gallery.gallery(analysis):
        assert figure.draw(analysis).get_suptitle()
    hand_made = Analysis(analysis.tables, analysis.anchors)
    assert [figure.name for figure in gallery.gallery(hand_made)] == [
        figure.name for figure in gallery.gallery(analysis)
    ]
