"""The instrumented agent: questions, readings, what they cost, and what a control lets through."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import cut_copy
from nasarena.agents.context import compact_prompt
from nasarena.agents.context.controls import ARCHITECTURE_WORDS
from nasarena.agents.context.instrument import Instrument, Query
from nasarena.agents.context.trial_text import LineStyle
from nasarena.agents.context.view import Reading, Section, View
from nasarena.agents.languages.candidate import UnusableReply
from nasarena.agents.llm.client import Request
from nasarena.agents.operators import draft, query
from nasarena.agents.policies.instrumented import Instrumented
from nasarena.agents.scribe.local import ScribeClient
from nasarena.agents.searchers import InstrumentedAgent, SequentialAgent
from nasarena.search.run_folder import drop_measurements, read_run
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial
from scripted_model import ScriptedClient, answer, by_agent, guessing, play, truth

SPACE = PatternSpace("AMS", 6)
VIEW = View(SPACE)
Asking = Callable[[Request, np.random.Generator], dict[str, Any]]


def trials(num: int = 20) -> list[Trial]:
    patterns = SPACE.sample_distinct(num, stream(0, "instrument"))
    return [Trial(i, p, "ok", p.count("S") / 6 + 0.01 * i) for i, p in enumerate(patterns)]


def is_question(request: Request) -> bool:
    return "query" in request.schema["properties"]


def asking(*questions: dict[str, Any]) -> Callable[[Request, np.random.Generator], str]:
    """A model that asks these in turn, and then proposes at random."""

    def model(request: Request, rng: np.random.Generator) -> str:
        if not is_question(request):
            return guessing(request, rng)
        left = int(re.findall(r"Questions left: (\d+)", request.messages[1]["content"])[0])
        return json.dumps(questions[len(questions) - left])

    return model


def trusting(request: Request, rng: np.random.Generator) -> str:
    """A model that asks for the best and proposes the first that it is told."""
    if is_question(request):
        return json.dumps({"query": "best"})
    said = request.messages[1]["content"].partition("Highest expected of those not tried:\n")[2]
    return answer(said.split()[0]) if said else guessing(request, rng)


class TestAnswers:
    def test_predictions_are_those_of_the_model_that_names_finalists(self) -> None:
        from nasarena.search.models.score_model import ScoreModel

        wanted = ("AAAAAA", "SSSSSS")
        reading = Instrument(SPACE, trials()).answer(Query("predict", wanted))
        means, deviations = ScoreModel(SPACE, trials()).predict(wanted)
        assert reading.predictions == tuple(zip(wanted, means.tolist(), strict=True))
        assert reading.lines[1] == f"SSSSSS {means[1]:.4f} +- {deviations[1]:.4f}"

    def test_the_best_are_neither_tried_nor_failed_nor_asked_for_already(self) -> None:
        first = Instrument(SPACE, trials(), num_best=1).answer(Query("best")).predictions[0][0]
        failed = [*trials(), Trial(20, first, "failed")]
        (second,) = Instrument(SPACE, failed, num_best=1).answer(Query("best")).predictions
        pending = Instrument(SPACE, failed, [second[0]], 1).answer(Query("best"))
        assert len({first, second[0], pending.predictions[0][0]}) == 3

    def test_an_effect_names_every_letter_at_its_place(self) -> None:
        reading = Instrument(SPACE, trials()).answer(
            Query("effect", position=3), LineStyle(noise=0.1)
        )
        assert reading.heading.endswith("position 3") and not reading.predictions
        assert [re.sub(r"[+-]\d\.\d\d", "x", line) for line in reading.lines] == [
            "A x",
            "M x",
            "S x",
        ]

    def test_too_few_scores_are_no_model(self) -> None:
        assert not Instrument(SPACE, trials(2)).is_ready and Instrument(SPACE, trials(3)).is_ready


class TestQueries:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ('{"query":"best"}', Query("best")),
            ('{"query":"none","position":9}', Query("none")),
            ('Well: {"query":"effect","position":6}', Query("effect", position=6)),
            (
                '{"query":"predict","patterns":["AAAAAA","AAAAAA","SSSSSS"]}',
                Query("predict", ("AAAAAA", "SSSSSS")),
            ),
        ],
    )
    def test_a_question_is_read(self, text: str, wanted: Query) -> None:
        assert query.parse(text, VIEW) == wanted

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ('{"query":"guess"}', "must be predict, best, effect, none"),
            ('{"query":"predict"}', "a list of 1 to 8 patterns"),
            ('{"query":"predict","patterns":["AAAAA"]}', "got 5"),
            ('{"query":"predict","patterns":[7]}', "got int"),
            ('{"query":"effect","position":7}', "from 1 to 6"),
            ('{"query":"effect","position":true}', "from 1 to 6"),
            ('{"pattern":"AAAAAA"}', "'query'"),
        ],
    )
    def test_what_is_none_is_refused_in_words(self, text: str, words: str) -> None:
        with pytest.raises(UnusableReply, match=re.escape(words)):
            query.parse(text, VIEW)

    def test_the_prompt_names_no_network_and_the_schema_the_shown_letters(self) -> None:
        view = View(PatternSpace("XYZ", 6))  # anonymous: no legend
        prompt = query.build(view, 2)
        text = "\n".join(message["content"] for message in prompt.messages)
        assert not ARCHITECTURE_WORDS.search(text) and "Questions left: 2" in text
        assert prompt.schema["properties"]["patterns"]["items"]["pattern"] == "^[XYZ]{6}$"

    def test_readings_stand_last_before_the_instruction(self) -> None:
        view = View(
            SPACE,
            sections=(Section("Most recent", tuple(trials(2))),),
            readings=(Reading("Expected", ("SSSSSS 1.0000 +- 0.1000",)),),
        )
        user = draft.build(view).messages[1]["content"].split("\n\n")
        assert user[-2].startswith("Estimates that you asked for") and "SSSSSS 1.0" in user[-2]
        assert draft.build(view).version == draft.build(View(SPACE)).version


class TestExchange:
    def test_questions_are_bounded_answered_and_paid_for_in_calls(self, tmp_path: Path) -> None:
        questions = (
            {"query": "predict", "patterns": ["SSSSSS"]},
            {"query": "effect", "position": 2},
            {"query": "best"},
        )
        client = ScriptedClient(asking(*questions))
        made = by_agent(play(tmp_path, InstrumentedAgent, client, 8))
        assert {trial.details["queries"] for trial in made} == {"predict, effect, best"}
        assert [trial.llm.calls for trial in made if trial.llm][0] == 4
        assert read_run(tmp_path).events[-1]["spent"] == 8  # questions take no budget
        first = client.prompts[:4]
        assert "SSSSSS" not in first[0] and "SSSSSS" in first[1]
        assert "position 2:\nA " in first[2] and "Highest expected" not in first[2]
        assert all(part in first[3] for part in ("SSSSSS", "position 2:", "Highest expected"))
        assert [is_question(request) for request in client.requests[:5]] == [True] * 3 + [
            False,
            True,
        ]
        assert len({request.seed for request in client.requests}) == len(client.requests)

    def test_none_ends_the_asking_and_nonsense_does_after_one_repair(self, tmp_path: Path) -> None:
        none = ScriptedClient(asking(*[{"query": "none"}] * 3))
        made = by_agent(play(tmp_path / "none", InstrumentedAgent, none, 8))
        assert {(t.details["queries"], t.llm.calls) for t in made[:2] if t.llm} == {("none", 2)}
        bad = ScriptedClient(asking(*[{"query": "what?"}] * 3))
        made = by_agent(play(tmp_path / "bad", InstrumentedAgent, bad, 8))
        assert {t.details["queries"] for t in made} == {"unusable"}
        assert made[0].llm is not None and made[0].llm.calls == 3 and made[0].status == "ok"
        assert "That answer cannot be used" in bad.prompts[1]

    def test_without_questions_it_is_the_sequential_agent(self, tmp_path: Path) -> None:
        plain, silent = ScriptedClient(guessing), ScriptedClient(guessing)
        play(tmp_path / "a", SequentialAgent, plain, 12)
        play(tmp_path / "b", InstrumentedAgent, silent, 12, queries=0)
        assert plain.requests == silent.requests

    def test_who_trusts_the_instrument_climbs(self, tmp_path: Path) -> None:
        def best(model: Any, **options: Any) -> float:
            runs = [
                play(
                    tmp_path / f"{model.__name__}-{options}-{seed}",
                    InstrumentedAgent,
                    ScriptedClient(model),
                    36,
                    proxy=truth(PatternSpace("AMS", 12)),
                    seed=seed,
                    queries=1,
                    **options,
                )
                for seed in range(4)
            ]
            return float(np.mean([max(t.score or 0.0 for t in run) for run in runs]))

        assert best(trusting) > best(trusting, control="shuffled_scores") + 0.1
        assert best(trusting, control="anonymous_letters") > 0.85

    @pytest.mark.parametrize("parallel", [1, 3])
    def test_a_run_replays_from_the_middle_of_an_exchange(
        self, tmp_path: Path, parallel: int
    ) -> None:
        whole = ScriptedClient(trusting)
        play(tmp_path / "whole", InstrumentedAgent, whole, 14, parallel)
        events = read_run(tmp_path / "whole").events
        for kept in (3, len(events) // 2, len(events) // 2 + 1):
            resumed = ScriptedClient(trusting)
            folder = cut_copy(tmp_path / "whole", tmp_path / f"cut-{kept}", kept)
            play(folder, InstrumentedAgent, resumed, 14, parallel)
            again = read_run(folder).events
            assert drop_measurements(again) == drop_measurements(events)
            assert resumed.requests == whole.requests


class TestControls:
    def test_anonymous_letters_stay_anonymous_in_readings(self, tmp_path: Path) -> None:
        client = ScriptedClient(trusting)
        made = play(tmp_path, InstrumentedAgent, client, 20, control="anonymous_letters")
        asked = [text for text in client.prompts if "Highest expected" in text]
        assert len(asked) >= 16
        for text in client.prompts:
            assert not ARCHITECTURE_WORDS.search(text)
            assert not any(trial.pattern in text for trial in made)

    def test_without_history_there_is_nothing_to_ask(self, tmp_path: Path) -> None:
        client = ScriptedClient(guessing)
        made = play(tmp_path, InstrumentedAgent, client, 12, control="no_history")
        assert not any(map(is_question, client.requests))
        assert not any("queries" in trial.details for trial in made)

    def test_shuffled_scores_are_those_that_the_instrument_is_fitted_to(
        self, tmp_path: Path
    ) -> None:
        readings = {}
        for control in ("none", "shuffled_scores"):
            client = ScriptedClient(asking({"query": "predict", "patterns": ["SSSSSS"]}))
            play(tmp_path / control, InstrumentedAgent, client, 12, queries=1, control=control)
            readings[control] = [re.findall(r"SSSSSS (-?\d\.\d+) \+-", t) for t in client.prompts]
        assert readings["none"] != readings["shuffled_scores"]


class TestCompactPrompt:
    def test_expected_scores_stand_among_the_others(self) -> None:
        tried = [Trial(0, "AAAAAA", "ok", 1.0), Trial(1, "AAAAAM", "ok", 0.0)]
        text = compact_prompt.render(SPACE, tried, expected=[("AAAASA", 0.5), ("AAAASS", 2.0)])
        assert text.split("\n") == [
            "6 AMS", "99 1A 2A 3A 4A 5S 6S", "50 5A 6A", "25 6A", "00 5A 6M",
        ]  # fmt: skip
        plain = compact_prompt.render(SPACE, tried)
        assert plain == compact_prompt.render(SPACE, tried, expected=())
        many = [Trial(i, p.pattern, "ok", p.score) for i, p in enumerate(trials(40))]
        lines = compact_prompt.render(SPACE, many, expected=[("AAAASA", 0.5)]).split("\n")
        assert len(lines) == 1 + compact_prompt.SHOWN

    def test_the_embedded_agent_reads_and_uses_it(self, tmp_path: Path) -> None:
        def run(name: str, **options: Any) -> list[Trial]:
            return play(
                tmp_path / name,
                InstrumentedAgent,
                ScribeClient(),
                20,
                proxy=truth(PatternSpace("AMS", 16)),
                prompt="compact",
                **options,
            )

        told, untold, again = run("told"), run("untold", queries=0), run("again")
        assert {t.details.get("queries") for t in by_agent(told)} == {"best, unasked"}
        assert all(t.llm is not None and t.llm.calls >= 1 for t in by_agent(told))
        patterns = [[trial.pattern for trial in one] for one in (told, untold, again)]
        assert patterns[0] == patterns[2] != patterns[1]


def test_settings_out_of_bounds_are_refused() -> None:
    from nasarena.search.errors import InvalidSetting

    for wrong in ({"queries": -1}, {"num_best": 0}, {"num_best": 13}):
        with pytest.raises(InvalidSetting):
            Instrumented(**wrong)


def test_a_brief_prompt_shows_the_best_unasked_with_their_ranks(tmp_path: Path) -> None:
    """One call a trial, and what stands in the prompt are patterns that nobody tried."""
    client = ScriptedClient(guessing)
    made = by_agent(play(tmp_path, InstrumentedAgent, client, 12, prompt="brief"))
    assert {trial.details["queries"] for trial in made} == {"best, unasked"}
    assert all("query" not in request.schema["properties"] for request in client.requests)
    shown = client.prompts[-1].partition("Highest expected of those not tried:\n")[2]
    assert re.match(r"([AMS]{6} #\d+\n){3}\n", shown)
