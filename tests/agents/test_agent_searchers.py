"""Agents as searchers in the real loop, with a scripted client: a deterministic model in Python."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import cut_copy
from nasarena.agents import searchers
from nasarena.agents.hybrids.llambo import Llambo
from nasarena.agents.hybrids.prior_search import PriorBo, PriorEvolution
from nasarena.agents.languages.choice import parse_reply
from nasarena.agents.llm.client import Request
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.searcher import build_searcher, spec_of
from nasarena.search.space import PatternSpace
from scripted_model import (
    SPACE,
    Model,
    ScriptedClient,
    answer,
    by_agent,
    climbing,
    guessing,
    play,
    truth,
)

AGENTS = [
    searchers.OneShotAgent,
    searchers.IidAgent,
    searchers.SequentialAgent,
    searchers.PacedAgent,
    searchers.InstrumentedAgent,
    searchers.GreedyAgent,
    searchers.MctsAgent,
    searchers.IslandsAgent,
]
HYBRIDS = [Llambo, PriorEvolution, PriorBo]


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.__name__)
@pytest.mark.parametrize("prompt", ["full", "compact"])
def test_every_agent_runs_and_says_what_it_did(tmp_path: Path, agent: Any, prompt: str) -> None:
    trials = by_agent(play(tmp_path, agent, ScriptedClient(guessing), prompt=prompt))
    assert len(trials) >= (1 if agent is searchers.OneShotAgent else 16)
    for trial in trials:
        assert trial.status in ("ok", "duplicate") and trial.provenance.startswith("llm")
        assert trial.details["name"].startswith("try")
        assert {"hypothesis", "expected", "operator", "prompt"} <= set(trial.details)
        assert trial.llm is not None and trial.llm.calls >= 1


@pytest.mark.parametrize("agent", [*AGENTS, *HYBRIDS], ids=lambda agent: agent.__name__)
@pytest.mark.parametrize("parallel", [1, 3])
def test_a_run_replays_from_any_point_with_the_same_requests(
    tmp_path: Path, agent: Any, parallel: int
) -> None:
    whole = ScriptedClient(climbing)
    proxy = truth(PatternSpace("AMS", 10), fails="SSS")
    play(tmp_path / "whole", agent, whole, 24, parallel, proxy)
    events = (tmp_path / "whole" / "events.jsonl").read_text().splitlines(keepends=True)
    end = next(number for number, line in enumerate(events) if '"searched"' in line)
    for kept in {min(3, end), end // 2, end}:  # what was searched to its end is not asked again
        resumed = ScriptedClient(climbing)
        folder = cut_copy(tmp_path / "whole", tmp_path / f"cut-{kept}", kept)
        play(folder, agent, resumed, 24, parallel, proxy)
        assert drop_measurements(read_run(folder).events) == drop_measurements(
            read_run(tmp_path / "whole").events
        )
        assert resumed.requests == whole.requests


@pytest.mark.parametrize("agent", AGENTS[1:] + HYBRIDS, ids=lambda agent: agent.__name__)
def test_another_seed_asks_otherwise(tmp_path: Path, agent: Any) -> None:
    first = play(tmp_path / "a", agent, ScriptedClient(guessing), seed=0)
    second = play(tmp_path / "b", agent, ScriptedClient(guessing), seed=1)
    assert [one.pattern for one in by_agent(first)] != [one.pattern for one in by_agent(second)]


def test_every_call_has_a_seed_of_its_own(tmp_path: Path) -> None:
    client = ScriptedClient(guessing)
    play(tmp_path, searchers.GreedyAgent, client, lessons_every=4)
    seeds = [request.seed for request in client.requests]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_one_shot_stops_by_itself_and_sees_nothing(tmp_path: Path) -> None:
    client = ScriptedClient(guessing)
    trials = play(tmp_path, searchers.OneShotAgent, client, num_proposals=2, parallel=3)
    assert len(by_agent(trials)) == 2
    assert read_run(tmp_path).events[-1]["reason"] == "the searcher stopped asking"
    assert all("Best so far" not in prompt for prompt in client.prompts)


def test_an_independent_sampler_never_sees_a_score(tmp_path: Path) -> None:
    client = ScriptedClient(guessing)
    play(tmp_path, searchers.IidAgent, client)
    assert len(set(client.prompts)) <= 3, "only the cue for boldness changes"
    assert all("best so far:" not in prompt for prompt in client.prompts)


def test_a_sequential_agent_sees_every_trial_told(tmp_path: Path) -> None:
    client = ScriptedClient(guessing)
    trials = play(tmp_path, searchers.SequentialAgent, client, 30)
    for trial in trials[:-1]:
        assert trial.pattern in client.prompts[-1]


def test_a_paced_agent_is_told_what_is_left(tmp_path: Path) -> None:
    client = ScriptedClient(guessing)
    play(tmp_path, searchers.PacedAgent, client, 20)
    assert "80% of the budget is left" in client.prompts[0]
    assert spec_of(searchers.PacedAgent).budget_aware


def test_a_model_that_uses_feedback_beats_one_that_does_not(tmp_path: Path) -> None:
    """And with shuffled scores or without history it cannot tell good from bad any more."""
    space = PatternSpace("AMS", 12)

    def best(model: Model, **options: Any) -> float:
        scores = []
        for seed in range(8):
            folder = tmp_path / f"{model.__name__}-{options}-{seed}"
            trials = play(
                folder,
                searchers.SequentialAgent,
                ScriptedClient(model),
                50,
                proxy=truth(space),
                seed=seed,
                **options,
            )
            scores.append(max(trial.score or 0.0 for trial in trials))
        return float(np.mean(scores))

    blind = best(guessing)
    assert best(climbing) > blind + 0.1
    assert best(climbing, control="anonymous_letters") > blind + 0.1
    assert best(climbing, control="shuffled_scores") < blind + 0.05
    assert best(climbing, control="no_history") < blind + 0.05


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.__name__)
def test_no_agent_lets_the_true_letters_slip_when_they_are_anonymous(
    tmp_path: Path, agent: Any
) -> None:
    from nasarena.agents.context.controls import ARCHITECTURE_WORDS

    def talking(request: Request, rng: np.random.Generator) -> str:
        said = json.loads(guessing(request, rng))
        return json.dumps(
            {
                key: f"{text} Mamba" if key in ("name", "hypothesis", "lesson") else text
                for key, text in said.items()
            }
        )

    client = ScriptedClient(talking)
    trials = play(
        tmp_path,
        agent,
        client,
        40,
        proxy=truth(fails="SS"),
        control="anonymous_letters",
        lessons_every=5,
    )
    for prompt, request in zip(client.prompts, client.requests, strict=True):
        assert not ARCHITECTURE_WORDS.search(prompt), ARCHITECTURE_WORDS.search(prompt)
        assert not any(trial.pattern in prompt for trial in trials)
        assert "AMS" not in json.dumps(request.schema)
    assert all(trial.pattern in SPACE for trial in trials), "the record holds true letters"
    assert any("Mamba" in trial.details.get("name", "") for trial in by_agent(trials))


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.__name__)
def test_without_history_no_prompt_holds_a_trial(tmp_path: Path, agent: Any) -> None:
    client = ScriptedClient(guessing)
    trials = play(tmp_path, agent, client, 30, control="no_history", lessons_every=3)
    assert all(trial.pattern not in prompt for trial in trials for prompt in client.prompts)
    assert {trial.details["operator"] for trial in by_agent(trials)} == {"draft"}
    assert all(trial.parents == () for trial in trials)


class TestUnusableReplies:
    def test_one_that_is_mended_is_marked_and_paid_for(self, tmp_path: Path) -> None:
        def slow(request: Request, rng: np.random.Generator) -> str:
            return "hm" if len(request.messages) < 3 else guessing(request, rng)

        trials = by_agent(play(tmp_path, searchers.IidAgent, ScriptedClient(slow)))
        assert {trial.provenance for trial in trials} <= {"llm-repaired", "llm-resampled"}
        assert all(trial.llm is not None and trial.llm.calls >= 2 for trial in trials)

    def test_one_that_needs_another_sample_is_marked(self, tmp_path: Path) -> None:
        def moody(request: Request, rng: np.random.Generator) -> str:
            return guessing(request, rng) if request.temperature > 0.5 else "no"

        trials = by_agent(
            play(tmp_path, searchers.IidAgent, ScriptedClient(moody), temperature=0.0)
        )
        assert {trial.provenance for trial in trials} == {"llm-resampled"}

    def test_one_that_stays_unusable_is_a_charged_invalid_trial(self, tmp_path: Path) -> None:
        def often_break(request: Request, rng: np.random.Generator) -> str:
            return "AMSAM" if rng.random() < 0.7 else guessing(request, rng)

        client = ScriptedClient(often_break)
        trials = play(tmp_path, searchers.GreedyAgent, client, 30, resamples=0)
        invalid = [trial for trial in trials if trial.status == "invalid"]
        assert invalid, "0.7 squared of the replies"
        for trial in invalid:
            assert trial.pattern == "AMSAM", "its own text, not somebody else's pattern"
            assert trial.provenance == "llm-invalid"
            assert "6 letters from AMS, got 5" in trial.details["error"] or (
                "one JSON object" in trial.details["error"]
            )
            assert trial.cost.flops == 0
            assert trial.llm is not None and trial.llm.calls >= 2
        repaired = [trial for trial in trials if trial.details.get("operator") == "debug"]
        assert any(trials[trial.parents[0]].status == "invalid" for trial in repaired)

    def test_a_model_that_only_babbles_ends_its_run(self, tmp_path: Path) -> None:
        from nasarena.search.errors import SearcherFailed

        client = ScriptedClient(lambda request, rng: "x" * 1_000_000)
        with pytest.raises(SearcherFailed, match="100 invalid proposals in a row"):
            play(tmp_path, searchers.SequentialAgent, client)
        assert max(map(len, client.prompts)) < 3_100_000
        events = (tmp_path / "events.jsonl").stat().st_size
        assert events < 500_000, "a megabyte of nonsense does not fill the record"


class TestDuplicates:
    def test_they_are_sampled_again_first(self, tmp_path: Path) -> None:
        def stubborn(request: Request, rng: np.random.Generator) -> str:
            return guessing(request, rng) if rng.random() < 0.5 else answer("AAAAAA")

        trials = play(tmp_path, searchers.IidAgent, ScriptedClient(stubborn), 40)
        assert any(trial.provenance == "llm-resampled" for trial in trials)
        duplicates = [trial for trial in trials if trial.status == "duplicate"]
        assert all(trial.llm is not None and trial.llm.calls == 4 for trial in duplicates)

    def test_then_they_are_let_through_and_debugged(self, tmp_path: Path) -> None:
        def repeat_until_told(request: Request, rng: np.random.Generator) -> str:
            words = request.messages[-1]["content"]
            return guessing(request, rng) if "is not new" in words else answer("AAAAAA")

        trials = by_agent(
            play(tmp_path, searchers.GreedyAgent, ScriptedClient(repeat_until_told), 12)
        )
        assert trials[1].status == "duplicate"
        mended = [trial for trial in trials if trial.details["operator"] == "debug"]
        assert mended and all(trial.status == "ok" for trial in mended)


def test_lessons_are_written_when_due_and_shown_from_then_on(tmp_path: Path) -> None:
    client = ScriptedClient(guessing)
    trials = by_agent(
        play(tmp_path, searchers.SequentialAgent, client, 24, memory="lessons", lessons_every=5)
    )
    taught = [place for place, trial in enumerate(trials) if "lesson" in trial.details]
    assert taught == [5, 10, 15]
    lesson = trials[5].details["lesson"]
    assert lesson.startswith("lesson ")
    assert lesson in client.prompts[-1]
    assert trials[5].llm is not None and trials[5].llm.calls >= 2, "the lesson is paid for"


def test_a_lesson_that_cannot_be_read_is_left_out_and_not_asked_for_again_at_once(
    tmp_path: Path,
) -> None:
    def mute(request: Request, rng: np.random.Generator) -> str:
        return "..." if "lesson" in request.schema["properties"] else guessing(request, rng)

    client = ScriptedClient(mute)
    trials = by_agent(play(tmp_path, searchers.SequentialAgent, client, 16, lessons_every=5))
    assert [trial.details.get("lesson") for trial in trials].count("") == 2
    asked = [one for one in client.requests if "lesson" in one.schema["properties"]]
    assert len(asked) == 4, "twice, and one repair each"


class TestOptions:
    def test_they_are_listed_flat_with_the_defaults_of_each_agent(self) -> None:
        options = spec_of(searchers.GreedyAgent).options()
        assert options["drafts"] == 5 and options["memory"] == "combined"
        assert spec_of(searchers.IidAgent).options()["memory"] == "none"
        assert "llm" not in options and "num_trials" not in options
        assert {"samples", "population", "control"} <= set(spec_of(PriorEvolution).options())

    def test_a_misspelt_one_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(InvalidSetting, match="'agent-mcts.options.memori'; nearest: .*memory"):
            build_searcher(
                spec_of(searchers.MctsAgent),
                SPACE,
                np.random.default_rng(0),
                {"memori": "none"},
                llm=ScriptedClient(guessing),
            )

    def test_an_agent_without_a_model_says_what_to_choose(self) -> None:
        with pytest.raises(InvalidSetting, match="llm=scribe or llm=vllm"):
            build_searcher(spec_of(searchers.MctsAgent), SPACE, np.random.default_rng(0))

    def test_the_least_and_the_most_are_allowed(self) -> None:
        least = {"resamples": 0, "distinct": 0, "lessons_every": 0, "noise": 0.0}
        for options in ({"max_tokens": 16, "temperature": 0.0, **least}, {"temperature": 2.0}):
            client = ScriptedClient(guessing)
            target, rng = spec_of(searchers.GreedyAgent), np.random.default_rng(0)
            built = build_searcher(target, SPACE, rng, options, llm=client)
            assert len(built.ask(1)) == 1
            assert client.requests[0].max_tokens == options.get("max_tokens", 400)

    @pytest.mark.parametrize(
        "options",
        [
            {"memory": "all"},
            {"control": "placebo"},
            {"prompt": "terse"},
            {"prompt": "compact", "lessons_every": 3},
            {"temperature": 3.0},
            {"distinct": -1},
            {"max_tokens": 15},
            {"noise": float("nan")},
            {"drafts": 0},
        ],
    )
    def test_silly_ones_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidSetting):
            build_searcher(
                spec_of(searchers.GreedyAgent),
                SPACE,
                np.random.default_rng(0),
                options,
                llm=ScriptedClient(guessing),
            )


def test_drafts_are_read_in_the_letters_of_their_view() -> None:
    from nasarena.agents.context.view import View
    from nasarena.agents.languages.candidate import UnusableReply

    with pytest.raises(UnusableReply, match="letters from XYZ"):
        parse_reply(answer("AMSAMS"), View(PatternSpace("XYZ", 6)))
