"""`nasarena status DIR`: which runs of a comparison are finished, partial, failed or missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from nasarena.experiments.commands.figures import existing_folder
from nasarena.experiments.comparison.plan import PLAN, read_plan
from nasarena.experiments.execution.console import make_console
from nasarena.search.errors import RunFolderRefused
from nasarena.search.run_folder import RunRecord, State, read_runs
from nasarena.search.untrusted.one_line import one_line

STYLES = {"finished": "green", "partial": "yellow", "failed": "red", "missing": "dim"}
UNREADABLE: Literal["unreadable"] = "unreadable"  # damaged, or of something else
STYLES |= {UNREADABLE: "red"}


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run: where it lies below the folder, its state, and what there is to say about it."""

    path: str
    state: State | Literal["unreadable"]
    num_trials: int = 0
    spent: float = 0.0  # share of the budget
    words: str = ""


def statuses(folder: Path) -> list[RunStatus]:
    """Every run that is there, and every planned one that is not, by path."""
    records, unreadable = read_runs(folder)
    found = {}
    for path, reason in unreadable.items():
        name = str(path.relative_to(folder))
        found[name] = RunStatus(name, UNREADABLE, words=reason)
    for record in records:
        name = str(record.path.relative_to(folder))
        found[name] = _status(name, record)
    for plan in folder.rglob(PLAN):
        for run in read_plan(plan.parent)["runs"]:
            name = str((plan.parent / run).relative_to(folder))
            found.setdefault(name, RunStatus(name, "missing"))
    return [found[name] for name in sorted(found)]


def _status(name: str, record: RunRecord) -> RunStatus:
    settled = list(record.of_kind("settled"))
    try:
        spent = settled[-1]["spent"] / record.config["budget"]["amount"] if settled else 0.0
    except (KeyError, TypeError, ZeroDivisionError):
        return RunStatus(name, UNREADABLE, words="its run.json says no config.budget.amount")
    last = record.events[-1] if record.events else {}
    torn = f"{record.torn_bytes} bytes of a torn last line are dropped" if record.torn_bytes else ""
    words = str(last.get("reason", torn))
    if record.state == "finished":
        words = words.partition(":")[0]
    return RunStatus(name, record.state, len(settled), min(1.0, spent), words)


def status(arguments: Sequence[str]) -> int:
    """0 where everything is finished, else 1."""
    folder = existing_folder("status", list(arguments) or ["runs"])
    runs = statuses(folder)
    if not runs:
        raise RunFolderRefused(f"{folder} holds no runs; give a folder that nasarena compare made")
    table = Table(box=None)
    for name in ("run", "state", "trials", "budget", ""):
        table.add_column(name, justify="right" if name in ("trials", "budget") else "left")
    for run in runs:
        table.add_row(
            Text(one_line(run.path)),
            Text(run.state, STYLES[run.state]),
            str(run.num_trials or ""),
            f"{run.spent:.0%}" if run.num_trials else "",
            Text(one_line(run.words)),
        )
    console = make_console()
    console.print(table)
    counts = {state: sum(run.state == state for run in runs) for state in STYLES}
    console.print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
    if command := read_plan(folder)["command"]:
        console.print(f"made by: {one_line(command)}", soft_wrap=True, markup=False)
    return 0 if counts["finished"] == len(runs) else 1
