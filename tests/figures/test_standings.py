"""Ranks and the verdict: right numbers from run folders, and no more claimed than they allow."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nasarena.figures.comparison import write_all
from nasarena.figures.plots import anytime, ranking
from nasarena.figures.report.fairness import fairness
from nasarena.figures.report.table import standings_table
from nasarena.figures.report.verdict import verdict
from nasarena.figures.results.analysis import analyze
from nasarena.figures.results.standings import standings
from nasarena.figures.results.tables import read_tables
from nasarena.figures.stats.intervals import iqm

Add = Callable[..., Path]
COMMAND = "nasarena figures runs/small"
FEW = ("ranking", "anytime")


def test_standings_by_hand(comparison: Path) -> None:
    tables = read_tables(comparison)
    standing = standings(tables)
    finals = tables.runs.pivot(index="seed", columns="searcher", values="final")
    for place in standing.places:
        assert place.score.estimate == pytest.approx(iqm(finals[place.searcher]))
        assert place.gap.estimate == pytest.approx(
            iqm(
                tables.runs.query(f"searcher == '{place.searcher}'")
                .eval("search_of_finals - final")
                .to_numpy()
            )
        )
    estimates = [place.score.estimate for place in standing.places]
    assert estimates == sorted(estimates, reverse=True)
    assert [place.rank for place in standing.places] == [1, 1, 1]  # 4 seeds show no difference
    pair, turned = standing.pair("random", "climber"), standing.pair("climber", "random")
    assert pair.difference.estimate == -turned.difference.estimate and pair.p == turned.p
    assert np.isnan(pair.difference.low)  # nor bound the difference


def test_another_searcher_moves_nobody_elses_numbers(
    comparison: Path, tmp_path: Path, add_run: Add
) -> None:
    before = read_tables(comparison)
    shutil.copytree(comparison, tmp_path / "more")
    for seed in range(4):
        add_run(tmp_path / "more", "newcomer", seed, greed=0.7)
    after = read_tables(tmp_path / "more")
    old = {place.searcher: place for place in standings(before).places}
    new = {place.searcher: place for place in standings(after).places}
    curves, more_curves = anytime.curves(before, "trials"), anytime.curves(after, "trials")
    for name in before.searchers:
        assert (old[name].score, old[name].gap) == (new[name].score, new[name].gap)
        assert np.array_equal(curves[name].low, more_curves[name].low, equal_nan=True)
    pair = standings(before).pair("climber", "random")
    assert str(pair.difference) == str(standings(after).pair("climber", "random").difference)


def test_the_verdict_claims_no_more_than_the_seeds_allow(comparison: Path) -> None:
    text = " ".join(verdict(analyze(comparison)))
    assert "shares the first place" in text
    assert "4 paired seeds cannot reach p < 0.05" in text and "0.125" in text
    assert "seeds" in text and "Not statistically distinguishable from random search: " in text


def test_a_clear_winner_is_called_one(tmp_path: Path, add_comparison: Add) -> None:
    folder = add_comparison(tmp_path, {"random": 0.0, "climber": 0.95}, seeds=8, amount=60)
    analysis = analyze(folder)
    assert [(place.searcher, place.rank) for place in analysis.standings.places] == [
        ("climber", 1),
        ("random", 2),
    ]
    sentences = verdict(analysis)
    assert sentences[0].startswith("climber leads (final score ")
    assert "1 of 1 pairs of searchers differs significantly with 8 paired seeds" in sentences[1]
    assert any(
        sentence.startswith("Statistically distinguishable from random") for sentence in sentences
    )


def test_local_search_is_a_reference_beside_random_search(
    tmp_path: Path, add_comparison: Add
) -> None:
    """Whoever beats random search and not it has found no more than single changes do."""
    rates = {"random": 0.0, "climber": 0.95, "local-search": 0.95}
    analysis = analyze(add_comparison(tmp_path, rates, seeds=8, amount=60))
    text = " ".join(verdict(analysis))
    assert "Statistically distinguishable from random search: climber" in text
    assert "istinguishable from local search: random" in text.replace("Not s", "not s")
    rows = standings_table(analysis).set_index("name")
    assert np.isfinite(rows.loc["climber", "p_vs_local-search"])
    assert np.isnan(rows.loc["local-search", "p_vs_local-search"])


def test_references_stand_by_final_score(comparison: Path) -> None:
    analysis = analyze(comparison)
    striped = analysis.tables.references["name"] == "striped"
    analysis.tables.references.loc[striped, "score"] -= 50  # last by search score
    analysis.tables.references.loc[striped, "final"] += 50  # first by final score
    table = standings_table(analysis)
    assert table.loc[table["kind"] == "reference", "name"].tolist() == ["striped", "all attention"]


def test_one_searcher_without_references(tmp_path: Path, add_run: Add) -> None:
    for seed in (0, 1):
        add_run(tmp_path, "climber", seed, greed=0.9)
    conclusion = write_all(tmp_path, COMMAND, only=FEW)
    assert conclusion.verdict[0].startswith("climber is the only searcher to compare")
    assert "Reference patterns" not in (tmp_path / "report.html").read_text()


def test_one_seed_is_no_conclusion(tmp_path: Path, add_comparison: Add) -> None:
    conclusion = write_all(add_comparison(tmp_path, seeds=1), COMMAND, only=FEW)
    assert "nothing here is a conclusion" in " ".join(conclusion.verdict)
    assert not re.search(r"\bnan\b", (tmp_path / "report.md").read_text())
    assert not re.search(r">\s*<b>nan", (tmp_path / "report.html").read_text())


def test_all_failed_is_said_everywhere(tmp_path: Path, add_run: Add) -> None:
    add_run(tmp_path, "random", 0, fails=True)
    add_run(tmp_path, "crasher", 0, raises=True)
    write_all(tmp_path, COMMAND, only=FEW)
    for name in ("report.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert "none of the 2 runs finished with a score" in text and "out of ideas" in text
    assert (tmp_path / "figures" / "anytime.png").exists()


def test_without_re_training_the_verdict_says_that_scores_flatter(
    tmp_path: Path, add_run: Add
) -> None:
    for seed in (0, 1):
        add_run(tmp_path, "random", seed, finalists=0)
    analysis = analyze(tmp_path)
    assert not analysis.standings.is_final
    assert "their maximum flatters" in verdict(analysis)[-1]
    points = {point.claim: point.answer for point in fairness(analysis)}
    assert points["Winners re-trained with fresh seeds on held-out data"] == "no"
    assert "flattering" in ranking.draw(analysis).get_suptitle()
