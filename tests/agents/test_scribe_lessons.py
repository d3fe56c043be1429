"""The embedded agent's lessons: deterministic, of the stated kinds, and worth learning from."""

import inspect

import numpy as np
import pytest

from nasarena.agents.scribe import data, lesson_functions, teacher
from nasarena.search.space import PatternSpace


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", [*lesson_functions.TRAINED, *lesson_functions.HELD_OUT])
@pytest.mark.parametrize(("depth", "num_letters"), [(4, 2), (16, 3), (20, 4)])
def test_every_family_gives_a_finite_landscape_that_is_not_flat(
    name: str, depth: int, num_letters: int
) -> None:
    family = (lesson_functions.TRAINED | lesson_functions.HELD_OUT)[name]
    digits = rng(1).integers(num_letters, size=(200, depth))
    spreads = []
    for seed in range(5):
        values = family(rng(seed), depth, num_letters)(digits)
        assert values.shape == (200,)
        assert np.isfinite(values).all()
        spreads.append(float(values.std()))
    assert max(spreads) > 0


def test_lessons_never_draw_a_held_out_family_and_know_nothing_of_the_proxies() -> None:
    drawn = {part for i in range(300) for part in lesson_functions.draw(rng(i)).family.split("+")}
    assert drawn == set(lesson_functions.TRAINED)
    for module in (lesson_functions, teacher, data):
        assert "nasarena.proxies" not in inspect.getsource(module)


def test_spaces_vary_in_depth_and_letters() -> None:
    spaces = [lesson_functions.draw_space(rng(i)) for i in range(300)]
    assert {space.depth for space in spaces} == set(range(4, 21))
    assert {len(space.alphabet) for space in spaces} == {2, 3, 4}
    assert len({space.alphabet for space in spaces}) > 50


def test_a_shard_is_a_function_of_seed_and_number() -> None:
    first = data.shard(5, 3, num_runs=2)
    assert first == data.shard(5, 3, num_runs=2)
    assert first != data.shard(5, 4, num_runs=2)
    assert first != data.shard(6, 3, num_runs=2)


def test_replies_of_a_lesson_do_what_they_say_and_are_new() -> None:
    for lesson in data.shard(0, 0, num_runs=4):
        lines = lesson.prompt.split("\n")
        depth, alphabet = lines[0].split()
        space = PatternSpace(alphabet, int(depth))
        best = [letter for letter in alphabet[0] * space.depth]
        if len(lines) > 1 and lines[1].startswith("99"):
            best = [change[-1] for change in lines[1].split()[1:]]
        for reply in lesson.replies:
            pattern = list(best)
            for change in reply.changes.split():
                pattern[int(change[:-1]) - 1] = change[-1]
            assert "".join(pattern) == reply.pattern != "".join(best)
            assert reply.pattern in space


def test_the_direction_is_measured_against_the_best_shown() -> None:
    shown = data.compact.Shown((("AA", 1.0), ("AM", 0.0)))
    assert [data.direction(shown, s) for s in (1.5, 1.01, 0.99, 0.5)] == [
        "better",
        "same",
        "same",
        "worse",
    ]


def test_the_teacher_beats_random_search_and_a_climber() -> None:
    """On NK tables with random neighbours, a kind of landscape that no lesson has."""
    taught, climbed, drawn = [], [], []
    for seed in range(6):
        function = _nk(rng(seed))
        taught.append(_teach(function, rng(seed)))
        climbed.append(_climb(function, rng(seed)))
        drawn.append(float(function(rng(seed).integers(3, size=(60, 16))).max()))
    assert np.mean(taught) > np.mean(climbed) > np.mean(drawn)


def test_the_posterior_follows_the_scores_it_was_given() -> None:
    digits = rng(2).integers(3, size=(40, 10))
    effects = rng(3).standard_normal((10, 3))
    scores = effects[np.arange(10), digits].sum(1)
    fitted = teacher.Teacher(digits, scores, 3)
    others = rng(4).integers(3, size=(200, 10))
    mean, deviation = fitted.posterior(others)
    assert np.corrcoef(mean, effects[np.arange(10), others].sum(1))[0, 1] > 0.8
    at_known, certain = fitted.posterior(digits)
    assert np.corrcoef(at_known, scores)[0, 1] > 0.99
    assert certain.max() < deviation.max()


def test_candidates_are_untried_and_distinct() -> None:
    digits = rng(5).integers(2, size=(12, 4))
    digits = np.unique(digits, axis=0)
    fitted = teacher.Teacher(digits, rng(6).standard_normal(len(digits)), 2)
    found = {tuple(row) for row in fitted.candidates(rng(7)).tolist()}
    assert not found & {tuple(row) for row in digits.tolist()}
    assert len(found) <= 16 - len(digits)


def _nk(generator: np.random.Generator, k: int = 2) -> lesson_functions.Function:
    tables = generator.standard_normal((16, 3 ** (k + 1)))
    others = np.stack([(i + generator.permutation(15)[:k] + 1) % 16 for i in range(16)])
    reads = np.hstack([np.arange(16)[:, None], others])
    return lambda digits: tables[np.arange(16), digits[:, reads] @ 3 ** np.arange(k + 1)].sum(1)


def _teach(function: lesson_functions.Function, generator: np.random.Generator) -> float:
    digits = generator.integers(3, size=(4, 16))
    while len(digits) < 60:
        fitted = teacher.Teacher(digits, function(digits), 3)
        pool = fitted.candidates(generator)
        best = np.argsort(-fitted.expected_improvement(pool))[:4]
        digits = np.vstack([digits, pool[best]])
    return float(function(digits).max())


def _climb(function: lesson_functions.Function, generator: np.random.Generator) -> float:
    digits = generator.integers(3, size=(4, 16))
    for _ in range(56):
        best = digits[function(digits).argmax()][None]
        digits = np.vstack([digits, teacher.mutate(best, np.array([1]), 3, generator)])
    return float(function(digits).max())
