"""Forms of prompts: an option changes what it names and nothing else, and replies are read back."""

import hashlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agent_views import VIEWS, text

from nasarena.agents.context.controls import ARCHITECTURE_WORDS, Disguise, disguise_view
from nasarena.agents.context.form import Form
from nasarena.agents.context.view import Reading
from nasarena.agents.languages import brief_prompts
from nasarena.agents.languages.candidate import UnusableReply, candidate_schema, parse_candidate
from nasarena.agents.llm.messages import Request
from nasarena.agents.operators import analyze, query
from nasarena.agents.operators.catalogue import OPERATORS
from nasarena.agents.options import UNSAID, AgentOptions
from nasarena.agents.searchers import SequentialAgent
from nasarena.experiments.comparison.resolved_searcher import resolve_searcher
from nasarena.experiments.settings.config import SearcherConfig
from nasarena.experiments.settings.registry import PROXIES
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import run_lengths
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial
from scripted_model import ScriptedClient, by_agent, play

SPACE = PatternSpace("AMS", 6)
SCORES = {"AAMMSS": 0.5, "SSMMAA": 0.9, "AMSAMS": 0.7, "MMMMMM": 0.9}
TRIALS = [Trial(i, pattern, "ok", score) for i, (pattern, score) in enumerate(SCORES.items())]
FAILED = Trial(4, "SSSSSS", "failed", None, note="loss became nan")


def ask_with(**options: Any) -> Request:
    """What an agent that has these trials asks next."""
    client = ScriptedClient(lambda request, rng: '{"pattern": "AAAAAS"}')
    agent = SequentialAgent(SPACE, np.random.default_rng(0), client, resamples=0, **options)
    agent.tell([*TRIALS, FAILED])
    agent.ask(1)
    return client.requests[0]


def lines(request: Request) -> list[str]:
    """The lines about trials, in their order."""
    words = request.messages[1]["content"]
    return [
        line for line in words.splitlines() if re.match(r"([AMS]{6}|[0-9].*[AMS]) [(#+-]?", line)
    ]


def test_without_an_option_every_prompt_is_what_it_was() -> None:
    """The hash of all prompts as they were before there were forms: records name their versions."""
    seen = replace(
        VIEWS["draft"], readings=(Reading("Expected", ("AAAAAA 1.0 +- 0.1",)),), hint="a hint"
    )
    shown = {}
    for name, view in VIEWS.items():
        shown[name] = OPERATORS[name](view)
        shown[f"{name} anonymous"] = OPERATORS[name](disguise_view(view, Disguise("AMS", "XYZ")))
    shown |= {"analyze": analyze.build(VIEWS["draft"]), "query": query.build(seen, 3)}
    shown["readings"] = OPERATORS["draft"](seen)
    values = [[one.messages, one.schema, one.version] for one in shown.values()]
    assert hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16] == "2f3c1acb69740a38"


ORDERS = {
    "section": ["AAMMSS", "SSMMAA", "AMSAMS", "MMMMMM", "SSSSSS"],
    "time": ["AAMMSS", "SSMMAA", "AMSAMS", "MMMMMM", "SSSSSS"],
    "best_last": ["SSSSSS", "AAMMSS", "AMSAMS", "SSMMAA", "MMMMMM"],
    "best_first": ["SSMMAA", "MMMMMM", "AMSAMS", "AAMMSS", "SSSSSS"],
}


@pytest.mark.parametrize("order", ORDERS)
def test_trials_stand_in_the_order_asked_for_and_the_heading_says_so(order: str) -> None:
    request = ask_with(order=order)
    assert [line.split()[0] for line in lines(request)] == ORDERS[order]
    heading = {"best_last": "the best last", "best_first": "the best first"}
    assert (
        f"Most recent, {heading.get(order, 'the newest last')}:" in request.messages[1]["content"]
    )


def test_order_holds_within_every_section_of_memory() -> None:
    request = ask_with(memory="combined", memory_trials=2, order="best_first")
    assert [line.split()[0] for line in lines(request)] == [
        "SSMMAA", "MMMMMM", "AMSAMS", "SSSSSS"
    ]  # fmt: skip


def test_scores_as_they_are_as_ranks_and_as_differences() -> None:
    shown = {form: [line.split()[1] for line in lines(ask_with(scores=form))][:4]
             for form in ("raw", "rank", "difference")}  # fmt: skip
    assert shown["raw"] == ["0.5000", "0.9000", "0.7000", "0.9000"]
    assert shown["rank"] == ["#4", "#1", "#3", "#1"]
    assert shown["difference"] == ["-0.4000", "+0.0000", "-0.2000", "+0.0000"]
    said = {form: ask_with(scores=form).messages[0]["content"] for form in ("rank", "difference")}
    assert "#1 has the highest" in said["rank"] and "as differences" in said["difference"]


def test_what_is_said_of_the_best_and_of_a_wish_is_on_the_same_scale() -> None:
    """Also where memory does not show the best: it is the best of all trials."""
    request = ask_with(scores="difference", memory="failures")
    assert "The best so far: SSMMAA +0.0000" in request.messages[1]["content"]
    wish = replace(VIEWS["wish"], form=Form(scores="difference"), known=(0.5, 0.25))
    assert "about +0.2500" in text(OPERATORS["wish"](wish))
    wish = replace(wish, form=Form(scores="rank"), noise=0.1)
    assert "about #1." in text(OPERATORS["wish"](wish))
    assert "standard deviation" not in text(OPERATORS["wish"](wish))


def test_patterns_as_run_lengths_in_prompts_and_replies(tmp_path: Path) -> None:
    request = ask_with(notation="runs", memory_trials=3)
    assert [line.split()[0] for line in lines(request)] == ["1A1M1S1A1M1S", "6M", "6S"]
    kept = re.compile(request.schema["properties"]["pattern"]["pattern"])
    form = Form(notation="runs")
    idea = {"name": "n", "hypothesis": "h", "expected": "better"}
    for pattern in ("AAMMSS", "MMMMMM", "AMSAMS"):
        runs = run_lengths(pattern)
        assert kept.match(runs)
        assert (
            parse_candidate(json.dumps({**idea, "pattern": runs}), SPACE, form).pattern == pattern
        )
    for wrong, words in (
        ("3A2M", "6 letters"),
        ("0A6M", "counts from 1"),
        ("999999A", "below 100"),
    ):
        with pytest.raises(UnusableReply, match=words):
            parse_candidate(json.dumps({**idea, "pattern": wrong}), SPACE, form)

    def model(request: Request, rng: np.random.Generator) -> str:
        return json.dumps({**idea, "pattern": run_lengths(SPACE.sample(rng))})

    trials = by_agent(play(tmp_path, SequentialAgent, ScriptedClient(model), 8, notation="runs"))
    assert all(trial.status == "ok" and trial.pattern in SPACE for trial in trials)


def test_the_rationale_before_or_after_the_pattern_or_none() -> None:
    keys = {place: list(ask_with(rationale=place).schema["properties"])
            for place in ("before", "after", "off")}  # fmt: skip
    assert keys["before"] == ["name", "hypothesis", "expected", "pattern"]
    assert keys["after"] == ["pattern", "name", "hypothesis", "expected"]
    assert keys["off"] == ["pattern"]
    for place, wanted in keys.items():
        said = (
            ask_with(rationale=place).messages[0]["content"].partition("Its keys, in this order")[2]
        )
        assert re.findall(r'^"(\w+)":', said, re.MULTILINE) == wanted
    bare = parse_candidate('{"pattern": "AAMMSS"}', SPACE, Form(rationale="off"))
    assert (bare.pattern, bare.hypothesis, bare.salvaged) == ("AAMMSS", "", False)
    with pytest.raises(UnusableReply, match="string 'expected'"):
        parse_candidate('{"pattern": "AAMMSS"}', SPACE, Form(rationale="after"))
    improve = replace(VIEWS["improve"], form=Form(rationale="off"))
    assert "in the hypothesis" not in text(OPERATORS["improve"](improve))
    assert "in the hypothesis" in text(OPERATORS["improve"](VIEWS["improve"]))


@pytest.mark.parametrize(
    "options", [{}, {"notation": "runs"}, {"rationale": "off"}, {"prompt": "brief"}]
)
def test_an_example_is_a_reply_that_would_be_accepted(options: dict[str, Any]) -> None:
    request = ask_with(example=True, **options)
    (example,) = re.findall(r"^For example: (.*)$", request.messages[0]["content"], re.MULTILINE)
    form = AgentOptions(**options).form()
    assert parse_candidate(example, SPACE, form).pattern in SPACE
    assert list(json.loads(example)) == list(candidate_schema(SPACE, form)["properties"])


def test_a_brief_prompt_is_short_and_asks_for_a_pattern_alone() -> None:
    """Two tokenizers say 268 and 255 tokens (docs/agents.md); here letters, which never change."""
    space = PatternSpace()
    client = ScriptedClient(lambda request, rng: '{"pattern": "' + "A" * 16 + '"}')
    options = {"prompt": "brief", "memory": "recent", "memory_trials": 16, "order": "best_last"}
    agent = SequentialAgent(space, np.random.default_rng(0), client, **options)
    rng = np.random.default_rng(1)
    agent.tell([Trial(i, space.sample(rng), "ok", -2.6 + rng.random()) for i in range(40)])
    (proposal,) = agent.ask(1)
    words = client.prompts[0]
    assert len(re.findall(r"^[AMS]{16} #\d+$", words, re.MULTILINE)) == 16 and len(words) < 700
    assert list(client.requests[0].schema["properties"]) == ["pattern"]
    assert proposal.pattern == "A" * 16 and proposal.details["prompt"] != "compact"


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_brief_prompts_leave_no_blank_and_say_nothing_of_what_judges(name: str) -> None:
    view = replace(VIEWS[name], form=AgentOptions(prompt="brief").form(), known=(0.5, 0.25))
    words = text(OPERATORS[name](view))
    assert not re.search(r"\{\w*\}", words)
    assert all(trial.pattern in words for trial in view.trials)
    assert len(words) < len(text(OPERATORS[name](VIEWS[name]))) / 2
    anonymous = text(OPERATORS[name](disguise_view(view, Disguise("AMS", "XYZ"))))
    assert not ARCHITECTURE_WORDS.search(anonymous), anonymous
    for constant, said in vars(brief_prompts).items():
        if constant.isupper():
            assert not any(re.search(rf"\b{proxy}\b", said, re.IGNORECASE) for proxy in PROXIES)
            assert set(re.findall(r"\d+", said)) <= {"1"} and not re.search(r"\b[AMS]{2,}\b", said)
            assert constant == "LAYERS" or not ARCHITECTURE_WORDS.search(said), constant


REFUSED = [
    ({"prompt": "compact", "scores": "rank"}, "scores needs words, got prompt=compact"),
    ({"prompt": "compact", "example": True}, "example needs words"),
    ({"prompt": "brief", "lessons_every": 5}, "lessons_every needs prompt=full, got prompt=brief"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_what_cannot_go_together_is_refused_in_one_line(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidSetting, match=words):
        AgentOptions(**options)


def test_a_run_without_the_options_has_the_configuration_it_always_had() -> None:
    plain = resolve_searcher(SearcherConfig("agent-greedy", {})).options
    assert not UNSAID.keys() & plain.keys()
    assert {**asdict(AgentOptions()), **plain}.keys() - UNSAID.keys() == {
        *plain, *asdict(AgentOptions())
    } - UNSAID.keys()  # fmt: skip
    chosen = resolve_searcher(SearcherConfig("agent-greedy", {"scores": "rank", "example": True}))
    assert {key: chosen.options[key] for key in ("scores", "example")} == {
        "scores": "rank", "example": True
    }  # fmt: skip
    assert "order" not in chosen.options
