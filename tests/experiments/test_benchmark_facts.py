"""What a benchmark knows exactly: written by the comparison, drawn from its folder alone."""

import json
import lzma
import shutil
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.comparison.benchmark_facts import FILE
from nasarena.experiments.patternbench.quality import quality
from nasarena.figures.comparison import write_all
from nasarena.figures.plots import exact_regret as exact
from nasarena.figures.plots import surrogate
from nasarena.figures.report import verdict as verdict_words
from nasarena.figures.report.benchmark import surrogate_in_words, winners_in_words
from nasarena.figures.report.table import standings_table
from nasarena.figures.report.verdict import verdict
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.anchors import FILE_NAME, freeze_anchors, load_anchors
from nasarena.figures.results.exact import ExactValues
from nasarena.figures.results.running_times import hits_by_seed
from nasarena.figures.results.tables import Tables, read_tables
from nasarena.figures.stats.transfer import kendall
from nasarena.proxies.landscapes import additive
from nasarena.proxies.patternbench.benchmark import ROWS, SURROGATE, PatternBench
from nasarena.proxies.patternbench.held_out import collect_held_out
from nasarena.proxies.patternbench.network import WindowNetwork
from nasarena.proxies.patternbench.rows import Row, header_line, row_line
from nasarena.proxies.patternbench.surrogate import Costs, Noise, Surrogate
from nasarena.search.errors import NasArenaError
from nasarena.search.run_folder import find_runs, read_run
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

WHOLE, SLICE = PatternSpace("AMS", 16), PatternSpace("AM", 16)
SPREAD = 0.02


def synthetic_surrogate() -> Surrogate:
    rng = stream(0, "made-up surrogate")
    tables = 0.05 * rng.standard_normal((14, 27, 4))
    network = WindowNetwork.quantise(tables, np.array([1, -1, 1, -1], dtype=np.int8), -3.0)
    log_variance = np.array([2 * np.log(SPREAD), 0.0, 0.0, 0.0, 0.0])
    noise = Noise(log_variance, -3.0, 1.0, np.array([0.01, -0.01]), 0.01, 0.02)
    return Surrogate(network, noise, Costs(1000, (10, 20, 30), 64, 0.1, (0.01, 0.02, 0.03)))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark in the format that ships: rows, surrogate and `fit.json`; to be read only."""
    folder = tmp_path_factory.mktemp("data")
    made, rng = synthetic_surrogate(), stream(0, "made-up rows")
    rows = []
    for number in range(90):
        space = SLICE if number % 2 else WHOLE
        pattern = space.sample(rng)
        mean = made.network.raw(pattern) * made.network.grid
        for seed in (0, 1)[: 2 if number < 50 else 1]:
            score = mean + float(made.noise.offsets[seed] + SPREAD * rng.standard_normal())
            role = "test" if number < 50 else "fill"
            rows.append(Row(pattern, seed, role, 0, score, -score, 0.3, 0.5))  # type: ignore[arg-type]
    text = header_line({"proxy": "additive", "overrides": ["proxy.noise=0.3"]}) + "".join(
        map(row_line, rows)
    )
    (folder / ROWS).write_bytes(lzma.compress(text.encode()))
    made.save(folder / SURROGATE)
    by_pattern: dict[str, list[Row]] = {}
    for row in rows:
        by_pattern.setdefault(row.pattern, []).append(row)
    (folder / "fit.json").write_text(json.dumps(report_of(made, by_pattern)))
    return folder


def report_of(made: Surrogate, rows: Any) -> dict[str, Any]:
    """What `experiments/patternbench/fit.py` writes, as far as it is read again."""
    found = collect_held_out(made, rows)
    judged = {
        name: quality(
            np.array([row[1] for row in found if ("S" in row[0]) == uniform]),
            np.array([row[2:] for row in found if ("S" in row[0]) == uniform]),
        )
        for name, uniform in (("test", True), ("test_slice", False))
    }
    return {
        "proxy": {"proxy": "additive", "version": "7", "date": "2026-11-23", "commit": None},
        "sample": {"trainings": 140, "patterns": 90, "repeated": 50, "failed": 0},
        "winner": "ensemble",
        "kinds": [
            {"name": "ensemble", "error": 0.021, "fold_errors": [0.02, 0.022]},
            {"name": "ridge", "error": 0.034, "fold_errors": [0.03, 0.038]},
        ],
        **{name: asdict(value) for name, value in judged.items()},
        "noise": {
            "spread": SPREAD,
            "fitted_spread": 0.018,
            "discrepancy": 0.004,
            "discrepancy_interval": [0.0, 0.009],
        },  # fmt: skip
    }


def compare(folder: Path, data: Path, searchers: str, *more: str) -> Path:
    arguments = [
        "proxy=patternbench", f"proxy.data={data}", "space=AM", f"folder={folder}", "name=x",
        "budget=trials", "budget.amount=14", "seeds=3", f"searchers={searchers}", "workers=1",
        "report=false",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASARENA_CACHE", str(data.parent / "cache"))
        assert main(["compare", *arguments, *more]) == 0
    return folder / "x"


EVOLUTION = "{name:evolution,options:{population:5,tournament:3}}"


@pytest.fixture(scope="module")
def comparison_folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two searchers on three seeds, their winners trained by the proxy of the rows."""
    folder = tmp_path_factory.mktemp("runs")
    return compare(folder, data, f"[random,{EVOLUTION}]")


@pytest.fixture
def bench(data: Path, monkeypatch: pytest.MonkeyPatch) -> PatternBench:
    monkeypatch.setenv("NASARENA_CACHE", str(data.parent / "cache"))
    return PatternBench("patternbench", SLICE, data)


def test_winners_are_trained_as_the_rows_were(comparison_folder: Path) -> None:
    (judge,) = {
        json.dumps(read_run(path).config["final_proxy"]["options"])
        for path in find_runs(comparison_folder)
    }
    assert json.loads(judge)["noise"] == 0.3


def test_the_folder_holds_what_the_benchmark_knows(
    comparison_folder: Path, bench: PatternBench
) -> None:
    facts = json.loads((comparison_folder / FILE).read_text())
    pattern, score = bench.optimum()
    assert facts["optimum"] == {"pattern": pattern, "score": score} and facts["size"] == 2**16
    scored = {
        trial.pattern
        for path in find_runs(comparison_folder)
        for trial in read_run(path).trials()
        if trial.status == "ok"
    }
    assert set(facts["scores"]) == scored == set(facts["ranks"])
    for each in list(scored)[:20]:
        assert facts["scores"][each] == bench.true_score(each)
        assert facts["ranks"][each] == round((1 - bench.percentile(each) / 100) * 2**16) + 1
        assert facts["trainings"].get(each, 0) == bench.num_trainings(each)
    known = read_tables(comparison_folder).benchmark
    assert known is not None and known.best == score
    assert known.percentile(facts["ranks"][each]) == pytest.approx(bench.percentile(each))


def test_exact_regret_and_rank_judge_the_incumbent_by_the_truth(
    comparison_folder: Path, bench: PatternBench
) -> None:
    analysis = analyze(comparison_folder)
    tables, values = analysis.tables, analysis.exact
    assert values is not None and values.unknown == ()
    regrets, ranks = values.regrets, values.ranks
    for name in tables.searchers:
        for seed, regret, rank in zip(tables.seeds, regrets[name], ranks[name], strict=True):
            trials = read_run(comparison_folder / name / f"seed-{seed}").trials()
            for number in range(len(trials)):
                scored = [t for t in trials[: number + 1] if t.status == "ok"]
                held = max(scored, key=lambda trial: (trial.score or 0.0, -trial.index)).pattern
                assert regret[number] == bench.regret(held) >= 0
                assert rank[number] == bench.ranks([held])[0] >= 1
    rows = analysis.exact_standings
    assert [row.searcher for row in rows] == [p.searcher for p in analysis.standings.places]
    ends = [run[-1] for run in regrets["random"]]
    (random,) = (row for row in rows if row.searcher == "random")
    assert random.regret.estimate == pytest.approx(np.mean(ends))  # three seeds: nothing is cut
    assert random.rank == np.median([run[-1] for run in ranks["random"]])
    curve = exact.curves(tables, regrets, "exact regret")["random"]
    assert curve.middle[-1] == pytest.approx(np.mean(ends))
    figure = exact.draw_rank(analysis)
    assert "65,536" in "".join(text.get_text() for text in figure.texts)
    assert figure.axes[0].get_yscale() == "log"
    assert "true score below the optimum" in exact.draw_regret(analysis).axes[0].get_ylabel()


def test_the_optimum_is_the_anchor_of_search_scores(
    comparison_folder: Path, bench: PatternBench
) -> None:
    tables = read_tables(comparison_folder)
    anchors = load_anchors(tables, comparison_folder / FILE_NAME)
    assert anchors is not None and anchors.search.best_in_words == "the optimum"
    assert anchors.search.best == bench.optimum()[1]
    held = []
    for path in find_runs(comparison_folder / "random"):
        scored = [trial for trial in read_run(path).trials() if trial.score is not None]
        held.append(bench.true_score(max(scored, key=lambda trial: trial.score or 0.0).pattern))
    assert anchors.search.random == np.median(held) <= anchors.search.best
    reached = hits_by_seed(tables, np.array([bench.optimum()[1] + 1e-9, min(held)]))
    assert np.isinf(reached["random"][:, 0]).all()  # noise alone reaches nothing
    assert np.isfinite(reached["random"][:, 1]).all()
    # Final scores came from another proxy, whose optimum nobody asked.
    means = tables.references.groupby("pattern")["final"].mean()
    highest = max(tables.runs["final"].max(), means.max())
    assert anchors.final is not None and anchors.final.best == highest
    assert anchors.final.best_in_words == "the best score known"
    freeze_anchors(anchors, comparison_folder / FILE_NAME)
    kept = load_anchors(tables, comparison_folder / FILE_NAME)
    assert kept == anchors  # as it was read back


def test_without_another_judge_the_optimum_anchors_final_scores_too(
    data: Path, bench: PatternBench, tmp_path: Path
) -> None:
    folder = compare(tmp_path, data, "[random]", "final_proxy=same", "references=false")
    analysis = analyze(folder)
    anchors = analysis.anchors
    assert anchors is not None and anchors.final is not None
    assert anchors.final.best == anchors.search.best == bench.optimum()[1]
    found = analysis.winners
    assert analysis.tables.final_proxy is None
    assert found and all(np.isnan(each.real) and not each.num_real for each in found)
    assert "No winner was trained for real" in winners_in_words(analysis)


def test_a_newcomer_moves_no_bit_of_anybody(
    comparison_folder: Path, data: Path, tmp_path: Path
) -> None:
    """Exact and normalized numbers, curves and limits: everything but places in the set."""
    folder = tmp_path / "x"
    shutil.copytree(comparison_folder, folder)
    before, table, curves = numbers(folder)
    compare(tmp_path, data, f"[random,{EVOLUTION},local-search]")
    after, wider, more = numbers(folder)
    assert after.searchers == ["evolution", "local-search", "random"]
    about_the_set = {"rank", "p_vs_random", "p_vs_evolution"}
    kept = [
        column
        for column in table.columns
        if column not in about_the_set and "local-search" not in column  # compares with it
    ]
    for name in before.searchers:
        assert list(map(repr, table.loc[name, kept])) == list(map(repr, wider.loc[name, kept]))
        for own, other in zip(curves[name], more[name], strict=True):
            assert own.tobytes() == other.tobytes()


def numbers(folder: Path) -> tuple[Tables, pd.DataFrame, dict[str, list[Any]]]:
    analysis = analyze(folder)
    tables = analysis.tables
    assert analysis.exact is not None and analysis.anchors is not None
    freeze_anchors(analysis.anchors, folder / FILE_NAME)
    table = standings_table(analysis).set_index("name")
    regrets = analysis.exact.regrets
    curves: dict[str, list[Any]] = {}
    for name, curve in exact.curves(tables, regrets, "exact regret").items():
        area = np.array(analysis.areas[name])
        curves[name] = [curve.middle, curve.low, curve.high, *regrets[name], area]
    return tables, table, curves


def test_the_report_says_whose_scores_these_are_and_who_was_trained(
    comparison_folder: Path,
) -> None:
    conclusion = write_all(comparison_folder, "nasarena report x", only=("surrogate", "exact"))
    tables = conclusion.analysis.tables
    known = tables.benchmark
    assert known is not None and known.surrogate is not None
    quality_, text = known.surrogate, " ".join(conclusion.verdict)
    assert f"Kendall tau against the mean of two trainings is {quality_.tau:.3f}" in text
    assert "On 25 uniform patterns that no surrogate was fitted to" in text and "ensemble" in text
    assert f"On 25 patterns of A and M alone it is {quality_.tau_slice:.3f}" in text
    assert "Its own error, noise apart, is 0.0040 (0.0000 to 0.0090)" in text
    uniform = quality_.is_uniform
    for tau, part in ((quality_.tau, uniform), (quality_.tau_slice, ~uniform)):
        means = quality_.measured[part].mean(axis=1)
        assert tau == pytest.approx(kendall(quality_.predicted[part], means))
    found = conclusion.analysis.winners
    assert {each.pattern for each in found} == set(tables.finals["pattern"])
    assert (
        f"{len(found)} of {len(found)} winners were trained for real afterwards, on additive"
        in (text)
    )
    retrained = next(p for p in conclusion.fairness if p.claim.startswith("Winners re-trained"))
    assert "per run on additive, 0 failed" in retrained.detail
    judge = additive(SLICE)
    for each in found[:5]:  # real scores are those of the other proxy, noise aside
        assert each.real == pytest.approx(
            judge.true_score(each.pattern), abs=4 * 0.3 / each.num_real**0.5
        )
    page = (comparison_folder / "report.html").read_text()
    assert 'id="benchmark"' in page and "trained for real on additive" in page
    assert known.optimum in page and ">nan<" not in page
    assert (comparison_folder / "figures" / "surrogate.svg").exists()
    assert verdict(conclusion.analysis)[-3:-1] == surrogate_in_words(known)


def test_the_surrogate_figure_shows_every_kind_and_its_ceiling(comparison_folder: Path) -> None:
    figure = surrogate.draw(analyze(comparison_folder))
    left, right = figure.axes
    legend = left.get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    assert words[0].startswith("A and M alone: tau ") and "ceiling" in words[0]
    assert words[1].startswith("uniform: tau 0.") and "ceiling" in words[1]
    assert words[2].startswith("best tenth of them: tau ")
    assert "winners, trained on additive" in words[3]
    labels = [label.get_text() for label in right.get_yticklabels()]
    assert labels[0].startswith("ensemble, served") and labels[1].startswith("ridge")
    drawn = [list(map(float, line.get_xdata())) for line in right.get_lines()]
    assert drawn[:4] == [[0.02, 0.022], [0.021], [0.03, 0.038], [0.034]]  # folds, then all
    assert drawn[4] == [0.018, 0.018]
    known = read_tables(comparison_folder).benchmark
    assert known is not None and known.surrogate is not None
    assert surrogate.is_top(known.surrogate).sum() == 3


def test_a_landscape_knows_its_optimum_and_has_no_surrogate(tmp_path: Path) -> None:
    arguments = [
        "proxy=additive", f"folder={tmp_path}", "name=x", "budget=trials", "budget.amount=8",
        "seeds=1", "searchers=[random]", "references=false", "report=false", "workers=1",
    ]  # fmt: skip
    assert main(["compare", *arguments]) == 0
    analysis = analyze(tmp_path / "x")
    known = analysis.tables.benchmark
    assert known is not None and known.surrogate is None and not known.ranks
    assert (known.optimum, known.best) == additive(PatternSpace("AMS", 16)).optimum()
    (row,) = analysis.exact_standings
    assert row.regret.estimate > 0 and np.isnan(row.rank) and np.isnan(row.percentile)
    assert "No surrogate" in figure_words(surrogate.draw(analysis))
    assert "was not ranked" in figure_words(exact.draw_rank(analysis))
    assert "surrogate" not in " ".join(verdict(analysis))


def figure_words(figure: Any) -> str:
    return " ".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_what_the_file_does_not_cover_is_said(comparison_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(comparison_folder, folder)
    facts = json.loads((folder / FILE).read_text())
    tables = read_tables(folder)
    held = tables.trials_by_seed("random")[-1]["incumbent"].iloc[-1]
    del facts["scores"][held]
    (folder / FILE).write_text(json.dumps(facts))
    words = figure_words(exact.draw_regret(analyze(folder)))
    assert f"1 patterns are not on record, such as {held}" in words


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda facts: "no json", "cannot be read as what a benchmark knows"),
        (lambda facts: json.dumps(facts | {"version": 9}), "version 9, not 1"),
        (lambda facts: json.dumps({"version": 1}), "cannot be read"),
        (
            lambda facts: json.dumps(facts | {"proxy": {"name": "patternbench", "version": "old"}}),
            "belongs to version old of patternbench",
        ),
    ],
)
def test_a_file_of_something_else_is_refused(
    comparison_folder: Path, tmp_path: Path, change: Any, message: str
) -> None:
    folder = tmp_path / "x"
    shutil.copytree(comparison_folder, folder)
    facts = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(change(facts))
    with pytest.raises(NasArenaError, match=message) as caught:
        read_tables(folder)
    assert "\n" not in str(caught.value)


def test_the_truth_tells_apart_what_noise_hides() -> None:
    """Eight seeds, one searcher better on each: of 2^8 sign patterns two are as extreme."""
    at_random = [0.10, 0.13, 0.11, 0.18, 0.12, 0.15, 0.14, 0.16]
    regrets = {
        "random": at_random,
        "sharp": [value - 0.05 - place / 1000 for place, value in enumerate(at_random)],
        "blunt": at_random[::-1],
        "silent": [float("nan"), *at_random[1:]],
    }
    runs = {name: [np.array([np.nan, last]) for last in own] for name, own in regrets.items()}
    known: Any = SimpleNamespace(proxy="bench")
    analysis: Any = SimpleNamespace(
        exact=ExactValues(known, runs, {}, {"finalists": {}}, ()),
        standings=SimpleNamespace(num_seeds=8),
    )
    (sentence,) = verdict_words._exactly(analysis)
    assert "true score in bench" in sentence and "sharp (+0.0535," in sentence
    assert f"p = {2 * 2 / 2**8:.2g})" in sentence  # Holm: the smaller of two p-values, doubled
    assert "blunt" not in sentence and "silent" not in sentence
    # Where runs handed finalists in, these are what is judged.
    finalists = {name: at_random for name in ("random", "sharp")}
    finalists["blunt"] = [value - 0.02 for value in at_random]
    analysis.exact = ExactValues(known, runs, {}, {"finalists": finalists}, ())
    (sentence,) = verdict_words._exactly(analysis)
    assert "blunt (+0.0200," in sentence and "sharp" not in sentence
    analysis.exact = None
    assert verdict_words._exactly(analysis) == []


def test_only_finalists_are_trained_where_a_benchmark_knows_the_others(
    comparison_folder: Path,
) -> None:
    for path in find_runs(comparison_folder):
        record = read_run(path)
        (chosen,) = record.of_kind("chosen")
        trained = {event["pattern"] for event in record.of_kind("final")}
        assert trained == set(chosen["finalists"])
    tables = analyze(comparison_folder).tables
    assert set(tables.choices["named_by"]) == {"finalists", "best"}
    assert set(tables.choices["pattern"]) <= set(
        tables.benchmark.scores if tables.benchmark else ()
    )
