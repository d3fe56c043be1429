"""The raw rows of PatternBench: one real training a row, as text, plain or compressed by xz.

The first line is `# ` and a JSON object: which proxy in which version and settings, where and when.
Then comes a table of comma-separated values. Scores are written with all their digits, so that what
is computed from a file that was read is what was computed when it was written.
"""

import csv
import json
import lzma
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from nasarena.search.errors import ProxyFailed

# reference: hand-made; fill: space-filling; test: uniform, never fitted; near: around good ones;
# again: another seed of one of the best.
Role = Literal["reference", "fill", "test", "near", "again"]


@dataclass(frozen=True, slots=True)
class Row:
    """One training. `round` is 0 for what was planned beforehand; `score` is None if it failed."""

    pattern: str
    seed: int
    role: Role
    round: int
    score: float | None
    loss: float | None
    accuracy: float | None
    seconds: float
    note: str = ""


COLUMNS = tuple(field.name for field in fields(Row))


def header_line(header: Mapping[str, Any]) -> str:
    """The first two lines of a file: what it holds, and the names of the columns."""
    return f"# {json.dumps(dict(header), sort_keys=True)}\n{','.join(COLUMNS)}\n"


def row_line(row: Row) -> str:
    """One line, with its end; `note` loses what would break it."""
    values = [getattr(row, column) for column in COLUMNS[:-1]]
    note = row.note.replace(",", ";").replace('"', "'").replace("\n", " ")
    return ",".join(["" if value is None else str(value) for value in values] + [note]) + "\n"


def read_rows(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Header and rows of a file, `.xz` or plain.

    Raises ProxyFailed for a file that is missing, damaged, or no file of rows.
    """
    try:
        data = path.read_bytes()
        text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode()
        return parse_rows(text.splitlines())
    except (OSError, lzma.LZMAError, ValueError, KeyError) as error:
        raise ProxyFailed(
            f"{path} must be a file of PatternBench rows, as `make patternbench` writes it; "
            f"reading it failed ({' '.join(str(error).split())})"
        ) from error


def parse_rows(lines: Iterable[str]) -> tuple[dict[str, Any], list[Row]]:
    """Header and rows of the lines of a file. Raises ValueError or KeyError for other text."""
    line = iter(lines)
    first = next(line, "")
    if not first.startswith("# {"):
        raise ValueError("the first line must be '# {...}'")
    return json.loads(first[2:]), list(_rows(line))


def _rows(lines: Iterator[str]) -> Iterator[Row]:
    for values in csv.DictReader(lines):
        yield Row(
            values["pattern"],
            int(values["seed"]),
            values["role"],  # type: ignore[arg-type]
            int(values["round"]),
            _number(values["score"]),
            _number(values["loss"]),
            _number(values["accuracy"]),
            float(values["seconds"]),
            values["note"],
        )


def _number(text: str) -> float | None:
    return float(text) if text else None
