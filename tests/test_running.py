"""Which runs wait for which, until their best patterns are trained together."""

from dataclasses import replace
from pathlib import Path

import pytest

from nasarena.experiments.cell import Cell
from nasarena.experiments.comparison import planned
from nasarena.experiments.config import compare_config
from nasarena.experiments.running import _populations


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    config = compare_config(["proxy=additive", "searchers=[random]", f"folder={tmp_path}"])
    return planned(config, "test").cells[0]


def cells(cell: Cell, count: int, top_k: int) -> list[Cell]:
    settings = replace(cell.settings, top_k=top_k, final_replicates=1)
    return [replace(cell, settings=settings, num_trials=i) for i in range(count)]


@pytest.mark.parametrize(
    ("count", "top_k", "is_last", "parts"),
    [
        (0, 3, True, []),
        (5, 3, False, []),  # fifteen are to be trained: one more run may come
        (6, 3, False, [6]),
        (15, 1, False, []),
        (16, 1, False, [16]),
        (15, 0, False, []),
        (16, 0, False, [16]),
        (5, 3, True, [3, 2]),  # half each
        (1, 3, True, [1]),
        (12, 3, True, [6, 6]),
        (40, 1, True, [16, 16, 8]),
    ],
)
def test_populations_form(
    cell: Cell, count: int, top_k: int, is_last: bool, parts: list[int]
) -> None:
    waiting = cells(cell, count, top_k)
    before = list(waiting)
    found = _populations(waiting, is_last, num_workers=2)
    assert [len(part) for part in found] == parts
    assert [cell for part in found for cell in part] + waiting == before
