"""A comparison over landscapes from Python."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import nasarena
from nasarena.search.errors import InvalidSetting
from users_searchers import walking

SMALL: dict[str, Any] = {
    "proxy": {"name": "suite", "landscapes": ["quick"], "retrained": []},
    "seeds": 2,
    "budget": {"patterns": 24},
    "workers": 1,
    "progress": False,
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> nasarena.Suite:
    result = nasarena.compare(
        ["random", walking], folder=tmp_path_factory.mktemp("runs"), name="s", **SMALL
    )
    assert isinstance(result, nasarena.Suite)
    return result


def test_the_result_is_what_the_folder_holds(suite: nasarena.Suite) -> None:
    assert suite.failures == []
    written = pd.read_csv(suite.folder / "table.csv")
    assert written["landscape"].tolist() == ["all", "all", "quick", "quick"]
    assert suite.table["name"].tolist() == written["name"].tolist()
    assert np.allclose(suite.table["regret"], written["regret"], rtol=1e-5)
    trials = suite.landscapes["quick"].trials
    assert set(trials["searcher"]) == {"random", "walking"}
    again = nasarena.load(suite.folder)
    assert isinstance(again, nasarena.Suite) and again.verdict == suite.verdict
    assert "normalized regret" in repr(suite) and suite.verdict[0] in repr(suite)
    assert "<table" in suite._repr_html_()


def test_figures_and_page_are_drawn_when_asked_for(suite: nasarena.Suite) -> None:
    assert not (suite.folder / "report.html").exists()
    assert isinstance(suite.plot("landscapes"), Figure)
    assert suite.plots == ["ranking", "landscapes", "anytime"]
    with pytest.raises(InvalidSetting, match="no figure is called 'rank'; nearest: ranking"):
        suite.plot("rank")
    assert suite.report().is_file()


def test_a_run_that_fails_is_named(tmp_path: Path) -> None:
    def failing(history: object, space: object, rng: object) -> str:
        raise ValueError("no idea")

    result = nasarena.compare(["random", failing], folder=tmp_path, name="f", **SMALL)
    assert any("failing" in words for words in result.failures)
    assert set(result.table["name"]) == {"random"}
