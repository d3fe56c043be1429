"""Searchers that take a part of their turns, or a prior, from a language model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasarena.agents.hybrids.llambo import Llambo
from nasarena.agents.hybrids.override import Override
from nasarena.agents.hybrids.prior_search import PriorBo, PriorEvolution
from nasarena.agents.llm.client import Reply, Request
from nasarena.search.errors import InvalidSetting
from nasarena.search.searcher import build_searcher, searcher, spec_of
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial
from scripted_model import (
    SPACE,
    ScriptedClient,
    answer,
    by_agent,
    climbing,
    guessing,
    play,
    reply_of,
    space_of_request,
    truth,
)


class TestOverride:
    def test_the_model_takes_its_share_of_the_turns(self, tmp_path: Path) -> None:
        trials = by_agent(
            play(
                tmp_path,
                Override,
                ScriptedClient(guessing),
                300,
                inner=make_counting(),  # and share=0.3, by default
                proxy=truth(PatternSpace("AMS", 12)),
            )
        )
        share = sum(trial.provenance != "classical" for trial in trials) / len(trials)
        assert 0.22 < share < 0.38

    def test_a_generator_inside_gets_its_own_trials_and_knows_the_foreign_ones(
        self, tmp_path: Path
    ) -> None:
        log: list[tuple[str, str, list[int]]] = []

        @searcher("inner")
        def inner(space: PatternSpace, rng: np.random.Generator, history: list[Trial]) -> Any:
            while True:
                pattern = space.sample(rng)
                trial = yield pattern
                log.append((pattern, trial.pattern, sorted(one.index for one in history)))

        def make(space: PatternSpace, rng: np.random.Generator) -> Any:
            return build_searcher(spec_of(inner), space, rng)

        trials = play(tmp_path, Override, ScriptedClient(guessing), 60, inner=make, share=0.5)
        assert len(log) > 10
        for asked, answered, known in log:
            assert asked == answered, "never the model's trial in answer to its own question"
            assert known == list(range(len(known))), "nothing that was told is missing"
        foreign = [one.index for one in trials if one.provenance.startswith("llm")]
        assert set(foreign) & set(log[-1][2])

    def test_without_an_inner_searcher_it_says_what_it_needs(self) -> None:
        with pytest.raises(InvalidSetting, match="inner=evolution"):
            build_searcher(
                spec_of(Override), SPACE, np.random.default_rng(0), llm=ScriptedClient(guessing)
            )

    def test_it_replays(self, tmp_path: Path) -> None:
        first, second = (
            play(tmp_path / name, Override, ScriptedClient(climbing), 30, inner=make_counting())
            for name in "ab"
        )
        assert first == second


def make_counting() -> Callable[[PatternSpace, np.random.Generator], Any]:
    """Builds a searcher that samples at random and stops never."""

    @searcher("plain")
    def plain(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
        return space.sample(rng)

    return lambda space, rng: build_searcher(spec_of(plain), space, rng)


class Believing(ScriptedClient):
    """A model that is nearly sure of one pattern, and says so in its log-probabilities."""

    def __init__(self, favourite: str) -> None:
        super().__init__(guessing)
        self._favourite = favourite

    def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        return reply_with_logprobs(
            answer(self._favourite), self._favourite, space_of_request(request)
        )


def test_a_good_prior_helps_and_a_bad_one_wears_off(tmp_path: Path) -> None:
    space = PatternSpace("AMS", 12)
    proxy = truth(space)
    good = space.sample(stream(5, "hidden"))
    bad = good.translate(str.maketrans("AMS", "MSA"))

    def mean_best(agent: Any, favourite: str) -> float:
        runs = [
            play(
                tmp_path / f"{agent.__name__}-{favourite}-{seed}",
                agent,
                Believing(favourite),
                40,
                proxy=proxy,
                seed=seed,
            )
            for seed in range(2)
        ]
        return float(np.mean([max(one.score or 0.0 for one in trials) for trials in runs]))

    for agent in (PriorEvolution, PriorBo):
        assert mean_best(agent, good) == 1.0
    assert mean_best(PriorBo, bad) >= 0.7, "forty scores outweigh a wrong belief"


def test_a_prior_is_asked_for_now_and_then_and_its_cost_noted(tmp_path: Path) -> None:
    client = Believing("AAAAAA")
    trials = by_agent(play(tmp_path, PriorEvolution, client, 33, samples=2, refresh=10))
    priced = [place for place, trial in enumerate(trials) if trial.llm is not None]
    assert priced == [0, 10, 20]
    assert len(client.requests) == 6
    assert trials[0].details["prior"] == "read off 2 of 2 replies"
    assert {trial.provenance for trial in trials} == {"classical"}


def test_a_prior_is_read_in_true_letters_under_a_disguise(tmp_path: Path) -> None:
    client = Believing("XXXXXX")
    trials = by_agent(
        play(tmp_path, PriorEvolution, client, 20, control="anonymous_letters", population=99)
    )
    letters = "".join(trial.pattern for trial in trials)
    assert max(letters.count(letter) for letter in "AMS") / len(letters) > 0.7


def test_llambo_takes_the_candidate_that_its_surrogate_likes_best(tmp_path: Path) -> None:
    client = ScriptedClient(climbing)
    trials = by_agent(play(tmp_path, Llambo, client, 12, num_candidates=4))
    assert all(trial.llm is not None and trial.llm.calls >= 4 for trial in trials)
    assert trials[0].details["considered"] == "4 of 4 candidates were usable"
    assert (
        "about " in client.prompts[0] and "Propose one new pattern whose score" in client.prompts[0]
    )


def test_llambo_prefers_what_is_new_and_usable(tmp_path: Path) -> None:
    def rarely(request: Request, rng: np.random.Generator) -> str:
        return guessing(request, rng) if rng.random() < 0.4 else "no"

    trials = by_agent(
        play(tmp_path, Llambo, ScriptedClient(rarely), 15, num_candidates=6, resamples=0)
    )
    assert sum(trial.status == "invalid" for trial in trials) <= 1


def reply_with_logprobs(text: str, pattern: str, space: PatternSpace) -> Reply:
    """A reply with one token per letter of its pattern, each nine times as likely as the rest."""
    from math import log

    from nasarena.agents.llm.messages import TokenChoice

    start = text.rindex(pattern)
    pieces = [text[:start], *pattern, text[start + len(pattern) :]]
    tokens = []
    for piece in pieces:
        others = {sign: log(0.9 if sign == piece else 0.05) for sign in space.alphabet}
        tokens.append(TokenChoice(piece, others if piece in space.alphabet else {piece: 0.0}))
    return Reply(text, reply_of("").cost, tuple(tokens))
