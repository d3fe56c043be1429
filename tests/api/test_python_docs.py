"""The code of docs/python.md and docs/notebook.ipynb runs as it stands there."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

import nasarena

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
NOTEBOOK = json.loads((DOCS / "notebook.ipynb").read_text())


def execute(code: str, namespace: dict[str, Any]) -> Any:
    """Run a cell as a notebook does; the value of its last line, if it is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
    return None


def test_the_page_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in BLOCKS:
        execute(block, namespace)
    assert (tmp_path / "anytime.png").stat().st_size > 10_000
    named = namespace["result"]
    assert named.folder == tmp_path / "runs" / "groups"
    assert set(named.runs["searcher"]) == {"random", "small"}
    assert namespace["run"].best.pattern in set(namespace["run"].trials["pattern"])
    assert len(namespace["scores"]) == 4


def test_from_import_to_a_plot_it_takes_ten_lines() -> None:
    assert BLOCKS[0].startswith("import nasarena\n") and ".plot(" in BLOCKS[0]
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) == 10


def test_the_page_names_everything_that_is_offered() -> None:
    offered = {
        name: getattr(nasarena, name)
        for name in ("Comparison", "Run", "Check")
    }  # fmt: skip
    for name in ("compare", "run", "evaluate", "check", "load"):
        assert f"`{name}(" in PAGE
    for name, kind in offered.items():
        assert f"`{name}`" in PAGE
        for member in vars(kind):
            assert member.startswith("_") or member == "write" or re.search(rf"\b{member}\b", PAGE)


def test_the_notebook_runs_and_shows_standings_figure_and_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    shown = [execute("".join(cell["source"]), namespace) for cell in cells]
    result, figure, trials, verdict = shown
    assert "nearby" in result._repr_html_() and result.failures == []
    assert isinstance(figure, Figure) and isinstance(trials, pd.DataFrame)
    assert verdict[0].startswith(result.table["name"].iloc[0])


def test_the_notebook_is_kept_without_outputs() -> None:
    for cell in NOTEBOOK["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
