"""What is shown while runs go on, where there is no terminal."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from nasarena.experiments.commands.display import Display
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import Advance
from nasarena.experiments.comparison.running import Progress
from nasarena.experiments.settings.commands import compare_settings


@pytest.mark.parametrize("is_notebook", [True, False])
def test_lines_replace_each_other_in_a_notebook_alone(tmp_path: Path, is_notebook: bool) -> None:
    arguments = ["searchers=[random]", "seeds=2", "references=false", "proxy=additive"]
    comparison = plan_comparison(compare_settings([*arguments, f"folder={tmp_path}"]), "")
    cells = comparison.cells
    console = Console(file=StringIO(), force_jupyter=is_notebook, width=160)
    with Display(comparison, cells, console) as display:
        for cell in cells:
            display.update(Progress(cell, "partial", True, Advance(3, 0.5, 1.25)))
            display.update(Progress(cell, "finished", False, Advance(5, 1.0, 2.5)))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.strip() for line in said.replace("\r", "\n").splitlines() if line.strip()]
    assert [line.partition("] ")[2] for line in lines] == [
        "random seed 0: finished, 5 trials, best 2.5000",
        "random seed 1: finished, 5 trials, best 2.5000",
    ]
    assert said.count("\r") == (2 if is_notebook else 0)
    assert said.count("\n") == (1 if is_notebook else 2)


def test_a_quiet_console_shows_nothing_in_a_notebook_either(tmp_path: Path) -> None:
    arguments = ["searchers=[random]", "seeds=1", "references=false", "proxy=additive"]
    comparison = plan_comparison(compare_settings([*arguments, f"folder={tmp_path}"]), "")
    cells = comparison.cells
    console = Console(file=StringIO(), force_jupyter=True, quiet=True)
    with Display(comparison, cells, console) as display:
        display.update(Progress(cells[0], "finished", False, Advance(5, 1.0, 2.5)))
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]
