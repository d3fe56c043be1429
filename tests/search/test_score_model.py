"""The model of a run's scores: a Gaussian process as the oracle, planted effects."""

import numpy as np
import pytest

from nasarena.search.models.neighbour_residual import fit_neighbours, hamming_distances
from nasarena.search.models.score_model import ScoreModel
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 8)


def truth(pattern: str) -> float:
    return 2.0 * pattern.count("S") + (3.0 if pattern[2] == "A" else 0.0)


def trials(num: int, noise: float = 0.0, seed: int = 0) -> list[Trial]:
    rng = stream(seed, "trials")
    patterns = SPACE.sample_distinct(num, rng)
    return [
        Trial(i, pattern, "ok", truth(pattern) + float(rng.normal(scale=noise)))
        for i, pattern in enumerate(patterns)
    ]


def test_tried_patterns_have_the_means_that_name_finalists() -> None:
    model = ScoreModel(SPACE, trials(40, noise=1.0))
    means, deviations = model.predict(model.patterns)
    assert means == pytest.approx(model.means_N)
    assert (deviations > 0).all()


def test_neighbours_predict_as_a_gaussian_process_does() -> None:
    rng = stream(0, "process")
    roots = SPACE.sample_distinct(10, rng)
    patterns = [*roots, *(SPACE.mutate(root, rng) for root in roots)]
    effects = np.repeat(rng.normal(size=10)[None], 2, axis=0).ravel()
    residuals = effects + rng.normal(scale=0.3, size=20)
    fitted = fit_neighbours(patterns, residuals)
    others = SPACE.sample_distinct(7, stream(1, "others"))
    known = fitted.share * np.exp(-hamming_distances(patterns) / fitted.scale)
    noisy = known + (1 - fitted.share) * np.eye(20)
    near = fitted.share * np.exp(-hamming_distances(others, patterns) / fitted.scale)
    means, variances = fitted.predict(others)
    assert means == pytest.approx(near @ np.linalg.solve(noisy, residuals))
    explained = np.einsum("mn,nm->m", near, np.linalg.solve(noisy, near.T))
    assert variances == pytest.approx(fitted.variance * (fitted.share - explained))


def test_it_predicts_what_it_has_not_seen_and_is_surer_with_more_trials() -> None:
    unseen = [one for one in SPACE.sample_distinct(200, stream(9, "unseen"))]
    few, many = (ScoreModel(SPACE, trials(num, noise=0.5)) for num in (12, 120))
    wanted = np.array([truth(pattern) for pattern in unseen])
    errors = [np.std(model.predict(unseen)[0] - wanted) for model in (few, many)]
    sure = [np.mean(model.predict(unseen)[1]) for model in (few, many)]
    assert errors[1] < 0.6 * errors[0] and sure[1] < 0.7 * sure[0]
    # One standard deviation is what the errors of the model are like, within a factor of two.
    assert 0.5 < errors[1] / sure[1] < 2


def test_the_best_untried_are_untried_and_better_than_what_is_known() -> None:
    known = trials(60)
    model = ScoreModel(SPACE, known)
    assert model.optimum().count("S") >= 7
    best = model.best_untried(5)
    assert len(set(best)) == 5 and not set(best) & {trial.pattern for trial in known}
    assert best == sorted(best, key=lambda one: -model.predict([one])[0][0])
    assert model.best_untried(4, taken=best[:1]) == best[1:]
    assert truth(best[0]) > np.quantile([truth(trial.pattern) for trial in known], 0.9)
    everything = PatternSpace("AM", 2)
    all_tried = [Trial(i, p, "ok", 1.0 * i) for i, p in enumerate(["AA", "AM", "MA", "MM"])]
    assert ScoreModel(everything, all_tried).best_untried(3) == []


def test_a_planted_effect_is_seen_at_its_place() -> None:
    model = ScoreModel(SPACE, trials(150, noise=0.3))
    here, there = model.effects_at(2), model.effects_at(6)
    assert sum(here.values()) == pytest.approx(0, abs=1e-9)
    assert max(there, key=lambda letter: there[letter]) == "S"
    assert here["A"] - there["A"] > 0.5


def test_failed_and_partial_trials_teach_nothing() -> None:
    known = trials(20)
    more = [*known, Trial(20, "A" * 8, "failed"), Trial(21, "M" * 8, "ok", 99.0, fidelity=0.5)]
    assert ScoreModel(SPACE, more).means_N.tolist() == ScoreModel(SPACE, known).means_N.tolist()
