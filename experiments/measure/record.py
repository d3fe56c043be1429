"""How a measurement of ours is shown and kept: a table, one line of JSON, and a file with --save.

The file is `docs/measurements/<name>-<device>.json`, with the date, the commit, the device and the
command that made it, so that every number in the docs can be traced and repeated.
"""

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nasarena.experiments.execution.provenance import commit
from nasarena.search.machine import num_cores

Row = Mapping[str, Any]


def device_name() -> str:
    """`cpu-2` for two usable cores; measurements on a GPU pass its name instead."""
    return f"cpu-{num_cores()}"


def read_option(name: str, default: int) -> int:
    """The number behind `--name=` on the command line."""
    return int(read_text(name, str(default)))


def read_text(name: str, default: str) -> str:
    """What stands behind `--name=` on the command line."""
    given = (word.removeprefix(f"--{name}=") for word in sys.argv if word.startswith(f"--{name}="))
    return next(given, default)


def record(
    name: str,
    rows: Sequence[Row],
    summary: Mapping[str, Any],
    device: str | None = None,
    argv: Sequence[str] | None = None,
    module: str | None = None,
) -> None:
    """Print `rows` as a table and everything as a last line of JSON; keep it if asked to.

    `argv` are the arguments of the measuring module (default: the process's own); `--save` among
    them writes the file into `docs/measurements/` below the current folder. `module` is where it
    was measured, if that is not called as the measurement.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    device = device or device_name()
    result = {
        "name": name,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit("docs/measurements") or "unknown",
        "device": f"{device} ({platform.machine()}, Python {platform.python_version()})",
        "command": " ".join(
            ["python -m", f"nasarena.experiments.measure.{module or name}", *arguments]
        ),
        "rows": [dict(row) for row in rows],
        "summary": dict(summary),
    }
    _print_table(rows)
    if "--save" in arguments:
        file = Path("docs/measurements") / f"{name}-{device}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")
        print(f"saved {file}")
    print(json.dumps(result))


def _print_table(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns)
    for row in rows:
        table.add_row(*(_format_value(row.get(column, "")) for column in columns))
    Console().print(table)


def _format_value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
