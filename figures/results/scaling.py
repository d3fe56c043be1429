"""Losses of patterns at sizes and budgets, read from a plain table: a row is one trained model.

`nasarena scale` writes such a table, `scale.csv`; losses that others published are read as well.
CSV with a header, columns in any order, further ones left alone:

| column | holds |
|---|---|
| `pattern` | the layers as trained, letters or run lengths |
| `label` | the architecture across all sizes: `2A4M` stacked to any depth is one label |
| `size` | name of the rung or size, such as `350M` |
| `params_counted` | parameters of matrices and head: what a token is multiplied with |
| `params_all` | every parameter, embeddings too |
| `tokens` | tokens trained on |
| `flops` | FLOPs of the training, from its first step to its end |
| `seed` | whole number; the same seed reads the same text, whatever the pattern |
| `loss` | held-out loss in nats a token; empty unless `status` is `ok` |
| `status` | `ok`; anything else (`failed`, `missing`) says why there is no loss |

Needed are `label` or `pattern`, one of the two counts of parameters, `tokens` and `loss`. Without
`flops` they are 6 x parameters x tokens; without `seed` each row is a seed 0, without `status` a
row is ok where it has a loss. A row is known by (`label`, `size`, `tokens`, `seed`), `size` being
its parameters where it has no name. What was filled in is listed in `assumed`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Literal, NoReturn, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasarena.figures.stats.intervals import Floats
from nasarena.search.errors import InvalidSetting, NasArenaError, nearest

COLUMNS = (
    "pattern", "label", "size", "params_counted", "params_all", "tokens", "flops", "seed", "loss",
    "status",
)  # fmt: skip
OK = "ok"
TABLE = "scale.csv"  # in a folder that `nasarena scale` wrote
Counted = Literal["matrices", "all"]  # which parameters are N
_COLUMN_OF: dict[Counted, str] = {"matrices": "params_counted", "all": "params_all"}
IN_WORDS: dict[Counted, str] = {
    "matrices": "matrices and head, without embeddings",
    "all": "all parameters, embeddings too",
}
# FLOPs that differ by less are one budget: tokens are rounded to whole steps.
_SAME_BUDGET = 1.1


@dataclass(frozen=True, slots=True)
class ScalingTable:
    """Rows with the columns above, `params` (the N of the chosen count) and `budget` (FLOPs).

    `rows` have a loss, `without` have none; `assumed` says what the table did not hold.
    """

    rows: pd.DataFrame = field(repr=False)
    without: pd.DataFrame = field(repr=False)
    name: str
    counted: Counted
    data_hash: str
    assumed: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Architectures in the order of the table."""
        return list(dict.fromkeys(self.rows["label"]))


def read_scaling(path: Path, counted: Counted = "matrices") -> ScalingTable:
    """The table in a file, or in `scale.csv` of a folder; `counted` decides which N is used.

    Raises InvalidSetting (one line) where a column is missing or a cell is wrong, NasArenaError
    where the file cannot be read.
    """
    if counted not in get_args(Counted):
        raise InvalidSetting(f"counted must be matrices or all, got {counted!r}")
    file = (path / TABLE if path.is_dir() else path).resolve()
    frame, digest = read_frame(file)
    name = file.parent.name if file.name == TABLE else file.stem
    return make_scaling(frame, name, counted, digest)


def read_frame(file: Path) -> tuple[pd.DataFrame, str]:
    """A table of comma-separated values, all cells as text without blanks around; and its hash.

    Raises NasArenaError where it cannot be read, InvalidSetting where it is no such table.
    """
    try:
        content = file.read_bytes()
        frame = pd.read_csv(StringIO(content.decode()), dtype=str, keep_default_na=False)
    except OSError as error:
        raise NasArenaError(f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        words = " ".join(str(error).split())
        raise InvalidSetting(f"{file} must be a table of comma-separated values: {words}") from None
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the surplus for an index
        raise InvalidSetting(f"{file} must have a name in its first line for every cell of a row")
    return _strip(frame), hashlib.sha256(content).hexdigest()[:16]


def make_scaling(
    frame: pd.DataFrame, name: str, counted: Counted = "matrices", data_hash: str = ""
) -> ScalingTable:
    """The table of a frame whose cells are text or numbers; errors as for `read_scaling`."""
    text = _strip(frame)
    assumed = list(_fill_in(text, name, counted))
    rows = pd.DataFrame({column: text[column] for column in COLUMNS})
    for column in ("params_counted", "params_all", "tokens", "flops"):
        rows[column] = read_numbers(text[column], name)
    rows["seed"] = _seeds(text["seed"], name)
    is_ok = rows["status"] == OK
    rows["loss"] = read_numbers(text["loss"].where(is_ok, "1"), name).where(is_ok)
    rows["params"] = rows[_COLUMN_OF[counted]]
    _refuse_repeats(rows, name)
    rows["budget"] = budgets_of(rows["flops"].to_numpy(dtype=np.float64))
    found = rows[is_ok].reset_index(drop=True)
    if found.empty:
        raise InvalidSetting(f"{name} must hold at least one row with a loss, got none")
    without = rows[~is_ok].reset_index(drop=True)
    return ScalingTable(found, without, name, counted, data_hash, tuple(assumed))


def budgets_of(flops: Floats) -> list[float]:
    """The budget of each row: the geometric mean of all FLOPs within 10 % of the lowest of them."""
    order = np.argsort(flops, kind="stable")
    budgets = np.empty(len(flops))
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or flops[order[end]] > _SAME_BUDGET * flops[order[start]]:
            group = order[start:end]
            budgets[group] = np.exp(np.log(flops[group]).mean())
            start = end
    return [float(f"{budget:.3g}") for budget in budgets]


def _strip(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: frame[name].astype(str).str.strip() for name in frame.columns})


def _fill_in(text: pd.DataFrame, name: str, counted: Counted) -> Iterator[str]:
    """Add the columns that may be left out; yields what was assumed."""
    columns = set(text.columns)
    for needed in ("tokens", "loss"):
        if needed not in columns:
            near = nearest(needed, sorted(columns))
            raise InvalidSetting(f"{name} must have a column {needed!r}; {near}")
    if not columns & {"label", "pattern"}:
        raise InvalidSetting(f"{name} must have a column 'label' or 'pattern'")
    if not columns & set(_COLUMN_OF.values()):
        raise InvalidSetting(f"{name} must have a column 'params_counted' or 'params_all'")
    if _COLUMN_OF[counted] not in columns:
        raise InvalidSetting(f"counted={counted} needs a column {_COLUMN_OF[counted]!r} in {name}")
    text["label"] = text["label"] if "label" in columns else text["pattern"]
    text["pattern"] = text["pattern"] if "pattern" in columns else ""
    for column in _COLUMN_OF.values():
        if column not in columns:
            text[column] = text[_COLUMN_OF[counted]]
    if "size" not in columns:
        text["size"] = text[_COLUMN_OF[counted]]
    if "flops" not in columns:
        products = (
            6 * read_numbers(text[_COLUMN_OF[counted]], name) * read_numbers(text["tokens"], name)
        )
        text["flops"] = products.map(repr)
        yield "FLOPs are 6 x parameters x tokens: the table has none"
    if "seed" not in columns:
        text["seed"] = "0"
        yield "every row is one seed: the table names none"
    if "status" not in columns:
        text["status"] = np.where(text["loss"] == "", "missing", OK)


def read_numbers(column: "pd.Series[str]", name: str, positive: bool = True) -> "pd.Series[float]":
    """Finite numbers, by default positive. Raises InvalidSetting with the first row of another."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    values = numbers.to_numpy()
    wrong = ~(np.isfinite(values) & ((values > 0) | (not positive)))
    if wrong.any():
        _refuse(name, wrong, column, "a positive number" if positive else "a number")
    return numbers


def _seeds(column: "pd.Series[str]", name: str) -> "pd.Series[int]":
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    values = numbers.to_numpy()
    wrong = ~(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))
    if wrong.any():
        _refuse(name, wrong, column, "a whole number of 0 or more")
    return numbers.astype(int)


def _refuse(
    name: str, wrong: NDArray[np.bool_], column: "pd.Series[str]", expected: str
) -> NoReturn:
    row = int(np.flatnonzero(wrong)[0])
    got = str(column.iloc[row])
    raise InvalidSetting(f"{name}, row {row + 1}: {column.name} must be {expected}, got {got!r}")


def _refuse_repeats(rows: pd.DataFrame, name: str) -> None:
    key = ["label", "size", "tokens", "seed"]
    repeated = rows.duplicated(key)
    if repeated.any():
        row = int(np.flatnonzero(repeated)[0])
        label, size, tokens, seed = rows.loc[row, key]
        raise InvalidSetting(
            f"{name}, row {row + 1}: {label} of size {size} on {tokens:.0f} tokens with seed "
            f"{seed} is there already; keep one of the two"
        )
