"""`nasarena design` on encoders of long sequences: settings, a comparison, baselines, scores."""

import csv
from math import log10
from pathlib import Path
from typing import Any

import pytest

from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.design.baselines import baseline_rows
from nasarena.experiments.design.command import design
from nasarena.experiments.design.foresight import count_trainings, foresee
from nasarena.experiments.design.ground import ON_ANY_SPACE, ON_ENCODERS, comparison_settings
from nasarena.experiments.design.normalized import normalize, standings
from nasarena.experiments.measure.searchers.encoders import compare_variants
from nasarena.experiments.settings.commands import design_settings
from nasarena.proxies.lra.catalogue import BASELINES
from nasarena.proxies.lra.programs import program_space
from nasarena.proxies.sandbox.levels import why_missing
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_folder import read_run
from nasarena.search.trial import Cost, Outcome


def test_bare_it_compares_at_least_four_searchers_and_all_baselines() -> None:
    for task in ("lra-listops", "lra-text", "lra-retrieval"):
        config = comparison_settings(design_settings([f"task={task}", "scale=smoke"]))
        assert [one.label or one.name for one in config.searchers] == list(ON_ENCODERS)
        assert len(ON_ENCODERS) >= 4
        assert isinstance(config.space, EditSpace)
        assert config.space.known_candidates() == BASELINES
        assert config.loop.finalists == 1  # nobody chooses by the test split
    options: dict[str, Any] = config.proxy.options
    assert (options["variant"], options["size"], options["clock"]) == ("fixed", "cpu", "modelled")


def test_the_configurable_variant_has_sizes_and_rates_as_edits() -> None:
    def names(variant: str) -> set[str]:
        config = comparison_settings(design_settings(["task=lra-text", f"variant={variant}"]))
        assert isinstance(config.space, EditSpace)
        return {edit.name for edit in config.space.edits}

    more = names("configurable") - names("fixed")
    assert {"depth", "width", "heads", "rate", "batch", "dropout"} <= more
    assert names("fixed") < names("configurable")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["variant=fixed"], "variant is a setting of the tasks lra-"),
        (["data=somewhere"], "data is a setting of the tasks lra-"),
        (["task=lra-text", "size=huge"], "size"),
    ],
)
def test_wrong_settings_are_one_line(given: list[str], said: str) -> None:
    with pytest.raises(InvalidSetting, match=said) as caught:
        comparison_settings(design_settings(given))
    assert "\n" not in str(caught.value)


def test_a_wrong_data_folder_is_refused_before_anything_runs(tmp_path: Path) -> None:
    asked = ["task=lra-text", f"data={tmp_path}/none", f"folder={tmp_path}", "searchers=[random]"]
    with pytest.raises(InvalidSetting, match="data must be a folder"):
        design(asked)
    assert list(tmp_path.iterdir()) == []


_SHORT = (
    "task=lra-listops",
    "size=tiny",
    "clock=steps",
    "seconds=1",
    "workers=1",
    "report=false",
    "seeds=1",
)


def test_a_small_comparison_and_its_normalizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    asked = [*_SHORT, f"folder={tmp_path}", "name=tiny", "trials=2", "initial_design=1",
             "searchers=[random,local-search]"]  # fmt: skip
    assert design(asked) == 0
    assert "Mamba-like" in capsys.readouterr().out
    config = read_run(tmp_path / "tiny" / "random" / "seed-0").header["config"]
    assert config["space"]["task"] == "lra-listops fixed"
    assert not (tmp_path / "tiny" / "attribution.csv").exists()
    with open(tmp_path / "tiny" / "normalized.csv", newline="") as opened:
        rows = {row["searcher"]: row for row in csv.DictReader(opened)}
    assert set(rows) == {"random", "local-search", *BASELINES}
    worths = [float(rows[name]["normalized score"]) for name in BASELINES]
    assert max(worths) == pytest.approx(1)
    assert {row["valid runs"] for row in rows.values()} <= {"0 %", "100 %"}
    # The same trainings again, from the cache, as a table of their own.
    assert design([*_SHORT, f"folder={tmp_path}", "name=table", "baselines=true"]) == 0
    with open(tmp_path / "table" / "baselines.csv", newline="") as opened:
        table = list(csv.DictReader(opened))
    assert {row["baseline"] for row in table} == set(BASELINES)
    means = [float(row["mean"]) for row in table]
    assert means == sorted(means, reverse=True)


@pytest.mark.skipif(bool(why_missing("landlock")), reason=why_missing("landlock"))
def test_programs_are_searched_and_the_best_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    asked = [*_SHORT, "mode=code", f"folder={tmp_path}", "name=code", "trials=3",
             "initial_design=1", "searchers=[random]"]  # fmt: skip
    assert design(asked) == 0
    said = capsys.readouterr().out
    assert "attribute=true takes it apart" in said and "Mamba-like" in said
    folder = tmp_path / "code"
    run = read_run(folder / "random" / "seed-0")
    assert run.config["proxy"]["options"]["clock"] == "steps"
    space = program_space("lra-listops", "fixed", "tiny")
    trials = run.trials()
    assert trials[0].pattern == space.drafts[0][1]
    lists = [space.list_of(trial.pattern) for trial in trials]
    assert None not in lists and len(set(lists)) == 3
    best = (folder / "best.py").read_text()
    finals = {event["pattern"] for event in run.of_kind("final")}
    assert best in {trial.pattern for trial in trials} | finals
    assert not (folder / "attribution.csv").exists()
    with open(folder / "normalized.csv", newline="") as opened:
        names = {row["searcher"] for row in csv.DictReader(opened)}
    assert names == {"random", *BASELINES}


def test_programs_of_encoders_are_compared_by_wall_time() -> None:
    config = comparison_settings(design_settings(["task=lra-text", "mode=code"]))
    assert isinstance(config.space, ProgramSpace)
    options: dict[str, Any] = config.proxy.options
    assert options["clock"] == "wall"
    assert [one.name for one in config.searchers] == list(ON_ANY_SPACE)


def test_a_normalize_by_hand() -> None:
    # Errors of 0.8, 0.4 and 0.2: the last halves twice what the second halves once.
    assert normalize(0.2, 0.2, 0.6) == pytest.approx(0)
    assert normalize(0.6, 0.2, 0.6) == pytest.approx(1)
    assert normalize(0.8, 0.2, 0.6) == pytest.approx(2)
    assert normalize(1.0, 0.2, 0.6) == pytest.approx(log10(0.8 / 1e-4) / log10(2))


def test_runs_without_a_valid_result_are_worth_nothing() -> None:
    found = standings(
        {"a": [0.6, None], "b": [None], "plain": [0.2], "good": [0.6]}, {"plain", "good"}
    )
    by_name = {one.name: one for one in found}
    assert by_name["a"].normalized == pytest.approx(0.5)
    assert (by_name["a"].num_valid, by_name["a"].num_runs) == (1, 2)
    assert (by_name["b"].score, by_name["b"].normalized) == (None, 0.0)
    assert by_name["good"].normalized == pytest.approx(1)
    assert found[-1].name == "b"


def test_rows_of_baselines_by_hand() -> None:
    def made(*scores: float | None) -> list[Outcome]:
        return [
            Outcome("failed" if one is None else "ok", one, Cost(), {}, 0.0, "" if one else "why")
            for one in scores
        ]

    rows = baseline_rows({"worse": made(0.1, 0.3), "better": made(0.5), "none": made(None)})
    assert [row[0] for row in rows] == ["better", "worse", "none"]
    # Mean 0.2, standard deviation 0.1414, t of one degree of freedom 12.706.
    assert rows[1][1:] == ["0.2000", "-1.0706", "1.4706", "0.1414", "2", "0"]
    assert rows[2][1:] == ["", "", "", "", "0", "1"]


def test_how_long_it_takes_is_said_before_it_begins() -> None:
    assert foresee(24, 5.0, 2) == (
        "some 24 trainings of 5.0 s, 2 at once: about 1.0 min on a quiet machine; what is cut off "
        "goes on with the same command"
    )
    config = comparison_settings(design_settings(["task=lra-listops", "searchers=[random]"]))
    cells = plan_comparison(config, "test").cells
    # 3 runs of 16 and 2 more, 3 of eight baselines trained thrice, and 25 candidates on 8 seeds.
    assert count_trainings(cells, 0) == 3 * 18 + 3 * 24
    assert count_trainings(cells, 8) == 3 * 18 + 3 * 24 + 8 * 25
    assert count_trainings([], 8) == 0


def test_free_sizes_against_fixed_ones_by_hand() -> None:
    fixed = {"a": [0.1, 0.2, 0.3], "b": [0.1, 0.2, 0.3], "plain": [0.9] * 3}
    free = {"a": [0.3, 0.2, None], "b": [0.3, 0.4, 0.5], "plain": [0.1] * 3}
    found = compare_variants(fixed, free, {"a", "b"})
    # Means of seeds 0.2 and 0.1, the third is not complete; t of one degree of freedom 12.706.
    assert found["configurable_less_fixed"] == pytest.approx(0.15)
    assert found["high"] - found["low"] == pytest.approx(2 * 12.7062 * 0.05, rel=1e-4)
    assert compare_variants({"a": [0.1]}, {"a": [None]}, {"a"}) == {"seeds": 0}
