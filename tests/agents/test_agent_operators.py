"""Operators: what prompts hold, and how replies of every quality are read."""

import json
import re

import pytest
from agent_views import (
    BROKEN,
    OTHER,
    PARENT,
    REPEATED,
    SPACE,
    TRIALS,
    UNREADABLE,
    VIEWS,
    text,
    view,
)

from nasarena.agents.context.controls import ARCHITECTURE_WORDS, Disguise, disguise_view
from nasarena.agents.languages import prompts
from nasarena.agents.languages.candidate import (
    Candidate,
    UnusableReply,
    candidate_schema,
    parse_candidate,
)
from nasarena.agents.operators import analyze, draft
from nasarena.agents.operators.catalogue import OPERATORS
from nasarena.experiments.settings.registry import PROXIES
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

GOOD = {
    "name": "attention first",
    "hypothesis": "recall early, knowledge late",
    "expected": "better",
    "pattern": "AAMMSS",
}


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_building_is_pure_and_leaves_no_blank_unfilled(name: str) -> None:
    build = OPERATORS[name]
    assert build(VIEWS[name]) == build(VIEWS[name])
    words = text(build(VIEWS[name]))
    assert not re.search(r"\{\w*\}", words)
    assert "729 patterns of 6 letters from AMS" in words
    assert max(map(len, words.splitlines())) < 300


def test_prompts_hold_what_the_view_holds() -> None:
    words = text(draft.build(VIEWS["draft"]))
    assert "MMMMAA" in words and "40% of the budget is left" in words
    assert "about 0.010 (one standard deviation)" in words
    assert "A - causal multi-head attention" in words
    assert "mixing layers helps" in words
    assert "The best so far: AAAAAA 0.50" in words
    assert words.index("mixing layers helps") < words.index("The best so far")
    improving = text(OPERATORS["improve"](VIEWS["improve"]))
    assert 'AAAAAA 0.5000 "all A" - attention wins' in improving
    assert "loss became nan" in text(OPERATORS["debug"](VIEWS["debug"]))
    assert "about 0.7500" in text(OPERATORS["wish"](VIEWS["wish"]))


BUILDS = dict(OPERATORS) | {"analyze": analyze.build}


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_a_prompt_shows_all_of_its_view_and_no_pattern_besides(name: str) -> None:
    shared = {"pending": ("MMMMAA", "SAMSAM"), "noise": 0.02, "budget_left": 0.37, "wish": 0.75}
    parents = {"improve": [PARENT], "debug": [BROKEN], "crossover": [PARENT, OTHER]}
    seen = view(*parents.get(name, []), **shared)
    words = text(BUILDS[name](seen))
    lines = words.splitlines()
    assert len(seen.trials) >= 4
    for trial in seen.trials:
        assert trial.pattern in words and trial.details.get("name", "") in words
    assert set(seen.pending) <= set(lines) and set(seen.lessons) <= set(lines)
    assert {f"{letter} - {meaning}" for letter, meaning in seen.legend} <= set(lines)
    assert "about 0.020 (one standard deviation)" in words and "37% of the budget" in words
    assert ("about 0.75" in words) is (name == "wish")
    shown = set(re.findall(r"\b[AMS]{6}\b", words))
    assert shown == {*seen.pending, "AAAAAA", "MMMMMM", "SSSSSS"}


def test_no_word_of_a_prompt_comes_from_what_judges_the_patterns() -> None:
    """The same words for every proxy: none is named, and no pattern or number is suggested."""
    for constant, words in vars(prompts).items():
        if constant.isupper():
            named = {name for name in PROXIES if re.search(rf"\b{name}\b", words, re.IGNORECASE)}
            assert named == set(), constant
            assert set(re.findall(r"\d+", words)) <= {"1"}, constant  # letters count from 1
            assert not re.search(r"\b[AMS]{2,}\b", words), constant


def test_debug_speaks_to_what_went_wrong() -> None:
    build = OPERATORS["debug"]
    assert "is not new" in text(build(view(REPEATED)))
    words = text(build(view(UNREADABLE)))
    assert "could not be used" in words and "a reply must be JSON" in words


def test_drafts_grow_bolder() -> None:
    cues = [draft.cue(count) for count in range(6)]
    assert cues == [
        *[prompts.CUE_SIMPLE] * 2,
        *[prompts.CUE_COMBINED] * 2,
        *[prompts.CUE_BOLD] * 2,
    ]


def test_a_prompt_has_another_version_for_other_words() -> None:
    versions = {OPERATORS[name](VIEWS[name]).version for name in OPERATORS}
    assert len(versions) == len(OPERATORS)
    assert prompts.version("a", "b") != prompts.version("ab")


def test_what_never_changes_comes_first() -> None:
    """Prompts of one run share the system message and the lessons: a cache can serve them."""
    earlier = draft.build(view(trials=TRIALS[:2]))
    later = OPERATORS["improve"](view(PARENT, trials=TRIALS))
    assert earlier.messages[0] == later.messages[0]
    start = earlier.messages[1]["content"].split("Best so far")[0]
    assert "mixing layers helps" in start


@pytest.mark.parametrize("name", [*sorted(OPERATORS), "analyze"])
@pytest.mark.parametrize("status", ["failed", "duplicate", "invalid"])
def test_anonymous_prompts_hold_no_word_about_what_is_searched(name: str, status: str) -> None:
    disguise = Disguise.draw(SPACE.alphabet, stream(3, "disguise"))
    broken = {"failed": BROKEN, "duplicate": REPEATED, "invalid": UNREADABLE}[status]
    seen = view(broken) if name == "debug" else VIEWS.get(name, VIEWS["draft"])
    build = analyze.build if name == "analyze" else OPERATORS[name]
    prompt = build(disguise_view(seen, disguise))
    words = text(prompt) + json.dumps(prompt.schema)
    assert not ARCHITECTURE_WORDS.search(words), ARCHITECTURE_WORDS.search(words)
    for word in ("attention", "MLP", "Mamba", "layer", "train", "loss", "network", "AMS", "AAAAAA"):
        assert word.lower() not in words.lower()
    assert disguise.show("AAAAAA") in words or name in ("debug",)


def test_the_words_that_are_always_said_are_neutral() -> None:
    for constant, words in vars(prompts).items():
        if constant.isupper() and constant != "LAYERS":
            assert not ARCHITECTURE_WORDS.search(words), constant


def test_the_schema_puts_the_rationale_before_the_pattern() -> None:
    schema = candidate_schema(PatternSpace("AMS", 16))
    assert list(schema["properties"]) == ["name", "hypothesis", "expected", "pattern"]
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["pattern"]["pattern"] == "^[AMS]{16}$"
    assert schema["properties"]["name"]["maxLength"] == 40
    assert schema["properties"]["hypothesis"]["maxLength"] == 200


def test_a_proper_reply_is_read_as_it_is() -> None:
    assert parse_candidate(json.dumps(GOOD), SPACE) == Candidate(
        "AAMMSS", "attention first", "recall early, knowledge late", "better"
    )


@pytest.mark.parametrize(
    "reply",
    [
        f"```json\n{json.dumps(GOOD)}\n```",
        f"Here you are:\n{json.dumps(GOOD)} I hope it helps.",
        json.dumps(GOOD).replace("early,", "early,\x01\n\t"),
        f"[{json.dumps(GOOD)}]",
        "  AAMMSS\n",
    ],
)
def test_packaging_is_forgiven_and_marked(reply: str) -> None:
    candidate = parse_candidate(reply, SPACE)
    assert candidate.pattern == "AAMMSS" and candidate.salvaged
    assert candidate.hypothesis.isprintable()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("", "must be one JSON object, got ''"),
        ("I would try more attention.", "got 'I would try more attention.'"),
        (json.dumps(GOOD)[:60], "cut off after"),
        (json.dumps(GOOD)[:-3] + '"}}', "no valid JSON"),
        ("[1, 2]", "must be one JSON object"),
        ("{}", "must have a string 'pattern', got nothing"),
        (json.dumps({**GOOD, "pattern": ["A"] * 6}), "'pattern', got list"),
        (json.dumps({**GOOD, "pattern": "AAMMSX"}), "got 'X' at position 6"),
        (json.dumps({**GOOD, "pattern": "AAMMS"}), "6 letters from AMS, got 5"),
        (json.dumps({**GOOD, "pattern": "aammss"}), "got 'a' at position 1"),
        (json.dumps({**GOOD, "expected": "great"}), "better, worse or same, got great"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "name"}), "a string 'name'"),
        ("x" * 1_000_000, "got 1000000 characters"),
        ("{" * 16_000, "cut off|no valid JSON"),
        ("[" * 16_000, "must be one JSON object"),
        ('{"a":' * 3000 + "}", "no valid JSON"),
    ],
)
def test_an_unusable_reply_gets_one_line_worth_quoting(reply: str, said: str) -> None:
    with pytest.raises(UnusableReply, match=said) as caught:
        parse_candidate(reply, SPACE)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300 and message.isprintable()


def test_what_a_model_says_cannot_break_a_line_or_a_file() -> None:
    wild = {**GOOD, "name": "a\nb\x00c\u2028d" + "e" * 99, "hypothesis": "\ud83d half \ud800"}
    candidate = parse_candidate(json.dumps(wild), SPACE)
    assert len(candidate.name) == 40 and candidate.name.startswith("a b c d")
    assert candidate.hypothesis.encode("utf-8")


def test_a_lesson_is_words_alone() -> None:
    reply = json.dumps({"evidence": "0 and 1", "lesson": "A before M", "score": 1e9})
    assert analyze.parse(reply, VIEWS["draft"]) == analyze.Lesson("A before M", "0 and 1")
    with pytest.raises(UnusableReply, match="must not be empty"):
        analyze.parse('{"evidence": "x", "lesson": " "}', VIEWS["draft"])
    assert "number" not in json.dumps(analyze.lesson_schema())
