"""Rows under a head, as a file of comma-separated values and as a table in the terminal."""

import csv
import io
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from nasarena.search.untrusted.drafts import replace_text


def write_csv(file: Path, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the whole file, or leave the former one."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    replace_text(file, text.getvalue())


def make_table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str]
) -> Table:
    """The table; columns of `numbers` are flush right, cells are no markup."""
    table = Table(title=title, box=None)
    for name in head:
        table.add_column(name, justify="right" if name in numbers else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
