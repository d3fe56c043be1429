"""Fixtures of all files that look at report.html: one browser, one written report."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from report_pages import Opened, as_agent, edit

from nasarena.figures.comparison import write_all

COMMAND = "nasarena report runs/'<b>'"


@pytest.fixture
def open_report(browser: Any) -> Iterator[Callable[..., Opened]]:
    """Opens a report; afterwards it must have been silent and must have fetched nothing."""
    opened: list[Opened] = []

    def open_(file: Path, width: int = 1280, **how: str) -> Opened:
        opened.append(Opened(browser, file, width, **how))
        return opened[-1]

    yield open_
    for each in opened:
        assert each.complaints == []
        outside = [url for url in each.requests[1:] if not url.startswith(("data:", "blob:"))]
        assert outside == []
        each.context.close()


@pytest.fixture
def open_page(open_report: Callable[..., Opened]) -> Callable[..., Opened]:
    """Opens a page that has nothing to unpack, under the same conditions."""
    return partial(open_report, ready="main")


@pytest.fixture(scope="session")
def report_folder(comparison: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small comparison with one more run, excluded, and one that an agent wrote."""
    folder = tmp_path_factory.mktemp("page") / "small"
    shutil.copytree(comparison, folder)
    agent = folder / "climber" / "seed-1"
    edit(agent, as_agent)
    (agent / "notebook.md").write_text(
        "# Notebook\n\n## 4. idea 4\n\n> why 4\n\nExpected better against 3 (0.1), came out "
        "worse: **wrong**.\n\n## 5. idea 5\n\nExpected better against 4 (0.1), came out better: "
        "**right**.\n\n## Hypotheses\n\nExpected nothing.\n"
    )
    write_all(folder, COMMAND, only=("ranking", "anytime"))
    return folder
