"""One optimizer over all proxies, beside random search, under its published settings: one table.

Each script of this folder is one `Protocol`. For each proxy it runs the ordinary `nasarena compare`
into `<out>/<searcher>/<proxy>/`, so an interrupted benchmark goes on where it stopped, and then
joins the tables of all proxies to `<out>/<searcher>/table.csv` and `table.md`.

    python -m nasarena.experiments.benchmarks.evolution                  every proxy, 10 seeds
    python -m nasarena.experiments.benchmarks.evolution additive nk quick
"""

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nasarena.experiments.commands.cli import main as nasarena
from nasarena.experiments.settings.registry import PROXIES
from nasarena.figures.report.markdown import table_lines
from nasarena.search.run_config import BASELINE

COLUMNS = {  # of a comparison's table.csv -> of ours
    "name": "searcher",
    "seeds": "seeds",
    "trials": "trials",
    "score": "final_score",
    "score_low": "low",
    "score_high": "high",
    "vs_random": "vs_random",
    "p_vs_random": "p",
    "searcher_seconds": "searcher_s",
}
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A searcher as its authors ran it; `source` says where that stands.

    `num_patterns` is the budget in average patterns.
    """

    searcher: str
    source: str
    num_patterns: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, proxy: str, num_patterns: int, num_seeds: int, folder: Path) -> list[str]:
        """The arguments of `nasarena compare` on one proxy."""
        options = ",".join(f"{name}:{value}" for name, value in self.options.items())
        entrant = f"{{name:{self.searcher},options:{{{options}}}}}"
        others = [] if self.searcher == BASELINE else [BASELINE]
        return [
            f"searchers=[{','.join([*others, entrant])}]",
            f"proxy={proxy}",
            f"seeds={num_seeds}",
            f"budget.patterns={num_patterns}",
            f"folder={folder}",
            f"name={proxy}",
            "references=false",
            "report=false",
        ]


def benchmark(protocol: Protocol, argv: Sequence[str] | None = None) -> int:
    """Run a protocol from the command line; the exit code is that of the worst comparison."""
    arguments = _parser(protocol).parse_args(argv)
    folder = Path(arguments.out) / protocol.searcher
    worst, rows = 0, []
    for proxy in arguments.proxies or PROXIES:
        print(f"== {protocol.searcher} on {proxy}", flush=True)
        settings = protocol.settings(proxy, arguments.patterns, arguments.seeds, folder)
        worst = max(worst, nasarena(["compare", *settings]))
        rows += rows_of(folder / proxy / "table.csv", proxy)
        write_table(rows, folder, protocol)
    return worst


def rows_of(table: Path, proxy: str) -> list[Row]:
    """What one comparison says, a row for each searcher; none where it came to nothing."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        found = [row for row in csv.DictReader(file) if row["kind"] == "searcher"]
    return [
        {"proxy": proxy} | {ours: row[theirs] for theirs, ours in COLUMNS.items()} for row in found
    ]


def write_table(rows: Sequence[Row], folder: Path, protocol: Protocol) -> None:
    """`table.csv` and `table.md` of everything so far."""
    if not rows:
        return
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    lines = [f"# {protocol.searcher}", "", f"Settings: {protocol.source}", ""]
    lines += table_lines(list(rows[0]), [list(map(_short, row.values())) for row in rows])
    lines += ["", "Interquartile means over seeds of the re-trained final score, 95 % interval."]
    (folder / "table.md").write_text("\n".join(lines) + "\n")


def _short(text: str) -> str:
    try:
        return f"{float(text):.5g}"
    except ValueError:
        return text


def _parser(protocol: Protocol) -> argparse.ArgumentParser:
    about = f"{protocol.searcher} over all proxies. Settings: {protocol.source}"
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("proxies", nargs="*", help=f"default all: {', '.join(PROXIES)}")
    parser.add_argument("--seeds", type=int, default=10, help="paired seeds")
    parser.add_argument(
        "--patterns",
        type=int,
        default=protocol.num_patterns,
        help=f"budget in average patterns ({protocol.num_patterns})",
    )
    parser.add_argument("--out", default="runs/benchmarks", help="where runs and the table go")
    return parser
