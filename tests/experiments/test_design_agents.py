"""Agents in `nasarena design`, through the real client, with a model that is a function."""

import json
from pathlib import Path

import numpy as np
import pytest
from chat_server import serve

from nasarena.experiments.design.command import design
from nasarena.proxies.autoresearch.catalogue import edit_space
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_folder import RunRecord, drop_measurements, find_runs, read_run

_SHORT = (
    "clock=steps", "seconds=1", "workers=1", "report=false", "attribute=false", "seeds=1",
    "trials=4", "initial_design=2",
)  # fmt: skip
_AGENTS = "agent-sequential,agent-greedy,agent-islands"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))


def edits_model(messages: list[dict[str, str]], seed: int) -> str:
    """Random edits; now and then nonsense, which is mended when it is asked for again."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.3 and len(messages) < 3:
        return "I would make it deeper."
    given = edit_space().given(edit_space().sample(rng))
    values = {name: edit_space().edit(name).read(value) for name, value in given.items()}
    idea = {"name": "try", "hypothesis": "it may help", "expected": "better"}
    return json.dumps({**idea, "edits": values})


def agents_of(folder: Path) -> list[RunRecord]:
    runs = [read_run(path) for path in find_runs(folder)]
    return [run for run in runs if run.config["searcher"]["uses_llm"]]


def test_agents_propose_edits_and_a_record_replays_without_a_server(tmp_path: Path) -> None:
    asked = [*_SHORT, f"folder={tmp_path}", f"searchers=[{_AGENTS},random]"]
    with serve(edits_model) as server:
        assert design([*asked, "name=first", f"llm.base_url={server.url}"]) == 0
    runs = agents_of(tmp_path / "first")
    assert len(runs) == 3
    for run in runs:
        trials = run.trials()
        own = [trial for trial in trials if trial.provenance.startswith("llm")]
        assert len(own) >= 2 and all(trial.status != "failed" for trial in trials)
        for trial in own:
            assert trial.llm is not None and trial.llm.calls >= 1
            assert {"name", "hypothesis", "expected", "operator", "prompt"} <= set(trial.details)
            assert edit_space().validate(trial.pattern) == trial.pattern
    prompts = ["\n".join(one["content"] for one in body["messages"]) for body in server.bodies]
    told = [prompt for prompt in prompts if "The catalogue" in prompt]
    assert told and all(prompt.count("matrix_lr: number 0.002 to 0.2") == 1 for prompt in told)
    assert any("Start from this candidate:" in prompt for prompt in told)
    record = f"llm.record={tmp_path / 'first'}"
    assert design([*asked, "name=again", "llm=replay", record]) == 0
    for run, again in zip(runs, agents_of(tmp_path / "again"), strict=True):
        assert drop_measurements(again.events) == drop_measurements(run.events)


def test_the_embedded_agent_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"reads layer patterns alone.*llm\.base_url"):
        design([*_SHORT, f"folder={tmp_path}", "name=x", "searchers=[agent-iid]"])
