"""The measurement on held-out families: pairs, regrets, and that finished runs are kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasarena.agents.scribe.card import MODEL_DIR, prompt_options
from nasarena.experiments.measure.searchers import held_out
from nasarena.experiments.measure.searchers.narrow_teacher import TeacherOf24, TeacherOf48
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial


def run(entrant: str, seed: int, family: str = "targets") -> held_out.Run:
    return held_out.Run(family, entrant, seed, 12, 8, str(MODEL_DIR))


def test_finished_runs_are_kept_and_not_run_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    runs = [run("random", 0), run("evolution", 0)]
    first = held_out.scores_of(runs[:1], kept, 1)
    kept.write_text(kept.read_text() + '["half a li')
    both = held_out.scores_of(runs, kept, 1)
    assert both[runs[0]] == first[runs[0]] and kept.read_text().count("evolution") == 1
    kept.write_text(kept.read_text().replace(str(both[runs[1]]), "7.5"))
    assert held_out.scores_of(runs, kept, 1)[runs[1]] == 7.5


def test_a_result_depends_on_the_lines_that_an_agent_is_shown_and_only_on_an_agents() -> None:
    for entrant, depends in (("scribe", True), ("random", False)):
        plain = run(entrant, 0)
        assert (replace(plain, lines=3).key != plain.key) is depends
    lines = prompt_options(MODEL_DIR)["lines"]
    assert replace(run("scribe", 0), lines=lines).key == run("scribe", 0).key
    few, many = (replace(run("scribe", 0), lines=lines) for lines in (1, 24))
    assert few(lambda _: None) != many(lambda _: None)


def test_regrets_are_of_true_scores_and_paired_by_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_out, "_best_known", lambda family, depth, seed: 3.0 + seed)
    scores = {}
    for seed in range(12):
        for entrant, score in (("random", 1.0), ("tpe", 2.0), ("scribe", 2.5 + (seed == 0))):
            scores[run(entrant, seed)] = score + seed
    rows = held_out.rows_of(scores)
    of = {row["searcher"]: row for row in rows}
    assert [of[name]["median_regret"] for name in ("random", "tpe", "scribe")] == [2.0, 1.0, 0.5]
    assert of["scribe"]["mean_regret"] == pytest.approx(0.5 * 11 / 12)  # beyond what climbs found
    assert of["scribe"]["p_below_random"] == 2**-12
    assert "p_below_random" not in of["random"] and of["tpe"]["p_below_random"] == 2**-12
    summary = held_out.summary_of(rows)
    assert summary["worst_regret_to_tpe"] == 0.5 and summary["worst_p_against_random"] == 2**-12


def test_a_second_model_has_a_row_of_its_own_with_p_against_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_out, "_best_known", lambda family, depth, seed: 3.0)
    scores = {}
    for seed in range(10):
        scores[run("random", seed)] = 0.0
        scores[run("scribe", seed)] = 1.0
        scores[replace(run("scribe", seed), model="other", label="found")] = 2.5
    of = {row["searcher"]: row for row in held_out.rows_of(scores)}
    assert of["found"]["median_regret"] == 0.5 and of["scribe"]["median_regret"] == 2.0
    assert of["found"]["p_below_scribe"] == 2**-10 and "p_below_scribe" not in of["scribe"]


def test_noise_is_frozen_by_seed_and_pattern_and_the_truth_has_none() -> None:
    proxy = held_out.HeldOut("trees", PatternSpace("AMS", 8), 2)
    (one,), (again,), (other,) = (
        proxy.evaluate(["AMSAMSAM"], [TrialSeed(run)]) for run in (2, 2, 3)
    )
    assert one == again != other and proxy.drawn.noise == 0.33
    errors = [
        proxy.evaluate(["AMSAMSAM"], [TrialSeed(2, k)])[0].score - proxy.true_score("AMSAMSAM")
        for k in range(400)
    ]
    assert np.std(errors) == pytest.approx(0.33, rel=0.15)


def test_a_narrow_teacher_sees_as_many_lines_as_it_says() -> None:
    space = PatternSpace("AMS", 8)
    rng = np.random.default_rng(0)
    trials = [Trial(i, space.sample(rng), "ok", float(rng.normal())) for i in range(60)]
    for kind, num in ((TeacherOf24, 24), (TeacherOf48, 48)):
        teacher = kind(space, rng, 4)
        teacher.tell(trials)
        assert len(teacher._fit().digits) == num
