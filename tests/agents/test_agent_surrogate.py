"""The classical halves of the hybrids: the surrogate and the prior read off log-probabilities."""

from math import log

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from nasarena.agents.hybrids.letter_prior import (
    UNIFORM_SHARE,
    letter_shares,
    log_prior,
    mean_prior,
    mutate,
    sample,
)
from nasarena.agents.hybrids.surrogate import fit
from nasarena.agents.llm.messages import TokenChoice
from nasarena.agents.surrogates.gaussian_process import expected_improvement, log_gain
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 5)


def trials(num: int, noise: float = 0.0) -> list[Trial]:
    """Scores that count As, with more weight at the front."""
    rng = stream(0, "trials")
    patterns = list(dict.fromkeys(SPACE.sample(rng) for _ in range(2 * num)))[:num]
    return [
        Trial(index, pattern, "ok", truth(pattern) + noise * float(rng.normal()))
        for index, pattern in enumerate(patterns)
    ]


def truth(pattern: str) -> float:
    return sum((5 - place) * (letter == "A") for place, letter in enumerate(pattern)) / 15


def test_the_surrogate_learns_an_additive_function() -> None:
    surrogate = fit(SPACE, trials(60))
    assert surrogate is not None
    everything = [SPACE.pattern(index) for index in range(SPACE.size)]
    mean, deviation = surrogate.predict(everything)
    errors = mean - np.array([truth(pattern) for pattern in everything])
    assert np.abs(errors).max() < 0.05
    assert (deviation > 0).all()


def test_the_posterior_is_that_of_bayesian_regression_on_letters_and_pairs() -> None:
    """The kernel against explicit features: an independent way to the same numbers."""
    seen = trials(12, noise=0.1)
    surrogate = fit(SPACE, seen)
    assert surrogate is not None
    w = surrogate.pair_weight

    def features(pattern: str) -> np.ndarray:
        letters = SPACE.one_hot(pattern).ravel() * np.sqrt((1 - w) / 5)
        hot = SPACE.one_hot(pattern)
        pairs = np.concatenate([np.outer(a, b).ravel() for a, b in zip(hot, hot[1:], strict=False)])
        return np.concatenate([letters, pairs * np.sqrt(w / 4)])

    design = np.array([features(one.pattern) for one in seen])
    scores = np.array([one.score for one in seen], dtype=float)
    centred = (scores - scores.mean()) / scores.std()
    factor = surrogate.process.factor
    noise = (factor @ factor.T)[0, 0] - 1
    precision = design.T @ design / noise + np.eye(design.shape[1])
    weights = np.linalg.solve(precision, design.T @ centred / noise)
    asked = ["AAAAA", "AMSAM", seen[3].pattern]
    mean, deviation = surrogate.predict(asked)
    for pattern, got, spread in zip(asked, mean, deviation, strict=True):
        x = features(pattern)
        assert got == pytest.approx(scores.mean() + scores.std() * x @ weights)
        assert spread == pytest.approx(scores.std() * np.sqrt(x @ np.linalg.solve(precision, x)))


def test_expected_improvement_agrees_with_numeric_integration() -> None:
    surrogate = fit(SPACE, trials(15, noise=0.1))
    assert surrogate is not None
    asked = ["AAAAA", "SSSSS", "AMAMA", "MMMMM"]
    mean, deviation = surrogate.predict(asked)
    best = surrogate.best
    for value, m, s in zip(surrogate.log_expected_improvement(asked), mean, deviation, strict=True):
        exact, _ = integrate.quad(
            lambda y, m=m, s=s: (y - best) * norm.pdf(y, m, s), best, max(best, m) + 12 * s
        )
        assert value == pytest.approx(log(exact), abs=1e-5)
    plain = expected_improvement(mean, deviation, best)
    assert np.log(plain) == pytest.approx(surrogate.log_expected_improvement(asked), abs=1e-5)


def test_expected_improvement_stays_finite_and_ordered_far_below_the_best() -> None:
    flat = [Trial(i, SPACE.pattern(i), "ok", -1000.0 * (i > 0)) for i in range(30)]
    surrogate = fit(SPACE, flat)
    assert surrogate is not None
    values = surrogate.log_expected_improvement([SPACE.pattern(i) for i in range(SPACE.size)])
    assert np.isfinite(values).all()


def test_the_improvement_is_smooth_where_its_formulas_meet() -> None:
    for edge in (-1.0, -100.0):
        around = log_gain(np.array([edge - 1e-6, edge + 1e-6]))
        assert around[1] - around[0] == pytest.approx(2e-6 * max(1, -edge), rel=0.5, abs=2e-3)


def test_too_little_or_constant_data_is_no_trouble() -> None:
    assert fit(SPACE, trials(1)) is None
    assert fit(SPACE, [Trial(0, "AAAAA", "failed", None)] * 3) is None
    constant = fit(SPACE, [Trial(i, SPACE.pattern(i), "ok", 1.0) for i in range(4)])
    assert constant is not None and np.isfinite(constant.predict(["SSSSS"])[0]).all()


def token_choice(**alternatives: dict[str, float]) -> TokenChoice:
    ((token, others),) = alternatives.items()
    return TokenChoice(token, {one: log(share) for one, share in others.items()})


def test_letters_are_read_off_single_letter_tokens() -> None:
    tokens = [
        TokenChoice('{"pattern":"', {}),
        token_choice(A={"A": 0.6, "M": 0.2, "x": 0.2}),
        token_choice(M={"M": 0.5, "S": 0.5}),
        TokenChoice('"}', {}),
    ]
    shares = letter_shares(tokens, "AM", "AMS")
    assert shares is not None
    assert shares == pytest.approx(np.array([[0.75, 0.25, 0.0], [0.0, 0.5, 0.5]]))


def test_letters_are_read_off_tokens_of_several_letters() -> None:
    """`AM` was written where `AA`, `AS`, `A` and `MS` could have stood."""
    token = token_choice(AM={"AM": 0.4, "AA": 0.1, "AS": 0.1, "A": 0.2, "MS": 0.2})
    shares = letter_shares([TokenChoice('"', {}), token], "AM", "AMS")
    assert shares is not None
    assert shares[0] == pytest.approx([0.8, 0.2, 0.0])
    assert shares[1] == pytest.approx([0.1 / 0.6, 0.4 / 0.6, 0.1 / 0.6]), "given the first is A"


def test_a_token_that_begins_before_the_pattern() -> None:
    token = TokenChoice('"AM', {'"AM': log(0.5), '"SM': log(0.5), "AM": log(0.1)})
    shares = letter_shares([token], "AM", "AMS")
    assert shares is not None
    assert shares[0] == pytest.approx([0.5, 0.0, 0.5])


def test_without_alternatives_only_what_was_written_is_known() -> None:
    shares = letter_shares([TokenChoice("AMS", {})], "AMS", "AMS")
    assert shares is not None
    assert shares == pytest.approx(np.eye(3))
    assert letter_shares([TokenChoice("other", {})], "AMS", "AMS") is None


def test_the_prior_is_a_distribution_that_excludes_nothing() -> None:
    shares = [np.eye(3)[[0, 0, 1, 2, 2]], np.eye(3)[[0, 1, 1, 2, 0]]]
    prior = mean_prior(shares, SPACE)
    assert prior.sum(axis=1) == pytest.approx(np.ones(5))
    assert prior.min() == pytest.approx(UNIFORM_SHARE / 3)
    assert prior[1] == pytest.approx(
        (1 - UNIFORM_SHARE) * np.array([0.5, 0.5, 0]) + UNIFORM_SHARE / 3
    )
    assert mean_prior([], SPACE) == pytest.approx(np.full((5, 3), 1 / 3))
    everything = [SPACE.pattern(index) for index in range(SPACE.size)]
    assert np.exp(log_prior(prior, everything, SPACE)).sum() == pytest.approx(1.0)


def test_samples_and_mutations_follow_the_prior() -> None:
    prior = mean_prior([np.eye(3)[[0, 0, 0, 0, 0]]], SPACE)
    rng = stream(0, "sample")
    letters = "".join(sample(prior, SPACE, 300, rng))
    assert letters.count("A") / len(letters) == pytest.approx(1 - UNIFORM_SHARE * 2 / 3, abs=0.03)
    changed = [mutate(prior, SPACE, "AAMAA", rng) for _ in range(400)]
    assert all(SPACE.hamming(one, "AAMAA") == 1 for one in changed)
    assert changed.count("AAAAA") > 200, "the letter that the prior doubts becomes what it likes"
    assert mutate(np.ones((5, 1)), PatternSpace("A", 5), "AAAAA", rng) == "AAAAA"
