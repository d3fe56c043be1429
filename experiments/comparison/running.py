"""The cells of a comparison in worker processes: searched, then their best trained again.

The best patterns of several runs train as one population, which takes half the time. So a run whose
search has ended waits until a population has come together, or until no search waits for a worker.
Where a population cannot be trained or recorded, each of its runs is tried alone: what one of them
is refused for is no fault of the others.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from nasarena.experiments.comparison.run_spec import Advance, RunSpec, conclude_cells, search_cell
from nasarena.experiments.execution.inline_pool import InlinePool
from nasarena.experiments.execution.pool import News, Pool, Queue, Report
from nasarena.experiments.execution.scoring import BuildProxy, build_proxy
from nasarena.experiments.execution.spread import Spread
from nasarena.search.errors import InvalidSetting, RunFolderRefused
from nasarena.search.hashes import config_hash
from nasarena.search.run_folder import State, find_record


@dataclass(frozen=True, slots=True)
class Progress:
    """News of one cell: how far it is, its state, and what went wrong in words.

    `partial` and not working means that its process is gone or that a fault of ours stopped it.
    """

    cell: RunSpec
    state: State
    is_working: bool
    advance: Advance | None
    trouble: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """The search of a cell as a worker does it; `build` makes its proxy."""

    cell: RunSpec
    build: BuildProxy = build_proxy

    @property
    def leaves_traces(self) -> bool:
        """Whether its searcher is code of the user's: defaults of torch, threads, folders."""
        return self.cell.entrant.is_of_the_user

    def __call__(self, report: Report) -> Advance:
        return search_cell(self.cell, report, self.build)


@dataclass(frozen=True, slots=True)
class Conclude:
    """The re-trainings of cells that were searched, as a worker does them."""

    cells: Sequence[RunSpec]
    build: BuildProxy = build_proxy

    def __call__(self, report: Report) -> None:
        conclude_cells(self.cells, self.build)


def _population(cell: RunSpec) -> int:
    """How many patterns are worth training again at once."""
    return build_proxy(cell.final_proxy, cell.space, cell.cache).abilities.population


def run_cells(
    cells: Sequence[RunSpec], pool: Pool, attempts: int = 1, spreads_batches: bool = False
) -> Generator[Progress, None, None]:
    """Run the cells and yield what happens; each ends with one that is not working.

    A search whose process or node is lost is taken up again where its folder stands, until it was
    begun `attempts` times. Those of a searcher that cannot be sent to a worker run afterwards, in
    this process. With `spreads_batches` all do, one after the other, and workers train what they
    ask for.
    """
    if spreads_batches:
        with Spread(pool, attempts) as spread:
            yield from _run_part(cells, InlinePool(), 1, spread.build)
        return
    yield from _run_part([cell for cell in cells if not cell.entrant.stays_here], pool, attempts)
    yield from _run_part([cell for cell in cells if cell.entrant.stays_here], InlinePool(), 1)


def _run_part(
    cells: Sequence[RunSpec], pool: Pool, attempts: int, build: BuildProxy = build_proxy
) -> Iterator[Progress]:
    if not cells:
        return
    bound = _population(cells[0])  # they are of one comparison
    queue = Queue([Search(cell, build) for cell in cells])
    cells_of = {number: [cell] for number, cell in enumerate(cells)}
    searches = set(cells_of)
    lost: Counter[Path] = Counter()
    searched: list[RunSpec] = []
    advances: dict[Path, Advance] = {}
    with closing(pool.run_tasks(queue)) as stream:
        for news in stream:
            about = cells_of[news.task]
            if news.kind == "working":
                yield Progress(about[0], "partial", True, news.value)
            elif news.kind == "done" and news.task in searches:
                advances[about[0].path] = news.value
                searched += about
                yield Progress(about[0], "partial", True, news.value)
            elif news.kind == "killed" and _may_go_on(about, lost, attempts):
                is_search = news.task in searches
                again = Search(about[0], build) if is_search else Conclude(about, build)
                number = queue.add_first(again)
                cells_of[number] = about
                if is_search:
                    searches.add(number)
            elif news.kind != "done" and len(about) > 1:
                for cell in about:
                    cells_of[queue.add_first(Conclude([cell], build))] = [cell]
            else:
                for cell in about:
                    yield _last_progress(cell, news, advances.get(cell.path))
            for part in _populations(searched, not queue, pool.num_workers, bound):
                cells_of[queue.add_first(Conclude(part, build))] = part


def _may_go_on(cells: Sequence[RunSpec], lost: Counter[Path], attempts: int) -> bool:
    """Whether runs whose worker was lost are tried once more; counts the loss."""
    lost.update(cell.path for cell in cells)
    return all(lost[cell.path] < attempts for cell in cells)


def _populations(
    searched: list[RunSpec], is_last: bool, num_workers: int, bound: int
) -> list[list[RunSpec]]:
    """The cells to conclude now, as populations, all taken out of `searched`; none if too early.

    A population of more than `bound` would be trained as two, so only one run's own may be larger.
    The last ones are shared out among the workers.
    """
    if not searched:
        return []
    total = sum(map(_num_trainings, searched))
    num_turns = ceil(total / (bound * num_workers))
    enough = ceil(total / (num_turns * num_workers)) if is_last else bound
    parts, size = [list[RunSpec]()], 0
    for cell in searched:
        added = _num_trainings(cell)
        if parts[-1] and (size >= enough or size + added > bound):
            parts.append([])
            size = 0
        parts[-1].append(cell)
        size += added
    searched[:] = [] if is_last or size >= bound else parts.pop()
    return parts


def _num_trainings(cell: RunSpec) -> int:
    """At least 1: where nothing is trained, too, there is an end to be recorded."""
    return max(1, cell.settings.finalists * cell.settings.final_replicates)


def _last_progress(cell: RunSpec, news: News, advance: Advance | None) -> Progress:
    if news.kind == "done":
        return Progress(cell, "finished", False, advance)
    state = _state(cell)
    if news.kind == "refused":
        return Progress(cell, state, False, advance, str(news.value))
    if news.kind == "killed":
        trouble = f"its process was ended ({news.value}); the same command resumes it"
        return Progress(cell, state, False, advance, trouble)
    last = news.value.strip().splitlines()[-1]
    trouble = f"internal fault: {last}; the same command resumes it"
    return Progress(cell, state, False, advance, trouble, news.value)


def _state(cell: RunSpec) -> State:
    """Where a run that broke off stands; a record that cannot be read is a failed run.

    A run of another configuration in its place, maybe one that another command began at the same
    moment, is not this one.
    """
    try:
        record = find_record(cell.path)
    except RunFolderRefused:
        return "failed"
    if record is None or record.header["config_hash"] != config_hash(cell.config):
        return "missing"
    return record.state


def common_refusal(troubles: Sequence[Progress], num_cells: int) -> InvalidSetting | None:
    """The one error that stopped every cell, if it is the same one: a fault of the settings."""
    words = {progress.trouble for progress in troubles}
    if len(troubles) == num_cells and len(words) == 1 and num_cells > 1:
        return InvalidSetting(words.pop())
    return None
