"""A run over real trainings is replayed from its own scores, and no training takes place."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fakes import edit_events
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import search_cell
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.release.recorded_outcomes import NotRecorded, RecordedOutcomes
from nasarena.experiments.release.replay import replay
from nasarena.experiments.settings.commands import compare_settings
from nasarena.proxies.trained import TrainedProxy
from nasarena.search.errors import NasArenaError
from nasarena.search.proxy import TrialSeed
from nasarena.search.run_folder import RunRecord, read_run
from nasarena.search.trial import Cost


def train(folder: Path, searcher: str) -> RunRecord:
    """A search among models of one training step."""
    config = compare_settings([
        "proxy=quick", "proxy.train.steps=1", "proxy.train.warmup_steps=0", "proxy.model.width=8",
        "proxy.train.num_eval=4", "space.depth=4", f"searchers=[{searcher}]", "seeds=1",
        "budget.unit=trials", "budget.amount=12", "loop.finalists=0", "references=false",
        "cache=false", f"folder={folder}", "name=trained",
    ])  # fmt: skip
    (cell,) = plan_comparison(config, "test").cells
    search_cell(cell, lambda advance: None)
    return read_run(cell.path)


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searcher: str) -> RunRecord:
    """A search after which nothing can be trained."""
    record = train(tmp_path, searcher)

    def refuse(*arguments: Any) -> None:
        raise AssertionError("a training")

    monkeypatch.setattr(TrainedProxy, "evaluate", refuse)
    return record


@pytest.fixture
def searcher() -> str:
    return "evolution"  # its asks follow from the scores


def change_trial(record: RunRecord, index: int, change: Callable[[dict[str, Any]], None]) -> None:
    def one(event: dict[str, Any]) -> None:
        if event["event"] == "settled" and event["trial"]["index"] == index:
            change(event["trial"])

    edit_events(record.path, one)


def test_the_search_comes_out_again_without_a_training(record: RunRecord, tmp_path: Path) -> None:
    again = replay(record, tmp_path / "again")
    assert again.trials() == record.trials() and len(again.trials()) >= 12


@pytest.mark.parametrize("searcher", ["random"])
def test_seconds_of_another_machine_and_a_failed_training_are_taken_over(
    record: RunRecord, tmp_path: Path
) -> None:
    def other_seconds(trial: dict[str, Any]) -> None:
        trial["cost"]["device_seconds"] *= 7

    def fail(trial: dict[str, Any]) -> None:
        trial.update(status="failed", score=None, metrics={}, note="its loss was not finite")

    for trial in record.trials():
        change_trial(record, trial.index, other_seconds)
    worst = min(record.trials(), key=lambda trial: trial.score or 0.0)  # it is not handed in
    change_trial(record, worst.index, fail)
    again = replay(read_run(record.path), tmp_path / "again").trials()
    assert again[worst.index].note == "its loss was not finite"
    assert again[0].cost.device_seconds == 7 * record.trials()[0].cost.device_seconds > 0


def test_other_scores_lead_to_other_patterns_and_are_refused(
    record: RunRecord, tmp_path: Path
) -> None:
    worst = min(record.trials()[:8], key=lambda trial: trial.score or 0.0)
    change_trial(record, worst.index, lambda trial: trial.update(score=1.0))
    with pytest.raises(NasArenaError, match="was not trained|event"):
        replay(read_run(record.path), tmp_path / "again")


def test_what_was_not_trained_has_a_cost_and_no_score(record: RunRecord) -> None:
    config = compare_settings(["proxy=quick", "space.depth=4"])
    proxy = build_proxy(config.proxy, config.space, False)
    recorded = RecordedOutcomes(proxy, record)
    trained = record.trials()[0]
    assert recorded.cost(trained.pattern) == trained.cost != proxy.cost(trained.pattern)
    asked = {trial.pattern for trial in record.trials()}
    other = next(pattern for pattern in ("AAAA", "MMMM", "SSSS", "AMAM") if pattern not in asked)
    assert recorded.cost(other) == proxy.cost(other) != Cost()
    seed = TrialSeed(0)
    (outcome,) = recorded.evaluate([trained.pattern], [seed])
    assert (outcome.score, dict(outcome.metrics)) == (trained.score, dict(trained.metrics))
    for pattern, asked_seed in ((other, seed), (trained.pattern, replace(seed, replicate=1))):
        with pytest.raises(NotRecorded, match="not trained"):
            recorded.evaluate([pattern], [asked_seed])
    with pytest.raises(NotRecorded, match="held-out"):
        recorded.evaluate([trained.pattern], [seed], "held_out")
