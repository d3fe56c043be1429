"""Agents in `nasarena design`, through the real client, with a model that is a function."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.run_spec import conclude_cells, search_cell
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.design.command import design
from nasarena.experiments.design.ground import comparison_settings
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.measure.faults.chat_server import serve
from nasarena.experiments.measure.faults.processes import living_below
from nasarena.experiments.measure.faults.victim import timeless_events
from nasarena.experiments.settings.commands import design_settings
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


def test_the_embedded_agent_plays_edits_without_a_server(tmp_path: Path) -> None:
    asked = [*_SHORT, f"folder={tmp_path}", "searchers=[agent-sequential,agent-greedy]", "trials=5"]
    assert design([*asked, "name=first"]) == 0
    for run in agents_of(tmp_path / "first"):
        own = [trial for trial in run.trials() if trial.provenance.startswith("llm")]
        assert len(own) == 3 and {trial.provenance for trial in own} <= {"llm", "llm-resampled"}
        for trial in own:
            assert edit_space().validate(trial.pattern) == trial.pattern
            assert trial.details["prompt"] == "compact" and trial.llm is not None
    record = f"llm.record={tmp_path / 'first'}"
    assert design([*asked, "name=again", "llm=replay", record]) == 0
    pairs = zip(agents_of(tmp_path / "first"), agents_of(tmp_path / "again"), strict=True)
    assert all(drop_measurements(a.events) == drop_measurements(b.events) for a, b in pairs)


def test_the_embedded_agent_writes_no_programs_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"no programs.*llm\.base_url"):
        design([*_SHORT, f"folder={tmp_path}", "name=x", "searchers=[agent-iid]", "mode=code"])


_BATCH = "BATCH, TRAIN_LENGTH = 4, 64"
_BROKEN = "def train(model: nn.Module, tokens: torch.Tensor, clock) -> None:"


def programming_model(messages: list[dict[str, str]], seed: int) -> str:
    """A draft that works, an improvement that raises, a repair by what Debug says of it."""
    idea = "NAME: batch\nHYPOTHESIS: more steps\nEXPECTED: better\n"
    if len(messages) < 2:
        return "the canary gets no code"
    asked = messages[1]["content"]
    if "This program could not be scored" in asked:
        place = re.search(r"  line \d+, in train: (.*)", asked)
        assert place is not None and "ValueError: no such rate" in asked
        assert f"+    {place[1]}" in asked, "the difference to the last good one shows it"
        return f"{idea}<<<<<<< SEARCH\n{place[1]}\n=======\n    other = 2\n>>>>>>> REPLACE"
    if "Start from this program" in asked:
        raises = f"{_BROKEN}\n    scale = {seed}\n    raise ValueError('no such rate')"
        return f"{idea}<<<<<<< SEARCH\n{_BROKEN}\n=======\n{raises}\n>>>>>>> REPLACE"
    given = re.search(r"```python\n(.*?)```", messages[0]["content"], re.DOTALL)
    assert given is not None
    return f"{idea}```python\n{given[1].replace(_BATCH, 'BATCH, TRAIN_LENGTH = 2, 64')}```"


def search_code(folder: Path, name: str, *llm: str) -> RunRecord:
    """One search of an agent that writes code, in this process, with nobody trained again.

    The given script has two optimizers, which make its one step together.
    """
    asked = [
        *_SHORT, "mode=code", "cache=false", f"folder={folder}", f"name={name}",
        "initial_design=1", "searchers=[{name:agent-greedy,options:{drafts:1}}]", *llm,
    ]  # fmt: skip
    config = comparison_settings(design_settings(asked))
    config = replace(config, references=False, loop=replace(config.loop, finalists=0))
    planned = plan_comparison(config, "test")
    with with_model(planned, config, make_console(stderr=True)) as comparison:
        (cell,) = comparison.cells
        search_cell(cell, lambda advance: None)
        conclude_cells([cell])
    return read_run(cell.path)


def test_an_agent_writes_breaks_and_mends_a_program_and_leaves_no_process(tmp_path: Path) -> None:
    before = living_below(os.getpid())  # a language model's server, of the tests before
    with serve(programming_model) as server:
        first = search_code(tmp_path, "first", f"llm.base_url={server.url}", "llm.patience_s=0")
        found = [(one.details.get("operator", ""), one.status) for one in first.trials()]
        assert found == [("", "ok"), ("draft", "ok"), ("improve", "failed"), ("debug", "ok")]
        forms = [one.details.get("form", "") for one in first.trials()]
        assert forms == ["", "file", "blocks", "blocks"]
        (broken,) = [one for one in first.trials() if one.status == "failed"]
        assert re.fullmatch(r"ValueError: no such rate \(.*line \d+ of train\)", broken.note)
        events = first.path / "events.jsonl"
        lines = events.read_text().splitlines(keepends=True)
        cut = next(k for k, line in enumerate(lines) if '"operator":"improve"' in line)
        num_asked, whole = len(server.bodies), timeless_events(first.path)
        events.write_text("".join(lines[:cut]))
        again = search_code(tmp_path, "first", f"llm.base_url={server.url}", "llm.patience_s=0")
        assert timeless_events(again.path) == whole
        assert len(server.bodies) - num_asked < num_asked, "what is on record is not asked again"
    replayed = search_code(tmp_path, "replay", "llm=replay", f"llm.record={tmp_path / 'first'}")
    assert drop_measurements(replayed.events) == drop_measurements(again.events)
    started = [pid for one in living_below(os.getpid()) for pid in living_below(one)]
    assert set(started) <= set(before), "but for a Python that waits for work, nothing lives on"
