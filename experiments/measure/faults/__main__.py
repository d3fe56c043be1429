"""`make faults`: the long attacks on this project, each counted as tried and held.

An attack holds where everything did that is promised of it: nothing recorded is lost, the events
are those of an undisturbed run, what went wrong is one line, nothing waits for ever. The attacks
that fit into a test are tests (`tests/faults`); here each is made as often as time allows.

`python -m nasarena.experiments.measure.faults [NAME ...] [effort=1] [--save]`, with names of
`ATTACKS`; all of them without one. The kills took 29 minutes on 2 busy cores, all others less. With
`--save` an attack's counts are written when it has ended and replace its former ones, so that a
measurement that was cut off goes on by naming the rest.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from nasarena.experiments.execution.provenance import commit
from nasarena.experiments.measure.faults.tally import Tally
from nasarena.experiments.measure.record import device_name, record
from nasarena.search.errors import nearest

ATTACKS = ("fuzz", "code_fuzz", "torn", "server", "disks", "kills", "code_kills")


def main(argv: Sequence[str]) -> None:
    """Make the attacks that are named, and record each."""
    effort, names = 1.0, list[str]()
    for argument in argv:
        if argument.startswith("effort="):
            effort = float(argument.removeprefix("effort="))
        elif argument in ATTACKS:
            names.append(argument)
        elif argument != "--save":
            raise SystemExit(f"no attack is called {argument!r}; {nearest(argument, ATTACKS)}")
    saved = Path("docs/measurements") / f"faults-{device_name()}.json"
    rows: list[dict[str, Any]] = json.loads(saved.read_text())["rows"] if saved.exists() else []
    for name in names or ATTACKS:
        module = import_module(f"nasarena.experiments.measure.faults.{name}")
        tallies: list[Tally] = module.attack(effort)
        made = {
            "date": datetime.now(UTC).date().isoformat(),
            "commit": commit("docs/measurements") or "unknown",
        }
        rows = [row for row in rows if row["attack"] != name]
        rows += [{"attack": name, **tally.row(), **made} for tally in tallies]
        record("faults", rows, summarize(rows), argv=argv)


def summarize(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Totals, over all attacks and by attack."""
    summary: dict[str, Any] = {key: sum(row[key] for row in rows) for key in ("tried", "held")}
    for name in dict.fromkeys(row["attack"] for row in rows):
        of_it = [row for row in rows if row["attack"] == name]
        summary[name] = {key: sum(row[key] for row in of_it) for key in ("tried", "held")}
    return summary


if __name__ == "__main__":
    main(sys.argv[1:])
