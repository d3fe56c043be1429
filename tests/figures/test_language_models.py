"""The figure on language models: who stands where, under which model, with which value."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nasarena.experiments.commands.cli import main
from nasarena.figures.language_model_chart import CLASSICAL, Chart, Row, _final_score, chart_of
from nasarena.figures.language_model_table import markdown, means
from nasarena.figures.language_models import draw
from nasarena.figures.results.analysis import analyze
from nasarena.figures.stats.multiple import holm
from nasarena.search.errors import NasArenaError
from nasarena.search.run_folder import Event, RunRecord, read_run
from nasarena.search.trial import Cost, Trial


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model under two names, with controls, on a benchmark; read only."""
    root = tmp_path_factory.mktemp("lm")
    shared = [
        "compare", "proxy=patternbench", "final_proxy=same", "seeds=2", "budget.patterns=14",
        "name=lm", f"folder={root}", "references=false", "report=false", "workers=1",
        "loop.finalists=2",
    ]  # fmt: skip
    agents = "agent-iid,{name:agent-iid,label:blind,options:{control:anonymous_letters}}"
    assert main([*shared, "searchers=[random,evolution]"]) == 0
    assert main([*shared, f"searchers=[{agents}]", "llm_label=one"]) == 0
    seeded = "{name:agent-iid,control:seeded}"
    assert main([*shared, f"searchers=[{seeded}]", "llm_label=one"]) == 0
    shorter = [*shared, "name=half", "budget.patterns=7", "searchers=[random]"]
    assert main(shorter) == 0
    return root / "lm"


def test_rows_stand_by_model_each_control_behind_its_agent(folder: Path) -> None:
    chart = chart_of(folder)
    assert [(row.model, row.title) for row in chart.rows.values()] == [
        (CLASSICAL, "evolution"),
        (CLASSICAL, "random"),
        ("scribe", "iid"),
        ("scribe", "iid, hand-made patterns first"),
        ("scribe", "iid, letters anonymous"),
    ]
    assert chart.missing == [] and chart.is_regret


def test_values_are_the_normalized_regrets_that_decide(folder: Path) -> None:
    chart, analysis = chart_of(folder), analyze(folder)
    exact, known = analysis.exact, analysis.tables.benchmark
    assert exact is not None and known is not None and known.difficulty is not None
    for name, regrets in exact.deciding_regrets.items():
        wanted = np.array(regrets) / known.difficulty.random_regret
        assert chart.rows[name].values.ravel() == pytest.approx(wanted), name
    better = chart.rows["evolution"].values.mean() < chart.rows["random"].values.mean()
    assert chart.against_random["evolution"].favours_first == better


def test_every_row_is_drawn_once_below_the_name_of_its_model(folder: Path) -> None:
    chart = chart_of(folder)
    figure = draw(chart)
    (axes,) = figure.axes
    titles = [one.get_text() for one in axes.get_yticklabels()]
    labels = dict(zip(titles, axes.get_yticks(), strict=True))
    assert list(labels) == [row.title for row in chart.rows.values()]
    heights = list(labels.values())
    assert heights == sorted(heights) and len(set(heights)) == len(heights)
    names = {text.get_text(): text.xy[1] for text in axes.texts}
    assert names[CLASSICAL] < labels["evolution"] < names["scribe"] < labels["iid"]


def _calls_of_trials(run: RunRecord) -> list[Event]:
    """Without the call for a proposal that the budget no longer paid."""
    last = max(place for place, event in enumerate(run.events) if event["event"] == "settled")
    return [event for event in run.events[:last] if event["event"] == "llm_call"]


def tables(
    folder: Path, pairs: Sequence[str] = (), beside: Sequence[Path] = ()
) -> list[list[dict[str, str]]]:
    """The rows of each table by the names of their columns."""
    found = []
    for text in markdown(folder, pairs, beside).split("\n\n"):
        head, _, *rows = [line[2:-2].split(" | ") for line in text.split("\n")]
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def test_table_says_what_a_proposal_took(folder: Path) -> None:
    """Shares and sums are those of the runs' own ends and trials, by another way."""
    worth, _, costs = tables(folder)
    titles = ["iid", "iid, hand-made patterns first", "iid, letters anonymous"]
    assert [row["scribe"] for row in costs] == titles
    row = costs[0]
    runs = [read_run(run) for run in sorted((folder / "agent-iid-one").glob("seed-*"))]
    trials = [trial for run in runs for trial in run.trials() if trial.llm is not None]
    calls = [call for run in runs for call in _calls_of_trials(run)]
    read, cached, written = (
        round(sum(call.get(f"{kind}_tokens", 0) for call in calls) / len(trials))
        for kind in ("prompt", "cached", "completion")
    )
    assert row["tokens"] == f"{read} ({cached}), {written}"
    flops = sum(one.events[-1]["llm"]["flops"] for one in runs)
    trained = sum(one.events[-1]["spent"] for one in runs)
    assert float(row["FLOPs"]) == pytest.approx(flops * 10 / 11 / trained, rel=0.05)
    repeats = sum(trial.status == "duplicate" for trial in trials) / len(trials)
    assert row["repeats"] == f"{100 * repeats:.1f} %" and row["well-formed"] == "100.0 %"
    chart = chart_of(folder)
    (said,) = [row for row in worth if (row["model"], row["searcher"]) == ("scribe", "iid")]
    assert said["95 %"].startswith(f"{chart.interval('agent-iid-one').estimate:.3f} (")
    against = chart.against_random["agent-iid-one"]
    assert not against.is_significant and said["p against random"] == f"{against.p_holm:.2g}"


def test_every_group_pays_for_its_own_comparisons_with_random_search() -> None:
    """Better in each of ten seeds is p = 2 / 2^10, times the rows of the group."""
    noise = np.random.default_rng(0).uniform(1.0, 1.01, (10, 1))
    groups = {CLASSICAL: ["random", "tpe"], "one": ["a", "b", "c"], "two": ["d", "e"]}
    rows = {
        name: Row(name, model, "", np.zeros((10, 1)) if name == "random" else -noise)
        for model, names in groups.items()
        for name in names
    }
    chart = Chart(rows, ["quick"], "regret", "", True, list(range(10)))
    found = {name: pair.p_holm * 512 for name, pair in chart.against_random.items()}
    assert found == pytest.approx({"tpe": 1, "a": 3, "b": 3, "c": 3, "d": 2, "e": 2})


def test_what_is_lost_by_withholding_is_over_the_same_runs(folder: Path) -> None:
    chart, (_, losses, _) = chart_of(folder), tables(folder)
    assert [row["withheld"] for row in losses] == [
        "iid, hand-made patterns first",
        "iid, letters anonymous",
    ]
    whole = chart.rows["agent-iid-one"].values
    for row, name in zip(losses, ("agent-iid-seeded-one", "blind-one"), strict=True):
        lost = (chart.rows[name].values - whole).mean()  # of a regret
        assert float(row["lost, 95 %"].split()[0]) == pytest.approx(lost, abs=5e-4)
    ps = [pair.p for pair in chart.against_agents]
    assert [float(row["p"]) for row in losses] == [float(f"{p:.2g}") for p in holm(ps)]


def test_pairs_are_of_the_first_over_the_second(folder: Path) -> None:
    asked = ["random:evolution", "evolution:random"]
    _, _, (one, other), _ = tables(folder, asked)
    rows = chart_of(folder).rows
    gain = (rows["evolution"].values - rows["random"].values).mean()  # of regrets
    assert float(one["better by, 95 %"].split()[0]) == pytest.approx(gain, abs=5e-4) != 0
    assert float(other["better by, 95 %"].split()[0]) == pytest.approx(-gain, abs=5e-4)
    with pytest.raises(NasArenaError, match="'tpe' is not among"):
        markdown(folder, ["random:tpe"])


def test_another_budget_is_in_the_units_of_this_one(folder: Path) -> None:
    half = folder.parent / "half"
    _, _, (row,), _ = tables(folder, beside=[half])
    exact, known = analyze(half).exact, analyze(folder).tables.benchmark
    assert exact is not None and known is not None and known.difficulty is not None
    wanted = np.mean(exact.deciding_regrets["random"]) / known.difficulty.random_regret
    assert (row["comparison"], row["searcher"]) == ("half", "random")
    assert float(row["95 %"].split()[0]) == pytest.approx(wanted, abs=5e-4)
    assert "withheld" in markdown(folder) and "withheld" not in markdown(half)
    with pytest.raises(NasArenaError, match="other landscapes"):
        chart_of(half, units={"elsewhere": 1.0})


def test_means_are_by_landscape() -> None:
    row = Row("greedy", "m", "", np.array([[1.0, 5.0], [2.0, 8.0]]))  # 2 seeds, 2 landscapes
    chart = Chart({"agent-greedy-m": row}, ["a", "b"], "regret", "", True, [0, 1])
    assert means(chart) == [["m", "greedy", "1.50", "6.50"]]


def test_who_lacks_a_seed_is_named_and_not_drawn(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "lm")
    shutil.rmtree(tmp_path / "lm" / "blind-one" / "seed-1")
    chart = chart_of(tmp_path / "lm")
    assert "blind-one" not in chart.rows and chart.missing == ["blind-one"]
    assert "for want of finished runs: blind-one." in draw(chart).get_supxlabel().replace("\n", " ")


def test_seeds_are_those_that_all_have(folder: Path, tmp_path: Path) -> None:
    """Of a searcher with more seeds the others' are drawn, as the report has it."""
    shutil.copytree(folder, tmp_path / "lm")
    for run in (tmp_path / "lm").glob("*-one/seed-1"):
        shutil.rmtree(run)
    shutil.rmtree(tmp_path / "lm" / "evolution" / "seed-1")
    chart = chart_of(tmp_path / "lm")
    assert chart.ground.endswith("1 seeds") and list(chart.rows) == list(chart_of(folder).rows)
    whole = chart_of(folder).rows["random"].values
    assert chart.rows["random"].values.tolist() == whole[:1].tolist()


def test_a_score_of_nothing_is_a_score() -> None:
    trial = Trial(0, "AM", "ok", 0.0, Cost(1, 1, 1.0), "random")
    record: Any = SimpleNamespace(trials=lambda: [trial], of_kind=lambda kind: [])
    assert _final_score(record) == 0.0


def test_without_random_search_nothing_is_drawn(tmp_path: Path) -> None:
    shared = ["compare", "proxy=additive", "name=lm", f"folder={tmp_path}", "report=false"]
    few = ["seeds=1", "budget.patterns=6", "references=false", "workers=1", "loop.finalists=0"]
    assert main([*shared, *few, "searchers=[evolution]"]) == 0
    with pytest.raises(NasArenaError, match="no runs of random search"):
        chart_of(tmp_path / "lm")


def test_random_search_that_lacks_the_seeds_of_the_others_is_none(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "lm")
    shutil.rmtree(tmp_path / "lm" / "random" / "seed-1")
    with pytest.raises(NasArenaError, match="no runs of random search"):
        chart_of(tmp_path / "lm")
