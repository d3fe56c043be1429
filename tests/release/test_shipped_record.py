"""The records of the comparisons of language models that the repository ships."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.experiments.release.replay import NotReplayed, replay
from nasarena.figures.language_model_chart import CLASSICAL, chart_of
from nasarena.search.run_folder import read_run

RECORDS = Path(__file__).parents[2] / "docs/measurements"


def _unpack(record: str, root: Path) -> Path:
    assert main(["import", str(RECORDS / record), "name=lm", f"folder={root}"]) == 0
    return root / "lm"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _unpack("language-models.tar.xz", tmp_path_factory.mktemp("record"))


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same agents and searchers where every pattern was trained."""
    return _unpack("language-models-quick.tar.xz", tmp_path_factory.mktemp("trainings"))


@pytest.mark.parametrize(
    "run",
    [
        "recall/agent-sequential-anonymous-smollm2-135m/seed-3",
        "prose/agent-greedy-qwen2.5-coder-1.5b/seed-0",
    ],
)
def test_a_recorded_run_comes_out_again(folder: Path, tmp_path: Path, run: str) -> None:
    record = read_run(folder / run)
    again = replay(record, tmp_path)
    assert [one.pattern for one in again.trials()] == [one.pattern for one in record.trials()]
    assert again.events[-1]["llm"]["prompt_tokens"] == record.events[-1]["llm"]["prompt_tokens"] > 0


@pytest.mark.parametrize("searcher", ["tpe", "agent-instrumented-qwen2.5-coder-1.5b"])
def test_a_recorded_run_of_trainings_comes_out_again_without_one(
    trainings: Path, tmp_path: Path, searcher: str
) -> None:
    record = read_run(trainings / searcher / "seed-7")
    again = replay(record, tmp_path)
    assert [one.pattern for one in again.trials()] == [one.pattern for one in record.trials()]
    assert sum(one.status == "ok" for one in record.trials()) >= 50


@pytest.mark.parametrize(("change", "is_same"), [(1e-9, False), (1e-15, True)])
def test_another_score_is_refused_and_another_last_digit_is_not(
    folder: Path, tmp_path: Path, change: float, is_same: bool
) -> None:
    run = tmp_path / "agent-one-shot-smollm2-135m/seed-1"
    shutil.copytree(folder / "copying" / run.relative_to(tmp_path), run)
    events = run / "events.jsonl"
    lines = events.read_text().splitlines()
    place = next(i for i, line in enumerate(lines) if '"settled"' in line)
    settled = json.loads(lines[place])
    settled["trial"]["score"] *= 1 + change
    assert settled != json.loads(lines[place])
    lines[place] = json.dumps(settled)
    events.write_text("\n".join(lines) + "\n")
    if is_same:
        replay(read_run(run), tmp_path / "again")
    else:
        with pytest.raises(NotReplayed, match="score"):
            replay(read_run(run), tmp_path / "again")


@pytest.mark.parametrize(("record", "blocks"), [("folder", (4, 6)), ("trainings", (10, 1))])
def test_it_has_both_models_with_every_agent_and_control(
    request: pytest.FixtureRequest, record: str, blocks: tuple[int, int]
) -> None:
    """`blocks` are seeds and landscapes that all of them have."""
    rows = chart_of(request.getfixturevalue(record)).rows.values()
    sizes = Counter((row.model, bool(row.control)) for row in rows)
    assert sizes == {
        (CLASSICAL, False): 5,
        ("qwen2.5-coder-1.5b", False): 7,
        ("qwen2.5-coder-1.5b", True): 4,
        ("smollm2-135m", False): 7,
        ("smollm2-135m", True): 4,
    }
    assert {row.values.shape for row in rows} == {blocks}
