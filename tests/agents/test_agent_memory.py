"""Memory views: what they select, in which order, and that the token budget is kept."""

import pytest

from nasarena.agents.context.memory import HEADINGS, MEMORY_VIEWS, Memory
from nasarena.agents.context.trial_text import LineStyle, score_text, trial_line
from nasarena.agents.context.view import Section
from nasarena.agents.llm.text import estimate_tokens, one_line
from nasarena.agents.options import AgentOptions
from nasarena.search.errors import InvalidSetting
from nasarena.search.trial import Trial


def trial(index: int, pattern: str, score: float | None = None, **values: object) -> Trial:
    status = "ok" if score is not None else "failed"
    return Trial(index, pattern, **{"status": status, "score": score, **values})  # type: ignore[arg-type]


# A chain 0 -> 1 -> 3, a sibling 2 of 1, a failed child 4 of 1, a lesson with 5.
TRIALS = [
    trial(0, "AAAA", 0.5),
    trial(1, "AAAM", 0.7, parents=(0,)),
    trial(2, "AAMA", 0.2, parents=(0,)),
    trial(3, "AAMM", 0.9, parents=(1,)),
    trial(4, "MMMM", None, parents=(1,), note="loss became nan"),
    trial(5, "MAMA", 0.4, details={"lesson": "an A in front helps"}),
]


def indices(sections: tuple[Section, ...]) -> dict[str, list[int]]:
    by_heading = {heading: kind for kind, heading in HEADINGS.items()}
    return {
        by_heading[section.heading]: [trial.index for trial in section.trials]
        for section in sections
    }


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("none", {}),
        ("top-k", {"top-k": [0, 1, 3]}),
        ("recent", {"recent": [3, 4, 5]}),
        ("failures", {"failures": [4]}),
        ("siblings", {"siblings": [4]}),
        ("ancestors", {}),
        ("lessons", {}),
    ],
)
def test_each_view_selects_its_trials_the_most_important_last(
    view: str, expected: dict[str, list[int]]
) -> None:
    parents = [TRIALS[1]] if view == "siblings" else []
    trials = [one for one in TRIALS if not (view == "siblings" and one.index == 3)]
    sections, lessons = Memory(view, 3, 1500).recall(trials, parents)
    assert indices(sections) == expected
    assert lessons == (("an A in front helps",) if view == "lessons" else ())


def test_ancestors_lead_from_the_oldest_to_the_grandparent() -> None:
    sections, _ = Memory("ancestors", 16, 1500).recall(TRIALS, [TRIALS[3]])
    assert indices(sections) == {"ancestors": [0, 1]}


def test_combined_shows_no_trial_twice_and_never_the_parent() -> None:
    sections, lessons = Memory("combined", 2, 1500).recall(TRIALS, [TRIALS[1]])
    shown = indices(sections)
    assert shown == {"top-k": [0, 3], "recent": [4, 5]}
    assert list(shown) == ["top-k", "recent"], "what changes most comes last"
    assert lessons == ("an A in front helps",)


@pytest.mark.parametrize("view", MEMORY_VIEWS)
@pytest.mark.parametrize("max_tokens", [1, 10, 40, 100, 1000])
def test_the_token_budget_is_kept(view: str, max_tokens: int) -> None:
    trials = [
        trial(index, "AM" * 8, index / 50, details={"name": f"idea {index}", "lesson": "x y z"})
        for index in range(50)
    ]
    memory = Memory(view, 50, max_tokens)
    sections, lessons = memory.recall(trials, [])
    texts = [section.heading for section in sections] + list(lessons)
    texts += [trial_line(one) for section in sections for one in section.trials]
    assert sum(map(estimate_tokens, texts)) <= max_tokens


def test_when_tokens_are_short_the_best_trials_stay() -> None:
    sections, lessons = Memory("combined", 5, 40).recall(TRIALS, [])
    assert list(indices(sections)) == ["top-k"]
    assert sections[0].trials[-1].index == 3
    assert lessons == ()


def test_unknown_views_and_silly_limits_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="memory must be one of none, top-k"):
        AgentOptions(memory="everything")  # type: ignore[arg-type]
    with pytest.raises(InvalidSetting, match="at least 1"):
        AgentOptions(memory="recent", memory_trials=0)


def test_lines_say_what_became_of_a_trial() -> None:
    named = trial(0, "AAAA", 0.51239, details={"name": "all\x00 A\n"})
    assert trial_line(named, LineStyle(0.02)) == 'AAAA 0.512 "all A"'
    assert trial_line(TRIALS[4]) == "MMMM (failed, loss became nan)"
    repeat = trial(6, "AAAA", None, status="duplicate", duplicate_of=0)
    assert "tried before" in trial_line(repeat)
    assert score_text(0.123456, 0.3) == "0.12"
    assert score_text(123.4, 25.0) == "123"
    assert score_text(None) == "no score"


def test_one_line_leaves_nothing_unprintable() -> None:
    assert one_line("a\nb\x00\ud800c" + "d" * 100, 20) == "a b c" + "d" * 12 + "..."
    assert len(one_line("x" * 1_000_000, 60)) == 60
