"""Agents on lists of edits and on programs, in the real loop, with a model in Python."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_code import DRAFT, EDITS, PROGRAMS, ToyProxy, planted_score, sum_of_numbers

from fakes import cut_copy, run_search
from nasarena.agents import searchers
from nasarena.agents.context.controls import ARCHITECTURE_WORDS
from nasarena.agents.hybrids.llambo import Llambo
from nasarena.agents.literature.cards import load_cards
from nasarena.agents.literature.library import HEADING
from nasarena.agents.llm.client import Request
from nasarena.agents.options import AgentOptions
from nasarena.experiments.comparison.resolved_searcher import resolve_searcher
from nasarena.experiments.settings.config import SearcherConfig
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidSetting, SearcherFailed
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial
from scripted_model import ScriptedClient, by_agent

AGENTS = [
    searchers.IidAgent,
    searchers.SequentialAgent,
    searchers.PacedAgent,
    searchers.GreedyAgent,
    searchers.MctsAgent,
    searchers.IslandsAgent,
]
_IDEA = {"name": "try it", "hypothesis": "it may help", "expected": "better"}


def edit_reply(candidate: str, space: EditSpace = EDITS, **changes: object) -> str:
    values = {name: space.edit(name).read(one) for name, one in space.given(candidate).items()}
    return json.dumps({**_IDEA, "edits": {**values, **changes}})


def program_reply(body: str) -> str:
    return f"NAME: try it\nHYPOTHESIS: it may help\nEXPECTED: better\n{body}"


def guessing_edits(request: Request, rng: np.random.Generator) -> str:
    """Random edits of the catalogue that the schema describes, one reply in five of no use."""
    assert request.schema is not None
    if "lesson" in request.schema["properties"]:
        return json.dumps({"evidence": "two of them", "lesson": f"lesson {rng.integers(99)}"})
    if rng.random() < 0.2:
        return "hm"
    edits = request.schema["properties"]["edits"]["properties"]
    chosen = rng.permutation(sorted(edits))[: 1 + rng.integers(3)]
    return json.dumps({**_IDEA, "edits": {name: _value(edits[name], rng) for name in chosen}})


def _value(schema: dict[str, Any], rng: np.random.Generator) -> object:
    if "enum" in schema:
        return schema["enum"][rng.integers(len(schema["enum"]))]
    number = schema["minimum"] + rng.random() * (schema["maximum"] - schema["minimum"])
    return round(number) if schema["type"] == "integer" else float(number)


def changing_numbers(request: Request, rng: np.random.Generator) -> str:
    """Blocks against the program that is shown last where one is to be changed, else a file."""
    if request.schema is not None:
        return json.dumps({"evidence": "two of them", "lesson": "larger numbers"})
    if rng.random() < 0.15:
        return "hm"
    asked = request.messages[1]["content"]
    shown = re.findall(r"    a = \d+", asked)
    number = int(rng.integers(100))
    if "Start from this program" in asked and shown:
        blocks = f"<<<<<<< SEARCH\n{shown[-1]}\n=======\n    a = {number}\n>>>>>>> REPLACE"
        return program_reply(blocks)
    return program_reply(f"```python\n{DRAFT.replace('a = 3', f'a = {number}')}```")


CASES = {
    "edits": (EDITS, planted_score, guessing_edits),
    "code": (PROGRAMS, sum_of_numbers, changing_numbers),
}


def play(
    folder: Path, agent: Any, mode: str, client: ScriptedClient, amount: int = 12, **options: Any
) -> list[Trial]:
    space, score, _ = CASES[mode]
    proxy = ToyProxy(space, score)
    return run_search(
        folder, agent, proxy, amount=amount, options=options, llm=client, initial_design=2,
        finalists=0,
    )  # fmt: skip


@pytest.mark.parametrize("mode", CASES)
@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.__name__)
def test_every_agent_runs_and_a_cut_run_asks_the_same(
    tmp_path: Path, agent: Any, mode: str
) -> None:
    model = CASES[mode][2]
    whole = ScriptedClient(model)
    trials = by_agent(play(tmp_path / "whole", agent, mode, whole, lessons_every=4))
    assert len(trials) >= 8
    for trial in trials:
        assert trial.provenance.startswith("llm") and trial.llm is not None
        assert {"operator", "prompt"} <= set(trial.details)
        if trial.status != "invalid":
            assert CASES[mode][0].validate(trial.pattern) == trial.pattern
            assert trial.details["hypothesis"] == "it may help"
    events = (tmp_path / "whole" / "events.jsonl").read_text().splitlines(keepends=True)
    resumed = ScriptedClient(model)
    cut = cut_copy(tmp_path / "whole", tmp_path / "cut", len(events) // 2)
    play(cut, agent, mode, resumed, lessons_every=4)
    assert resumed.requests == whole.requests
    assert drop_measurements(read_run(cut).events) == drop_measurements(
        read_run(tmp_path / "whole").events
    )


def test_blocks_and_files_come_of_the_operators_they_are_for(tmp_path: Path) -> None:
    client = ScriptedClient(changing_numbers)
    trials = by_agent(play(tmp_path, searchers.GreedyAgent, "code", client, 16, drafts=2))
    forms = {(trial.details["operator"], trial.details.get("form", "")) for trial in trials}
    assert ("draft", "file") in forms and ("improve", "blocks") in forms


def test_the_same_program_with_another_comment_is_sampled_again(tmp_path: Path) -> None:
    def commenting(request: Request, rng: np.random.Generator) -> str:
        return program_reply(f"```python\n{DRAFT}# {rng.integers(10**6)}\n```")

    trials = by_agent(
        run_search(
            tmp_path, searchers.IidAgent, ToyProxy(PROGRAMS, sum_of_numbers), amount=4,
            llm=ScriptedClient(commenting), initial_design=1, finalists=0, max_duplicates=2,
        )
    )  # fmt: skip
    assert [trial.status for trial in trials] == ["duplicate", "duplicate"]
    assert [trial.llm.calls for trial in trials if trial.llm] == [4, 4], "distinct=3 more"


@pytest.mark.parametrize("mode", CASES)
def test_a_shown_history_holds_no_program_and_every_list(tmp_path: Path, mode: str) -> None:
    client = ScriptedClient(CASES[mode][2])
    trials = play(tmp_path, searchers.SequentialAgent, mode, client)
    last = client.requests[-1].messages[1]["content"]
    constraint = (client.requests[-1].schema is None, client.requests[-1].regex is None)
    assert constraint == ((False, True) if mode == "edits" else (True, False))
    for trial in trials[:-1]:
        if trial.status == "ok":
            assert (trial.pattern if mode == "edits" else f"program {trial.index} ") in last
    assert last.count("def height") <= 1, "the best alone is shown whole"


def test_the_catalogue_stands_in_a_prompt_once(tmp_path: Path) -> None:
    client = ScriptedClient(guessing_edits)
    play(tmp_path, searchers.IslandsAgent, "edits", client)
    for prompt in client.prompts:
        assert prompt.count("rate: number 0.0001 to 1 (log scale) =0.01; learning rate") == 1
        assert prompt.count("only with loss=focal") == 1 and prompt.count("not with tie") == 1


def test_without_history_no_prompt_holds_a_trial(tmp_path: Path) -> None:
    client = ScriptedClient(guessing_edits)
    trials = play(tmp_path, searchers.GreedyAgent, "edits", client, control="no_history")
    told = [request.messages[1]["content"] for request in client.requests]
    tried = [trial.pattern for trial in trials if "=" in trial.pattern]
    assert tried and not any(pattern in words for pattern in tried for words in told)


def test_anonymous_edits_are_told_under_neutral_names_and_recorded_under_theirs(
    tmp_path: Path,
) -> None:
    client = ScriptedClient(guessing_edits)
    trials = play(
        tmp_path, searchers.GreedyAgent, "edits", client, 16, control="anonymous_letters",
        lessons_every=4,
    )  # fmt: skip
    names = {edit.name for edit in EDITS.edits} | {"focal", "cross_entropy", "zero"}
    for request, prompt in zip(client.requests, client.prompts, strict=True):
        said = prompt + json.dumps(request.schema)
        assert not ARCHITECTURE_WORDS.search(said), ARCHITECTURE_WORDS.search(said)
        assert not any(re.search(rf"\b{name}\b", said) for name in names - {"off"})
    scored = [trial for trial in by_agent(trials) if trial.status == "ok"]
    assert scored and all(EDITS.validate(trial.pattern) == trial.pattern for trial in scored)


@pytest.mark.parametrize("mode", CASES)
def test_literature_is_shown_and_recorded_in_its_modes(tmp_path: Path, mode: str) -> None:
    shown: dict[str, set[str]] = {}
    for literature in ("off", "on", "placebo"):
        client = ScriptedClient(CASES[mode][2])
        trials = by_agent(
            play(
                tmp_path / literature, searchers.GreedyAgent, mode, client, 10, drafts=2,
                literature=literature,
            )
        )  # fmt: skip
        ids = [trial.details.get("literature", "").split() for trial in trials]
        shown[literature] = {card for row in ids for card in row}
        assert all(len(row) == (0 if literature == "off" else 3) for row in ids)
        heads = [HEADING in prompt for prompt in client.prompts]
        assert all(heads) if literature != "off" else not any(heads)
        for row in ids:  # what is recorded is what stood there
            assert not row or any(all(f"[{card}]" in p for card in row) for p in client.prompts)
        assert len({tuple(row) for row in ids}) > (literature != "off")
    assert shown["off"] == set()
    assert shown["on"] <= {card.id for card in load_cards("cards")}
    assert shown["placebo"] <= {card.id for card in load_cards("placebo")}


def test_a_run_with_literature_is_resumed_to_the_same_cards(tmp_path: Path) -> None:
    whole, resumed = ScriptedClient(guessing_edits), ScriptedClient(guessing_edits)
    play(tmp_path / "whole", searchers.GreedyAgent, "edits", whole, 8, literature="on")
    events = (tmp_path / "whole" / "events.jsonl").read_text().splitlines(keepends=True)
    cut = cut_copy(tmp_path / "whole", tmp_path / "cut", len(events) // 2)
    play(cut, searchers.GreedyAgent, "edits", resumed, 8, literature="on")
    assert resumed.requests == whole.requests


def test_records_do_not_name_literature_that_is_off() -> None:
    entrants = [
        resolve_searcher(SearcherConfig("agent-greedy", options)).options.get("literature")
        for options in ({}, {"literature": "off"}, {"literature": "placebo"})
    ]
    assert entrants == [None, None, "placebo"]


def test_a_compact_prompt_shows_edits_as_letters_and_reads_a_pattern(tmp_path: Path) -> None:
    """A model that knows patterns alone plays a catalogue: every reply is a list of edits."""

    def guess(request: Request, rng: np.random.Generator) -> str:
        assert request.schema is not None and len(request.messages) == 1
        depth = len(EDITS.edits)
        assert request.schema["properties"]["pattern"]["pattern"] == f"^[ABCDE]{{{depth}}}$"
        assert request.messages[0]["content"].startswith(f"{depth} ABCDE\n99 1")
        idea = {**_IDEA, "hypothesis": "set 1A by +5%"}
        return json.dumps({**idea, "pattern": "".join(rng.choice(list("ABCDE"), depth))})

    defaults = {f"set {edit.name}={edit.default} by +5%" for edit in EDITS.edits}
    for control in ("none", "anonymous_letters", "shuffled_scores"):
        client = ScriptedClient(guess)
        folder = tmp_path / control
        agent = searchers.SequentialAgent
        trials = by_agent(play(folder, agent, "edits", client, prompt="compact", control=control))
        assert len(trials) >= 8
        for trial in trials:
            assert EDITS.validate(trial.pattern) == trial.pattern
            assert trial.details["prompt"] == "compact"
            assert trial.details["hypothesis"] in defaults


class TestRefusals:
    def test_literature_that_makes_no_sense(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidSetting, match="names what control=anonymous_letters hides"):
            AgentOptions(literature="on", control="anonymous_letters")
        rng = np.random.default_rng(0)
        with pytest.raises(InvalidSetting, match="it needs nasarena design"):
            searchers.GreedyAgent(PatternSpace(), rng, object(), literature="on")

    def test_what_is_made_for_letters_says_so(self, tmp_path: Path) -> None:
        client = ScriptedClient(guessing_edits)
        for agent in (searchers.InstrumentedAgent, Llambo):
            with pytest.raises(InvalidSetting, match="works on layer patterns alone"):
                play(tmp_path / agent.__name__, agent, "edits", client)
        with pytest.raises(InvalidSetting, match=r"no programs.*llm\.base_url"):
            play(tmp_path / "c", searchers.IidAgent, "code", client, prompt="compact")
        with pytest.raises(InvalidSetting, match="no letters to be renamed"):
            play(tmp_path / "a", searchers.IidAgent, "code", client, control="anonymous_letters")

    def test_a_reply_that_stays_unusable_is_an_invalid_trial_that_debug_is_shown(
        self, tmp_path: Path
    ) -> None:
        def stubborn(request: Request, rng: np.random.Generator) -> str:
            return program_reply("```python\nimport os\ndef height(x): return x\n```")

        client = ScriptedClient(stubborn)
        with pytest.raises(SearcherFailed, match="4 invalid proposals in a row"):
            run_search(
                tmp_path, searchers.GreedyAgent, ToyProxy(PROGRAMS, sum_of_numbers), amount=6,
                options={"drafts": 1}, llm=client, initial_design=1, finalists=0, max_duplicates=4,
            )  # fmt: skip
        first = by_agent(read_run(tmp_path).trials())[0]
        assert first.status == "invalid" and "\nimport os\n" in first.pattern
        assert "import of 'os'" in first.details["error"]
        mending = [one for one in client.prompts if "Your last answer could not be used" in one]
        assert mending and all("\nimport os\n" in prompt for prompt in mending)
        assert all("import of 'os'" in prompt for prompt in mending)
