"""Controls: what is withheld is really gone, and the rest is left as it was."""

from collections import Counter

import numpy as np
import pytest

from nasarena.agents.context.controls import (
    ARCHITECTURE_WORDS,
    Disguise,
    redact,
    shuffle_scores,
)
from nasarena.agents.context.view import View
from nasarena.agents.options import AgentOptions
from nasarena.agents.policies.policy import Move
from nasarena.agents.view_builder import ViewBuilder
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

SPACE = PatternSpace("AMS", 4)
TRIALS = [
    *[Trial(i, SPACE.pattern(i), "ok", float(i), {"loss": float(i)}) for i in range(6)],
    Trial(6, "SSSS", "failed", None, note="loss is nan"),
    Trial(7, SPACE.pattern(3), "duplicate", 3.0, duplicate_of=3),
]


def test_shuffling_permutes_scores_and_nothing_else() -> None:
    shuffled = shuffle_scores(TRIALS, stream(0, "x"))
    assert [one.pattern for one in shuffled] == [one.pattern for one in TRIALS]
    assert [one.status for one in shuffled] == [one.status for one in TRIALS]
    assert sorted(one.score for one in shuffled[:6] if one.score is not None) == [0, 1, 2, 3, 4, 5]
    assert shuffled[6].score is None
    assert shuffled[7].score == shuffled[3].score, "a duplicate goes with what it repeats"
    assert all(not one.metrics for one in shuffled), "native metrics would give the score away"
    assert shuffled != list(TRIALS)


def test_every_score_is_equally_likely_to_land_on_every_trial() -> None:
    places = Counter(shuffle_scores(TRIALS, stream(seed, "x"))[5].score for seed in range(1200))
    assert all(140 <= count <= 260 for count in places.values()) and len(places) == 6


def test_shuffled_scores_carry_no_information_over_time() -> None:
    """The mean over many asks of what a trial was shown with says nothing about its score."""
    sight = ViewBuilder(SPACE, AgentOptions(control="shuffled_scores"), seed=1)
    shown = np.array(
        [[one.score for one in sight.visible_trials(TRIALS, index)[:6]] for index in range(2000)]
    )
    assert shown.mean(axis=0) == pytest.approx(np.full(6, 2.5), abs=0.15)


def test_a_disguise_is_a_bijection_without_true_letters() -> None:
    seen = set()
    for seed in range(40):
        disguise = Disguise.draw("AMS", stream(seed, "disguise"))
        seen.add(disguise.shown)
        assert sorted(disguise.shown) == ["X", "Y", "Z"]
        assert disguise.reveal(disguise.show("AMSSMA")) == "AMSSMA"
    assert len(seen) == 6, "every assignment occurs"
    assert Disguise.draw("AMS", stream(0, "d")) == Disguise.draw("AMS", stream(0, "d"))


def test_a_disguise_copes_with_alphabets_that_hold_its_names() -> None:
    disguise = Disguise.draw("XYa", stream(0, "d"))
    assert not set(disguise.shown) & set("XYaA")
    with pytest.raises(InvalidSetting, match="free sign"):
        Disguise.draw("ABCDEFGHIJKLM", stream(0, "d"))


def test_a_disguised_view_keeps_scores_and_structure() -> None:
    sight = ViewBuilder(SPACE, AgentOptions(control="anonymous_letters"), seed=5)
    plain = ViewBuilder(SPACE, AgentOptions(), seed=5)
    move = Move("improve", (2,))
    pending = [Proposal("AMSA")]
    seen, clear = sight.build(TRIALS, move, pending), plain.build(TRIALS, move, pending)
    assert [one.score for one in seen.trials] == [one.score for one in clear.trials]
    pairs = list(zip(seen.trials, clear.trials, strict=True))
    assert all(
        sight.reveal(one.pattern) == true.pattern for one, true in pairs if one.score is not None
    )
    assert sight.reveal(seen.pending[0]) == "AMSA"
    assert seen.space == PatternSpace("XYZ", 4)
    assert seen.legend == () and clear.legend != ()
    assert not set("AMS") & set("".join(one.pattern for one in seen.trials))


def test_without_history_nothing_but_the_task_is_seen() -> None:
    sight = ViewBuilder(SPACE, AgentOptions(control="no_history", noise=0.1), seed=0)
    seen = sight.build(TRIALS, Move("improve", (2,)), [Proposal("AMSA")], wish=3.0)
    assert seen == View(SPACE, noise=0.1, legend=seen.legend)


def test_the_plain_view_of_memory_none_does_not_tell_the_best() -> None:
    seen = ViewBuilder(SPACE, AgentOptions(memory="none"), seed=0).build(TRIALS, Move("draft"))
    assert seen.best is None and seen.trials == ()


def test_redaction_takes_whole_words() -> None:
    assert redact("Self-attention beats MLPs, Mamba-2 too") == "Self-[...] beats [...], [...]-2 too"
    assert not ARCHITECTURE_WORDS.search(redact("Untrained transformers' LAYERS diverged"))
    assert redact("put X in front of Z") == "put X in front of Z"


def test_unknown_controls_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="control must be one of none, shuffled_scores"):
        AgentOptions(control="placebo")  # type: ignore[arg-type]
