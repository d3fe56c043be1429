"""A comparison of language models: parts and models join one folder, one server serves them all."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from nasarena.agents.llm.errors import LlmRefused
from nasarena.experiments.commands import suite
from nasarena.experiments.comparison import llm_hours, shared_model
from nasarena.experiments.comparison.llm import Access
from nasarena.experiments.comparison.llm_hours import announce_hours, rehearse
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import conclude_cells, search_cell
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.measure.faults.chat_server import ChatServer, serve
from nasarena.experiments.settings.commands import compare_settings
from nasarena.experiments.settings.config import CompareConfig
from nasarena.figures.report.controls import controls
from nasarena.figures.results.analysis import analyze
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_config import label
from nasarena.search.run_folder import RunRecord, find_runs, read_run
from nasarena.search.space import PatternSpace

PRESET = "scale=language-models"
AGENTS = {"sequential", "greedy", "islands", "override", "instrumented", "one-shot", "iid"}


def propose(messages: list[dict[str, str]], seed: int) -> str:
    """A model that proposes at random, in the form of a brief prompt."""
    return json.dumps({"pattern": PatternSpace().sample(np.random.default_rng(seed))})


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve(propose) as server:
        yield server


def runs_of(folder: Path) -> dict[str, RunRecord]:
    return {str(path.relative_to(folder)): read_run(path) for path in find_runs(folder)}


def test_the_preset_has_what_a_comparison_that_counts_needs() -> None:
    config = compare_settings([PRESET])
    names = [one.name for one in config.searchers]
    assert {name.removeprefix("agent-") for name in names if "agent" in name} == AGENTS
    assert {"random", "evolution", "tpe", "botorch", "ngram-thompson"} <= set(names)
    hidden = {one.options.get("control") for one in config.searchers}
    assert hidden == {None, "shuffled_scores", "anonymous_letters", "no_history"}
    assert [one.name for one in config.searchers if one.control == "seeded"] == ["agent-sequential"]
    forms = {json.dumps({**one.options, "control": None}, sort_keys=True)
             for one in config.searchers if one.name == "agent-sequential"}  # fmt: skip
    assert len(forms) == 1, "a control differs from the agent in nothing else"
    assert (config.seeds, config.budget.patterns) == (10, 64)
    assert compare_settings([PRESET, "proxy=quick"]).proxy.name == "quick"


def settings(folder: Path, *arguments: str) -> CompareConfig:
    shared = (
        PRESET, "proxy=additive", "name=lm", f"folder={folder}", "budget.unit=trials",
        "budget.patterns=null", "budget.amount=9", "seeds=2", "workers=2", "references=false",
        "loop.finalists=0",
    )  # fmt: skip
    return compare_settings([*shared, *arguments])


def carry_out(config: CompareConfig) -> str:
    """Do what is left of a comparison in this process; what is said before it begins."""
    console = Console(file=io.StringIO(), width=200)
    with with_model(plan_comparison(config, "test"), config, console) as comparison:
        announce_hours([comparison], config, console)
        for cell in comparison.select_pending(False):
            search_cell(cell, lambda advance: None)
            conclude_cells([cell])
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_parts_and_models_join_one_comparison_and_nothing_is_done_twice(
    server: ChatServer, tmp_path: Path
) -> None:
    assert carry_out(settings(tmp_path, "only=[random,evolution]")) == ""
    asked = ("only=[agent-sequential,*-shuffled]", f"llm.base_url={server.url}")
    for model in ("one", "two"):
        carry_out(settings(tmp_path, *asked, f"llm_label={model}", f"llm.revision={model}"))
    runs = runs_of(tmp_path / "lm")
    assert {label(run.config) for run in runs.values()} == {
        "random", "evolution", "agent-sequential-one", "agent-sequential-two",
        "agent-sequential-shuffled-one", "agent-sequential-shuffled-two",
    }  # fmt: skip
    assert len(runs) == 12 and {run.state for run in runs.values()} == {"finished"}
    for name, run in runs.items():
        if "agent" in name:
            assert run.config["llm"]["revision"] == name.split("/")[0].rpartition("-")[2]

    pairs = {one.searcher: one.real for one in controls(analyze(tmp_path / "lm"))}
    assert pairs == {f"agent-sequential-shuffled-{model}": f"agent-sequential-{model}"
                     for model in ("one", "two")}  # fmt: skip

    before = len(server.bodies)
    assert carry_out(settings(tmp_path, *asked, "llm_label=two", "llm.revision=two")) == ""
    assert len(server.bodies) == before, "what is finished asks nobody"


def test_a_part_of_nobody_is_refused_with_the_labels_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"only=\['agent-gredy'\] is none of random, .*greedy"):
        plan_comparison(settings(tmp_path, "only=[agent-gredy]"), "test")


def test_the_estimate_counts_the_calls_that_are_then_made(
    server: ChatServer, tmp_path: Path
) -> None:
    """The model never repeats a pattern, so nothing is asked again."""
    labels = "[agent-sequential,agent-greedy,agent-instrumented,agent-one-shot]"
    said = carry_out(settings(tmp_path, f"only={labels}", f"llm.base_url={server.url}"))
    found = re.findall(r"^(agent\S+): (\d+) calls in 2 runs", said, re.MULTILINE)
    made: dict[str, int] = {}
    for run in runs_of(tmp_path / "lm").values():
        name = label(run.config)
        made[name] = made.get(name, 0) + len(list(run.of_kind("llm_call")))
    assert {name: int(calls) for name, calls in found} == made
    assert made["agent-one-shot"] == 2 and made["agent-greedy"] == 12
    assert re.search(r"at least 0\.0 hours for 38 calls, 0\.\d\d s each with 2 at once", said)


def test_without_an_estimate_the_runs_go_on(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> float:
        raise LlmRefused("the prompt is too long")

    monkeypatch.setattr(llm_hours, "seconds_per_call", refuse)
    said = carry_out(settings(tmp_path, "only=[agent-iid]", f"llm.base_url={server.url}"))
    assert said == "no hours can be foretold: the prompt is too long\n"
    assert {run.state for run in runs_of(tmp_path / "lm").values()} == {"finished"}


@pytest.mark.parametrize(
    "options", [{"notation": "runs"}, {"prompt": "full"}, {"rationale": "after"}]
)
def test_a_rehearsal_replies_in_every_form(options: dict[str, str], tmp_path: Path) -> None:
    """Nothing is mended or sampled again: as many calls as trials, and for questions."""
    searcher = {"name": "agent-instrumented", "options": {"prompt": "brief", **options}}
    config = compare_settings(searchers=[searcher], proxy="additive", budget={"patterns": 8})
    requests = rehearse(plan_comparison(config, "test").cells[0])
    questions = [one for one in requests if "query" in (one.schema or {})["properties"]]
    assert len(requests) - len(questions) == 5
    assert len(questions) == (3 * 5 if options.get("prompt") == "full" else 0)


def test_all_landscapes_share_one_server(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, models = [], []

    def open_access(*arguments: Any) -> AbstractContextManager[Access]:
        opened.append(arguments)
        return real(*arguments)

    def run(*given: Any) -> list[Any]:
        models.append(given[-1])
        return []

    real = shared_model.model_access
    monkeypatch.setattr(shared_model, "model_access", open_access)
    monkeypatch.setattr(suite, "run_comparison", run)
    monkeypatch.setattr(suite, "_conclude", lambda *given: None)
    shared = [
        "proxy.landscapes=[quick,recall]", "seeds=1", "references=false", f"folder={tmp_path}",
        f"llm.base_url={server.url}",
    ]  # fmt: skip
    for searchers, asks in (
        ("[random,{name:agent-iid,options:{prompt:brief}}]", True),
        ("[random]", False),
    ):
        config = compare_settings([*shared, f"searchers={searchers}"])
        suite.run_suite(config, "test", Console(quiet=True))
        assert len(opened) == 1, "one for both landscapes, none where nobody asks"
        assert len(models) == 2 and models[0] is models[1] and (models[0] is not None) == asks
        models.clear()
