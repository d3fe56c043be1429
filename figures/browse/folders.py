"""What lies below a folder: comparisons, suites, design and scale runs, audits, each in short.

Files alone are read, and of each no more than the index shows: the last event of a run, the head of
a report. No link is followed, no text is believed, and a folder that cannot be read costs no other.
"""

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nasarena.search.untrusted.bounded_read import read_bounded
from nasarena.search.untrusted.one_line import one_line

Kind = Literal["comparison", "suite", "design", "scale", "audit"]
MANIFEST, PLAN, GRID = "suite.json", "plan.json", "scale.json"
_DEEPEST = 4  # folders in folders; runs of a comparison lie two deep and are not entered
_LARGEST = 1 << 24  # bytes of a report, plan or header that are read
_TAIL = 1 << 16  # bytes of events.jsonl in which its last line lies
_LONGEST = 600  # signs of a verdict
# What to read of each kind, the first that is there being what its name leads to.
PAGES = (
    "report.html", "report.md", "scaling.md", "audit.md", "anchors.md", "audit.png", "aggregate.md",
    "table.csv", "scale.csv",
)  # fmt: skip
_ESCAPED = re.compile(r"\\([\\`*\[\]<>|#])")  # as figures/report/markdown.py escapes


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder of results. `date` is of its last run, ISO or empty; `states` counts its runs."""

    path: Path
    kind: Kind
    date: str
    states: Counter[str]
    size_bytes: int
    verdict: str
    pages: Sequence[str]

    @property
    def status(self) -> str:
        """Its runs in words."""
        total = sum(self.states.values())
        ended = self.states["finished"]
        others = [f"{n} {name}" for name, n in sorted(self.states.items()) if name != "finished"]
        return ", ".join([f"{ended} of {total} finished", *others]) if total else ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to do or to mend."""
        return self.states["finished"] == sum(self.states.values())


def find_entries(folder: Path) -> list[Entry]:
    """All results below a folder, itself among them; the newest first."""
    found = [describe(path, kind) for path, kind in _walk(folder, _DEEPEST)]
    by_name = sorted(found, key=lambda entry: str(entry.path))
    return sorted(by_name, key=lambda entry: entry.date, reverse=True)


def _walk(folder: Path, deepest: int) -> Iterator[tuple[Path, Kind]]:
    kind = kind_of(folder)
    if kind is not None:
        yield folder, kind
        return
    if deepest:
        for inner in _subfolders(folder):
            yield from _walk(inner, deepest - 1)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                Path(one.path)
                for one in entries
                if one.is_dir(follow_symlinks=False) and not one.name.startswith(".")
            )
    except OSError:
        return []


def kind_of(folder: Path) -> Kind | None:
    """What a folder holds; None where it is none of ours."""
    if (folder / MANIFEST).is_file():
        return "suite"
    if (folder / GRID).is_file() or (folder / "scale.csv").is_file():
        return "scale"
    if (folder / "audit.md").is_file() or (folder / "anchors.md").is_file():
        return "audit"
    if (folder / PLAN).is_file() or next(folder.glob("*/seed-*/run.json"), None):
        return "design" if _plan(folder)[0].startswith("nasarena design") else "comparison"
    return None


def describe(folder: Path, kind: Kind) -> Entry:
    """A folder in short."""
    states, dates = Counter[str](), [""]
    if kind == "scale":
        states, dates = _cells(folder), [_date(_json(folder / GRID))]
    elif kind == "audit":
        dates = [_date(_json(folder / name)) for name in ("audit.json", "anchors.json")]
    else:
        for place in [folder, *_subfolders(folder)] if kind == "suite" else [folder]:
            states += _states(place)
            dates += [_date(_json(run / "run.json")) for run in runs_in(place)]
    pages = [name for name in PAGES if (folder / name).is_file()]
    words = next(iter(sentences(folder)), "")
    return Entry(folder, kind, max(dates), states, _size(folder), words[:_LONGEST], pages)


def runs_in(folder: Path) -> list[Path]:
    """The run folders of a comparison, sorted."""
    return sorted(file.parent for file in folder.glob("*/seed-*/run.json"))


def sentences(folder: Path) -> list[str]:
    """What its report concludes: the line in bold, and what follows as far as the first table."""
    for name in ("report.md", "scaling.md", "audit.md", "anchors.md"):
        lines = _text(folder / name).splitlines()[1:]
        told = [line for line in lines if line.strip()]
        end = next((i for i, line in enumerate(told) if line[0] in "|#!"), len(told))
        if found := [_plain(line) for line in told[:end]]:
            return found
    return []


def _plain(line: str) -> str:
    bare = line.removeprefix("- ").removeprefix("**").removesuffix("**")
    return one_line(_ESCAPED.sub(r"\1", bare))


def _states(folder: Path) -> Counter[str]:
    """Runs by their state, planned ones that are not there as missing."""
    runs = runs_in(folder)
    there = {str(run.relative_to(folder)) for run in runs}
    missing = [run for run in _plan(folder)[1] if run not in there]
    return Counter([*map(_state, runs), *("missing" for _ in missing)])


def _state(run: Path) -> str:
    """By the last whole line of its events."""
    file = run / "events.jsonl"
    try:
        if not file.is_file():
            return "partial"
        with open(file, "rb") as events:
            events.seek(max(0, file.stat().st_size - _TAIL))
            lines = events.read().split(b"\n")[:-1]
        kind = json.loads(lines[-1])["event"] if lines else ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "partial"
    return str(kind) if kind in ("finished", "failed") else "partial"


def _cells(folder: Path) -> Counter[str]:
    """Cells of a grid: `finished`, or what its table calls them."""
    rows = csv.DictReader(_text(folder / "scale.csv").splitlines())
    states = Counter(one_line(row.get("status") or "ok")[:20] for row in rows)
    return Counter({"finished" if state == "ok" else state: n for state, n in states.items()})


def _plan(folder: Path) -> tuple[str, list[str]]:
    """The command that made a comparison, and the runs that it is to have."""
    plan = _json(folder / PLAN)
    runs = plan.get("runs")
    return str(plan.get("command", "")), list(map(str, runs)) if isinstance(runs, list) else []


def _date(record: dict[str, Any]) -> str:
    """ISO, of the last command that worked on it; what is no date is none."""
    made = record.get("provenance")
    last = made[-1] if isinstance(made, list) and made else record
    date = str(last.get("date", "")) if isinstance(last, dict) else ""
    return date if re.fullmatch(r"\d{4}-\d\d-\d\d(T[\d:]{5,8}([+-][\d:]+|Z)?)?", date) else ""


def _json(file: Path) -> dict[str, Any]:
    """A mapping, empty where there is none to read."""
    try:
        found = json.loads(_text(file) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(file: Path) -> str:
    try:
        return read_bounded(file, _LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _size(folder: Path) -> int:
    """Bytes of everything below, links not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total
