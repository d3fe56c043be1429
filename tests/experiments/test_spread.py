"""The patterns of one ask, trained by all workers: the events are those of one process."""

from collections.abc import Generator
from pathlib import Path

import pytest

from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.pool import News, Queue, run_task
from nasarena.experiments.execution.spread import Part, Spread, SpreadProxy
from nasarena.experiments.measure.machines.same_events import events_below
from nasarena.experiments.settings.choices import ProxyConfig, choose_proxy
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.errors import InvalidPattern, ProxyFailed
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Outcome

SMALL = (
    "proxy=quick proxy.train.steps=3 proxy.train.num_eval=4 proxy.model.width=16 space.depth=4 "
    "searchers=[random] seeds=1 budget.patterns=10 loop.parallel=3 loop.finalists=2 "
    "loop.final_replicates=1 references=false cache=false report=false name=x"
).split()
SPACE = PatternSpace("AMS", 4)


class Backwards:
    """A pool in which the last task ends first, and the first workers of all die."""

    def __init__(self, num_workers: int = 3, deaths: int = 0) -> None:
        self.num_workers, self.deaths = num_workers, deaths
        self.sizes: list[int] = []

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        while queue:
            taken = [queue.take() for _ in range(min(self.num_workers, len(queue)))]
            for number, task in reversed(taken):
                assert isinstance(task, Part)
                self.sizes.append(len(task.patterns))
                self.deaths -= 1
                if self.deaths >= 0:
                    yield News(number, "killed", "signal SIGKILL")
                else:
                    yield run_task(number, task, lambda value: None)


def test_events_are_those_of_runs_that_train_in_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real trainings by two workers, three patterns an ask, and the finalists' trainings."""
    found, sizes, do = [], list[list[int]](), Spread.do
    monkeypatch.setattr(
        Spread,
        "do",
        lambda self, parts: sizes.append([len(part.patterns) for part in parts]) or do(self, parts),
    )
    for spread in ("runs", "batches"):
        folder = tmp_path / spread
        config = compare_settings([*SMALL, f"folder={folder}", f"launcher.spread={spread}"])
        comparison = plan_comparison(config, "test")
        assert [] == run_missing(
            comparison, "test", make_console(), 2, False, launcher=config.launcher
        )
        found.append(events_below(folder))
    ((events,), (others,)) = (one.values() for one in found)
    assert events == others
    asked = [len(event["patterns"]) for event in events if event["event"] == "asked"]
    assert asked == [4, 3, 3, 3]  # the last three are more than the budget has left
    assert sizes == [[2, 2], [2, 1], [2, 1], [1, 1]]  # and the finalists


def test_outcomes_stand_in_the_order_that_was_asked_whoever_ends_first() -> None:
    pool, patterns = Backwards(), ["AAAA", "MMMM", "SSSS", "AMSA", "SMAS"]
    seeds = [TrialSeed(0)] * len(patterns)
    with Spread(pool) as spread:
        proxy = spread.build(_noisy(), SPACE, False)
        assert isinstance(proxy, SpreadProxy) is proxy.abilities.trains
        shared = _share(spread)
        assert _scores(shared.evaluate(patterns, seeds)) == _scores(proxy.evaluate(patterns, seeds))
        assert pool.sizes == [1, 2, 2]  # two a worker, the last part first
        assert shared.evaluate([], []) == []
        assert len(shared.evaluate(["AAAA"], [TrialSeed(1)], "held_out")) == 1  # it goes on


def test_a_part_whose_worker_dies_is_trained_again_so_many_times() -> None:
    with Spread(Backwards(deaths=2), attempts=2) as spread:
        assert len(_share(spread).evaluate(["AAAA", "MMMM"], [TrialSeed(0)] * 2)) == 2
    with Spread(Backwards(deaths=2)) as spread, pytest.raises(ProxyFailed, match="SIGKILL"):
        _share(spread).evaluate(["AAAA"], [TrialSeed(0)])


def test_what_a_worker_refuses_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with Spread(Backwards()) as spread:
        shared = _share(spread)
        monkeypatch.setattr("nasarena.experiments.execution.spread.evaluate_at", _refuse)
        with pytest.raises(InvalidPattern, match="not like this"):
            shared.evaluate(["AAAA"], [TrialSeed(0)])


def test_a_batch_goes_on_after_one_that_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The news of the other parts, which come late, are not taken for its own."""
    patterns, seeds = ["AMSA", "MMMM"], [TrialSeed(0)] * 2
    with Spread(Backwards()) as spread:
        shared = _share(spread)
        with monkeypatch.context() as patch:
            patch.setattr("nasarena.experiments.execution.spread.evaluate_at", _refuse)
            with pytest.raises(InvalidPattern):
                shared.evaluate(patterns, seeds)
        assert _scores(shared.evaluate(patterns, seeds)) == _scores(
            shared.proxy.evaluate(patterns, seeds)
        )


def _refuse(*arguments: object) -> None:
    raise InvalidPattern("not like this")


def _noisy() -> ProxyConfig:
    return choose_proxy("additive", {})


def _share(spread: Spread) -> SpreadProxy:
    """A formula in place of a training, which takes longer."""
    config = _noisy()
    return SpreadProxy(spread.build(config, SPACE, False), config, False, spread)


def _scores(outcomes: list[Outcome]) -> list[float | None]:
    return [outcome.score for outcome in outcomes]
