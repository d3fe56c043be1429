"""The embedded agent's lessons: deterministic, of the stated kinds, and worth learning from."""

import inspect

import numpy as np
import pytest

from nasarena.agents.scribe import (
    data,
    held_out_functions,
    landscapes,
    lesson_functions,
    moves,
    rugged_functions,
    teacher,
)
from nasarena.agents.scribe.vocabulary import PERCENTS
from nasarena.search.space import PatternSpace


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", [*landscapes.TRAINED, *held_out_functions.HELD_OUT])
@pytest.mark.parametrize(("depth", "num_letters"), [(4, 2), (16, 3), (20, 4)])
def test_every_family_gives_a_finite_landscape_that_is_not_flat(
    name: str, depth: int, num_letters: int
) -> None:
    family = (landscapes.TRAINED | held_out_functions.HELD_OUT)[name]
    digits = rng(1).integers(num_letters, size=(200, depth))
    spreads = []
    for seed in range(5):
        values = family(rng(seed), depth, num_letters)(digits)
        assert values.shape == (200,)
        assert np.isfinite(values).all()
        spreads.append(float(values.std()))
    assert max(spreads) > 0


def test_lessons_never_draw_a_held_out_family_and_know_nothing_of_the_proxies() -> None:
    drawn = {part for i in range(300) for part in landscapes.draw(rng(i)).family.split("+")}
    assert drawn == set(landscapes.TRAINED)
    for module in (landscapes, lesson_functions, rugged_functions, teacher, data):
        assert "nasarena.proxies" not in inspect.getsource(module)


def test_spaces_vary_in_depth_and_letters() -> None:
    spaces = [landscapes.draw_space(rng(i)) for i in range(1800)]
    catalogues = [space for space in spaces if space.alphabet == landscapes.CATALOGUE]
    others = [space for space in spaces if space.alphabet != landscapes.CATALOGUE]
    assert 200 < len(catalogues) < 320  # one in seven
    assert {space.depth for space in catalogues} == set(range(16, 41))
    assert {space.depth for space in others} == set(range(4, 41))
    assert {len(space.alphabet) for space in others} == {2, 3, 4}
    assert len({space.alphabet for space in others}) > 50


def test_random_candidates_of_a_catalogue_are_short_lists_and_others_are_uniform() -> None:
    space = PatternSpace(landscapes.CATALOGUE, 30)
    digits = landscapes.random_candidates(space, 4000, rng())
    changes = (digits != 0).sum(1)
    # 1 to 6 places are drawn; each keeps its default with probability 1/5.
    assert changes.max() == 6 and changes.mean() == pytest.approx(3.5 * 0.8, abs=0.1)
    shares = [(digits != 0)[:, place].mean() for place in range(30)]
    assert min(shares) > 0.06 and max(shares) < 0.13  # no place is favoured: 2.8 / 30
    plain = landscapes.random_candidates(PatternSpace("AMS", 30), 4000, rng())
    assert (plain == 0).mean() == pytest.approx(1 / 3, abs=0.01)


def test_a_search_of_a_catalogue_begins_with_the_script_and_short_lists() -> None:
    lessons = [one for index in range(4) for one in data.shard(3, index, 4)]
    taken = [one for one in lessons if landscapes.CATALOGUE in one.prompt.split("\n")[0]]
    depth = int(taken[0].prompt.split()[0])
    best, *others = [line.split()[1:] for line in taken[0].prompt.split("\n")[1:]]
    shown = [{int(change[:-1]): change[-1] for change in line} for line in [best, *others]]
    patterns = [{**shown[0], **changes} for changes in shown]
    num_changes = sorted(sum(letter != "A" for letter in one.values()) for one in patterns)
    assert len(patterns[0]) == depth and len(patterns) > 2
    assert num_changes[0] == 0 < num_changes[1] and num_changes[-1] <= 6


def test_most_changes_of_a_catalogue_do_harm() -> None:
    """The script as it is beats most short lists, in most catalogues."""
    better = []
    for seed in range(600):
        drawn = landscapes.draw(rng(seed))
        if drawn.space.alphabet == landscapes.CATALOGUE:
            lists = landscapes.random_candidates(drawn.space, 200, rng(seed))
            script = drawn.function(np.zeros((1, drawn.space.depth), np.int64))[0]
            better.append((drawn.function(lists) > script).mean())
    assert len(better) > 50 and np.median(better) < 0.4 and np.mean(np.array(better) > 0) > 0.5


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


def test_the_gain_is_counted_from_the_best_in_shares_of_what_is_shown() -> None:
    shown = data.compact.Shown((("AA", 3.0), ("AM", 1.0)))
    scores = (4.0, 3.0, 2.9, 1.0, -7.0, 99.0)
    assert [data.gain(shown, score) for score in scores] == [
        f" by {text}%" for text in ("+50", "+0", "-5", "-100", "-100", "+150")
    ]
    assert data.gain(data.compact.Shown(()), 5.0) == " by +0%"


def test_replies_by_truth_are_no_worse_than_any_probe() -> None:
    teaching = data.Teaching(by_teacher=1, by_truth=2, probes=6)
    lessons = [one for one in data.shard(0, 0, 1, teaching) if len(one.replies) == 3]
    assert len(lessons) > 5

    def percents(replies: tuple[data.Reply, ...]) -> list[int]:
        return [int(reply.gain.removeprefix(" by ").removesuffix("%")) for reply in replies]

    assert {percent for one in lessons for percent in percents(one.probes)} <= set(PERCENTS)
    for lesson in lessons:
        assert min(percents(lesson.replies[1:])) >= max(percents(lesson.probes), default=-100)


def test_a_lesson_shows_as_many_lines_as_it_is_told_to() -> None:
    longest = {
        lines: max(
            lesson.prompt.count("\n") for lesson in data.shard(0, 0, 1, data.Teaching(lines=lines))
        )
        for lines in (8, 24)
    }
    assert 8 <= longest[8] <= 8 + data.compact.SHOWN_FAILED < longest[24]


def test_held_out_values_are_what_they_say() -> None:
    """Against plain readings of the same random numbers, letter by letter."""
    pattern = [0, 2, 1, 1]
    draws = rng(7)
    num_states = int(draws.integers(2, 6))
    after, pay = (
        draws.integers(num_states, size=(num_states, 3)),
        draws.standard_normal((num_states, 3)),
    )
    state, total = 0, 0.0
    for letter in pattern:
        total += pay[state, letter]
        state = int(after[state, letter])
    automaton = held_out_functions.automaton(rng(7), 4, 3)
    assert automaton(np.array([pattern]))[0] == pytest.approx(total)
    draws = rng(8)
    hidden, weights = draws.integers(3, size=4), draws.uniform(0.3, 1.7, 4)
    shifted = np.append(hidden[1:], hidden[0])  # keeps the order of all but one
    alignment = held_out_functions.alignment(rng(8), 4, 3)
    same, moved = alignment(np.array([hidden, shifted]))
    assert same == pytest.approx(weights.sum())
    assert weights[1:].sum() - 1e-9 <= moved < same


def test_moves_keep_letters_or_repeat_a_stretch_of_the_parent() -> None:
    parents = rng(1).integers(3, size=(200, 9))
    shifted, repeated = moves.shift(parents, rng(2)), moves.repeat(parents, rng(3))
    assert (np.sort(shifted, 1) == np.sort(parents, 1)).all()
    turned = {tuple(np.roll(parents[0], by).tolist()) for by in (-1, 1)}
    whole = moves.shift(np.repeat(parents[:1], 3000, 0), rng(4))
    assert turned <= {tuple(row) for row in whole.tolist()}
    periodic = 0
    for parent, row in zip(parents.tolist(), repeated.tolist(), strict=True):
        periods = [
            period
            for period in range(1, 7)
            if any(
                row == (parent[:start] + 9 * parent[first : first + period])[:9]
                for first in range(10 - period)
                for start in (0, first)
            )
        ]
        assert periods
        periodic += row != parent
    assert periodic > 150


def test_climbs_find_the_best_pattern_of_a_small_space() -> None:
    space = PatternSpace("AMS", 6)
    everything = np.array([space.digits(space.pattern(rank)) for rank in range(space.size)])
    for family in held_out_functions.HELD_OUT:
        drawn = held_out_functions.draw_function(family, space, 1)
        assert held_out_functions.best_known(drawn, rng()) == drawn.function(everything).max()
        assert drawn.noise == 0.1


def test_traps_pay_full_blocks_and_lead_away_from_them() -> None:
    """On most of them climbs over single changes end at more than one height."""
    digits = np.array(np.meshgrid(*[range(2)] * 6)).reshape(6, -1).T
    stuck = 0
    for seed in range(20):
        values = rugged_functions.traps(rng(seed), 6, 2)(digits)
        of = {tuple(row): value for row, value in zip(digits.tolist(), values, strict=True)}
        tops = {
            round(value, 9)
            for row, value in of.items()
            if all(of[(*row[:p], 1 - row[p], *row[p + 1 :])] <= value for p in range(6))
        }
        stuck += len(tops) > 1
    assert stuck > 10


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
