"""docs/files.md names every code file once, with a phrase, and none that is gone."""

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = {".py", ".h", ".cpp", ".js", ".css", ".jinja", ".yaml", ".sh"}


def files_on_disk() -> set[str]:
    """Code files of the packages' folders; of the `__init__` files only those with code."""
    places = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    tops = {Path(place).parts[0] for place in places["package-dir"].values()}
    return {
        str(file.relative_to(ROOT))
        for top in tops
        for file in (ROOT / top).rglob("*")
        if file.suffix in CODE and (file.name != "__init__.py" or has_code(file))
    }


def has_code(file: Path) -> bool:
    """Whether a module is more than its docstring."""
    return len(ast.parse(file.read_text()).body) > 1


def files_in_map(page: str) -> list[str]:
    """Paths that the tables name: a heading's folder and the names of a row's first cell.

    Raises AssertionError for a row whose phrase is missing.
    """
    folder, named = "", list[str]()
    for line in page.splitlines():
        if heading := re.fullmatch(r"#+ `(.*)`", line):
            folder = heading[1]
        elif row := re.fullmatch(r"\| (`.*`) \| (.*) \|", line):
            assert row[2].strip(), line
            named += [f"{folder}/{name}" for name in re.findall(r"`([^`]+)`", row[1])]
    return named


def test_the_map_names_every_code_file_and_none_that_is_gone() -> None:
    named = files_in_map((ROOT / "docs" / "files.md").read_text())
    assert sorted(files_on_disk() - set(named)) == [], "missing in docs/files.md"
    assert sorted(set(named) - files_on_disk()) == [], "gone, but still in docs/files.md"
    assert [name for name, count in Counter(named).items() if count > 1] == []


def test_a_row_is_read_with_its_folder() -> None:
    page = "## `search`\n\n| file | contents |\n|---|---|\n| `a.py`, `b.py` | two |\n"
    assert files_in_map(page) == ["search/a.py", "search/b.py"]
