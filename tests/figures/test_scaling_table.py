"""The reader of losses at scale: what it fills in, and bad tables refused in one line."""

from pathlib import Path

import numpy as np
import pytest

from nasarena.figures.results.scaling import COLUMNS, budgets_of, read_scaling
from nasarena.search.errors import NasArenaError

HEADER = ",".join(COLUMNS)
ROWS = (
    "2A4M,flat,s,100,150,1000,6e5,0,3.5,ok\n"
    "2A4M,flat,s,100,150,1000,6.1e5,1,3.4,ok\n"
    "4A8M,flat,m,200,260,2000,2.4e6,0,,failed\n"
)


def write(folder: Path, text: str) -> Path:
    file = folder / "table.csv"
    file.write_text(text)
    return file


def test_rows_with_and_without_a_loss(tmp_path: Path) -> None:
    table = read_scaling(write(tmp_path, f"{HEADER}\n{ROWS}"))
    assert table.rows["loss"].tolist() == [3.5, 3.4]
    assert table.rows["params"].tolist() == [100, 100]
    assert table.rows["budget"].tolist() == [605_000, 605_000]  # the geometric mean of both
    assert table.without["status"].tolist() == ["failed"]
    assert table.labels == ["flat"] and table.assumed == ()
    assert read_scaling(tmp_path / "table.csv", "all").rows["params"].tolist() == [150, 150]


def test_a_folder_is_read_by_its_table(tmp_path: Path) -> None:
    write(tmp_path, f"{HEADER}\n{ROWS}").rename(tmp_path / "scale.csv")
    table = read_scaling(tmp_path)
    assert len(table.rows) == 2 and table.name == tmp_path.name


def test_a_published_table_needs_four_columns(tmp_path: Path) -> None:
    table = read_scaling(write(tmp_path, "loss,tokens,params_counted,label\n2.8,3e9,1e9,Llama\n"))
    row = table.rows.iloc[0]
    assert (row["flops"], row["seed"], row["status"], row["size"]) == (1.8e19, 0, "ok", "1e9")
    assert len(table.assumed) == 2


def test_budgets_are_flops_within_ten_percent() -> None:
    assert budgets_of(np.array([1.0, 10.0, 1.05, 1.2])) == [1.02, 10.0, 1.02, 1.2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be a table of comma-separated values"),
        ("a,b\n1,2,3\n4,5,6\n", "must have a name in its first line for every cell"),
        ("a,b\n1,2\n4,5,6\n", "must be a table of comma-separated values"),
        ("token,loss\n1,2\n", "must have a column 'tokens'; nearest: token"),
        ("tokens,loss\n1,2\n", "must have a column 'label' or 'pattern'"),
        ("label,tokens,loss\nx,1,2\n", "must have a column 'params_counted' or 'params_all'"),
        ("label,tokens,loss,params_all\nx,1,2,3\n", "counted=matrices needs a column"),
        ("label,tokens,loss,params_counted\nx,many,2,3\n", "row 1: tokens must be a positive"),
        ("label,tokens,loss,params_counted\nx,1,2,3\nx,2,nan,3\n", "row 2: loss must be a posit"),
        ("label,tokens,loss,params_counted\nx,1,2,3\nx,1,2,3\n", "row 2: x of size 3 on 1 tokens"),
        ("label,tokens,loss,params_counted,seed\nx,1,2,3,1.5\n", "seed must be a whole number"),
        ("label,tokens,loss,params_counted\nx,1,,3\n", "at least one row with a loss"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(NasArenaError) as error:
        read_scaling(write(tmp_path, text))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NasArenaError, match="cannot read"):
        read_scaling(tmp_path)
