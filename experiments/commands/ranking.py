"""The final table as it is printed: rank, scores with limits, what was trained."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from nasarena.search.untrusted.one_line import one_line

if TYPE_CHECKING:
    import pandas as pd


def ranking(table: "pd.DataFrame") -> Table:
    """Rows of `table.csv` as a table for the terminal: searchers, then reference patterns."""
    shown = Table(title="ranking by final score", box=None)
    shown.add_column("rank", justify="right")
    shown.add_column("", no_wrap=True)
    for name in ("final score", "95 % interval", "search score", "trials", "failed", "searcher s"):
        shown.add_column(name, justify="right", no_wrap=name == "95 % interval")
    for row in table.to_dict("records"):
        if row["kind"] == "searcher":
            shown.add_row(
                f"{row['rank']:.0f}",
                Text(one_line(row["name"])),
                _number(row["score"]),
                _limits(row["score_low"], row["score_high"]),
                _number(row["search_score"]),
                f"{row['trials']:.0f}",
                f"{row['failed']:.0f}" if row["failed"] else "",
                f"{row['searcher_seconds']:.1f}",
            )
        elif row["kind"] == "reference":
            shown.add_row(
                "",
                Text(one_line(row["name"]), "dim"),
                _number(row["score"]),
                "",
                _number(row["search_score"]),
            )
    return shown


def _limits(low: float, high: float) -> str:
    """Nothing for one seed, which has no interval."""
    return f"{_number(low)} to {_number(high)}" if _number(low) else ""


def _number(value: float) -> str:
    return "" if value != value else f"{value:.4f}"  # NaN is unequal to itself
