"""Files of events cut off at every byte of their last lines, as a power cut may leave them.

Each is read, which must give the events up to the last whole line; then the run is resumed, and
its events must be those of the run that was never cut. Once from the end of a run and once from
the middle of its search, for searchers of every kind.
"""

import tempfile

from nasarena.experiments.comparison.plan import Comparison, plan_comparison
from nasarena.experiments.comparison.run_spec import RunSpec, conclude_cells, search_cell
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.measure.faults.tally import Tally
from nasarena.experiments.measure.faults.victim import timeless_events
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.run_folder import read_run

_SETTINGS = (
    "proxy=additive space.depth=8 budget.patterns=16 seeds=1 llm=scribe references=false "
    "cache=false name=x"
).split()
_SEARCHERS = ("random", "evolution", "hyperband", "agent-sequential")
_NUM_LINES = 3


def attack(effort: float) -> list[Tally]:
    """Cut and resume; `effort` scales at how many of the bytes."""
    step = max(1, round(1 / effort))
    with tempfile.TemporaryDirectory() as folder:
        searchers = f"searchers=[{','.join(_SEARCHERS)}]"
        config = compare_settings([*_SETTINGS, searchers, f"folder={folder}"])
        planned = plan_comparison(config, "torn")
        with with_model(planned, config, make_console()) as comparison:
            return _cut_all(comparison, step)


def _cut_all(comparison: Comparison, step: int) -> list[Tally]:
    tallies = []
    for cell in comparison.cells:
        _run(cell)
        whole = (cell.path / "events.jsonl").read_bytes().splitlines(keepends=True)
        for words, lines in {"end": whole, "middle": whole[: len(whole) // 2]}.items():
            tally = Tally(cell.entrant.label, f"last {_NUM_LINES} lines cut at the {words}")
            start = sum(map(len, lines[:-_NUM_LINES]))
            for size in range(start, start + sum(map(len, lines[-_NUM_LINES:])), step):
                tally.note(_resume(cell, whole, size))
            tallies.append(tally)
    return tallies


def _run(cell: RunSpec) -> None:
    search_cell(cell, lambda advance: None)
    conclude_cells([cell])


def _resume(cell: RunSpec, whole: list[bytes], size: int) -> str:
    """What is wrong after a cut to `size` bytes; nothing if all is as it was."""
    file = cell.path / "events.jsonl"
    file.write_bytes(b"".join(whole)[:size])
    try:
        kept = read_run(cell.path)
        if size - kept.torn_bytes != sum(map(len, whole[: len(kept.events)])):
            return f"{len(kept.events)} events are read from {size} bytes"
        _run(cell)
        events = timeless_events(cell.path)
    except Exception as error:  # whatever it is, it should not be
        return f"{type(error).__name__}: {error}"[:200]
    file.write_bytes(b"".join(whole))
    return "" if events == timeless_events(cell.path) else "other events"
