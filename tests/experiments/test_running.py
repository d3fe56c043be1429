"""Which runs wait for which until their best patterns are trained together; who fails alone."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import Advance, RunSpec
from nasarena.experiments.comparison.running import (
    Conclude,
    Search,
    _population,
    _populations,
    run_cells,
)
from nasarena.experiments.execution.inline_pool import InlinePool
from nasarena.experiments.execution.pool import News, Queue
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.commands import compare_settings
from nasarena.proxies.trained import TrainedProxy
from nasarena.search.budget import Budget


@pytest.fixture
def cell(tmp_path: Path) -> RunSpec:
    config = compare_settings(["proxy=additive", "searchers=[random]", f"folder={tmp_path}"])
    return plan_comparison(config, "test").cells[0]


def cells(cell: RunSpec, count: int, finalists: int) -> list[RunSpec]:
    settings = replace(cell.settings, finalists=finalists, final_replicates=1)
    return [replace(cell, settings=settings, num_trials=i) for i in range(count)]


@pytest.mark.parametrize(
    ("count", "finalists", "is_last", "parts"),
    [
        (0, 3, True, []),
        (5, 3, False, []),  # fifteen are to be trained: one more run may come
        (6, 3, False, [5]),  # an eighteen would be trained as sixteen and two
        (12, 3, False, [5, 5]),
        (15, 1, False, []),
        (16, 1, False, [16]),
        (3, 20, False, [1, 1, 1]),  # each is more than a population by itself
        (15, 0, False, []),
        (16, 0, False, [16]),
        (5, 3, True, [3, 2]),  # half each
        (1, 3, True, [1]),
        (12, 3, True, [3, 3, 3, 3]),  # two each
        (40, 1, True, [10, 10, 10, 10]),
    ],
)
def test_populations_form(
    cell: RunSpec, count: int, finalists: int, is_last: bool, parts: list[int]
) -> None:
    waiting = cells(cell, count, finalists)
    before = list(waiting)
    found = _populations(waiting, is_last, num_workers=2, bound=16)
    assert [len(part) for part in found] == parts
    assert [cell for part in found for cell in part] + waiting == before
    assert all(len(part) == 1 or len(part) * finalists <= 16 for part in found)


@pytest.mark.parametrize("population", [0, 24])
def test_a_population_is_as_large_as_the_proxy_trains_it(population: int) -> None:
    config = compare_settings(["proxy=quick", f"proxy.population={population}", "cache=false"])
    proxy = build_proxy(config.proxy, config.space, cache=False)
    assert isinstance(proxy, TrainedProxy)
    assert proxy.settings.population == (population or 16)
    cell = plan_comparison(config, "test").cells[0]
    assert _population(cell) == proxy.abilities.population == proxy.settings.population


class PoolHere:
    """Does the tasks of `run_cells` in this process; those with a cell of `bad` end as `how`."""

    num_workers = 1

    def __init__(self, bad: int, how: str) -> None:
        self.bad, self.how = bad, how
        self.concluded: list[list[int]] = []

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        while queue:
            number, task = queue.take()
            if isinstance(task, Search):
                yield News(number, "done", Advance(8, 1.0, 0.5))
                continue
            assert isinstance(task, Conclude)
            found = [cell.num_trials for cell in task.cells]
            self.concluded.append(found)
            yield News(number, self.how if self.bad in found else "done", "it says why")  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["refused", "crashed", "killed"])
def test_a_run_that_cannot_be_concluded_fails_alone(cell: RunSpec, how: str) -> None:
    pool = PoolHere(bad=2, how=how)
    news = list(run_cells(cells(cell, 4, finalists=3), pool))
    ends = {each.cell.num_trials: each for each in news if not each.is_working}
    assert pool.concluded[0] == [0, 1, 2, 3]
    assert sorted(pool.concluded[1:]) == [[0], [1], [2], [3]]
    assert [number for number, end in ends.items() if end.state != "finished"] == [2]
    assert "it says why" in ends[2].trouble and len(news) == 8
    assert {end.advance for end in ends.values()} == {Advance(8, 1.0, 0.5)}


def test_a_finished_run_of_another_command_is_not_ours(cell: RunSpec) -> None:
    """It came after the plan was made: another command with this name, at the same moment."""
    cell = replace(cell, settings=replace(cell.settings, budget=Budget("trials", 6)))
    other = replace(cell, settings=replace(cell.settings, budget=Budget("trials", 7)))
    (*_, done) = run_cells([other], InlinePool())
    assert done.state == "finished" and not done.trouble
    (*_, refused) = run_cells([cell], InlinePool())
    assert refused.state == "missing" and "budget.amount is 7" in refused.trouble
