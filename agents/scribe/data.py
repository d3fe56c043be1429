"""Lessons: histories of searches of every quality, each with what the teacher would try next.

A run plays one random landscape to its end. At each stop the teacher looks at the whole history
and names patterns: its favourite, others drawn in proportion to a power of their expected
improvement, and those of its candidates that are truly best, which it cannot know; what the student
is shown is the compact prompt. Then a few patterns are played, the teacher's or a poor searcher's,
so that later prompts come from good and bad searches alike.

A reply says by how much the true score is above the best shown, and whether a noisy score came out
better. Probes say it of candidates that nobody would name: the student learns to predict what it
is told of nowhere.

Everything is a pure function of (seed, shard): no files, and an interrupted training goes on alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nasarena.agents.context import compact_prompt as compact
from nasarena.agents.scribe.landscapes import (
    CATALOGUE,
    DEPTHS,
    NoisyFunction,
    draw,
    random_candidates,
)
from nasarena.agents.scribe.lesson_functions import Digits, Floats
from nasarena.agents.scribe.moves import repeat, shift
from nasarena.agents.scribe.teacher import Teacher, mutate, neighbours, new_candidates
from nasarena.agents.scribe.vocabulary import GAINS, PERCENTS, Reply
from nasarena.search.seeding import stream

NUM_FAR_MOVES = 32  # of each kind
NUM_OPTIONS = 12  # of the teacher
SHARPNESS = 3.0  # the power of expected improvement
# Ways to play, and how much a run favours each: the Dirichlet weights of its own mixture.
PLAYERS = ("teacher", "climb", "evolve", "cross", "random")
FAVOUR = (1.5, 0.5, 0.4, 0.3, 0.3)
FAILING_SHARE = 0.1  # of landscapes on which patterns with some motif fail
LENGTHS = (30, 200)  # of histories
PATIENCE = 80  # trials without a new best after which a run ends: nothing is left to learn there
TIE = 0.02  # share of the shown range of scores within which an outcome counts as the same


@dataclass(frozen=True, slots=True)
class Teaching:
    """What a lesson holds: replies by the teacher, truly best ones, probes, lines of history."""

    by_teacher: int = 4
    by_truth: int = 2
    probes: int = 8
    lines: int = 48


DEFAULT = Teaching()


@dataclass(frozen=True, slots=True)
class Lesson:
    """One prompt, several good replies to it, and probes of what is not worth a reply."""

    prompt: str
    replies: tuple[Reply, ...]
    probes: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """The teacher's options, its favourite first, then what else its pool holds.

    `worth`, `(depth, letters)`: the posterior mean of the best pattern with that one change.
    """

    options: Digits
    others: Digits
    worth: Floats


@dataclass(slots=True)
class Play:
    """A search in progress: what was tried so far, and the rules of its function."""

    function: NoisyFunction
    digits: Digits
    scores: Floats
    mixture: Floats
    motif: Digits | None = None
    failed: list[str] = field(default_factory=list)

    @property
    def num_letters(self) -> int:
        return len(self.function.space.alphabet)


def shard(seed: int, index: int, num_runs: int = 64, teaching: Teaching = DEFAULT) -> list[Lesson]:
    """All lessons of `num_runs` runs, in the order in which they came up."""
    return [
        lesson
        for run in range(num_runs)
        for lesson in lessons(stream(seed, "lessons", index, run), teaching)
    ]


def lessons(
    rng: np.random.Generator, teaching: Teaching = DEFAULT, max_depth: int = DEPTHS[1]
) -> Iterator[Lesson]:
    """The lessons of one run."""
    play = _start(rng, max_depth)
    last = int(rng.integers(LENGTHS[0], LENGTHS[1] + 1))
    for _ in range(last):  # a stop may add nothing, so stops are bounded too
        if len(play.scores) >= min(last, PATIENCE + _best_row(play)):
            return
        advice = _teach(play, rng)
        if not len(advice.options):
            return
        yield _lesson(play, advice, teaching, rng)
        _play(play, _choose(play, advice.options, rng), rng)


def _best_row(play: Play) -> int:
    """When the best so far was found."""
    return int(play.scores.argmax()) if len(play.scores) else 0


def _start(rng: np.random.Generator, max_depth: int) -> Play:
    function = draw(rng, max_depth)
    depth, num_letters = function.space.depth, len(function.space.alphabet)
    motif = rng.integers(num_letters, size=3) if rng.random() < FAILING_SHARE else None
    mixture = rng.dirichlet(FAVOUR)
    play = Play(function, np.zeros((0, depth), np.int64), np.zeros(0), mixture, motif)
    first = int(rng.choice([0, 1, 2, 4, 4, 4, 4, 4, 8, 20, 50]))
    drawn = random_candidates(function.space, first, rng)
    if function.space.alphabet == CATALOGUE:
        drawn[:1] = 0  # the script as it is
    _play(play, drawn, rng)
    return play


def _teach(play: Play, rng: np.random.Generator) -> Advice:
    space, num_letters = play.function.space, play.num_letters
    if len(play.scores) < 2:
        drawn = random_candidates(space, 4 * NUM_OPTIONS, rng)
        drawn = new_candidates(drawn, play.digits, num_letters)
        worth = np.zeros((space.depth, num_letters))
        return Advice(drawn[:NUM_OPTIONS], drawn[NUM_OPTIONS:], worth)
    teacher = Teacher(play.digits, play.scores, num_letters)
    pool = np.vstack([teacher.candidates(rng), _far_moves(play, rng)])
    pool = new_candidates(pool, play.digits, num_letters)
    if not len(pool):
        return Advice(pool, pool, np.zeros((0, 0)))
    gain = np.log(teacher.expected_improvement(pool) + 1e-12)
    noisy = SHARPNESS * gain + rng.gumbel(size=len(gain))
    noisy[gain.argmax()] = np.inf
    best = play.digits[play.scores.argmax()]
    single = neighbours(best, num_letters)
    place = np.repeat(np.arange(space.depth), num_letters - 1)
    worth = np.zeros((space.depth, num_letters))
    worth[place, single[np.arange(len(single)), place]] = teacher.posterior(single)[0]
    order = np.argsort(-noisy)
    return Advice(pool[order[:NUM_OPTIONS]], pool[order[NUM_OPTIONS:]], worth)


def _far_moves(play: Play, rng: np.random.Generator) -> Digits:
    """Stretches shifted and repeated in the best eight."""
    top = play.digits[np.argsort(-play.scores, kind="stable")[:8]]
    parents = top[rng.integers(len(top), size=NUM_FAR_MOVES)]
    return np.vstack([shift(parents, rng), repeat(parents, rng)])


def _lesson(play: Play, advice: Advice, teaching: Teaching, rng: np.random.Generator) -> Lesson:
    space, function = play.function.space, play.function
    order = np.argsort(-play.scores, kind="stable").tolist()
    ranked: dict[str, float] = {}
    for row in order:
        ranked.setdefault(space.from_digits(play.digits[row]), float(play.scores[row]))
    shown = compact.Shown(
        compact.nearest_and_best(space, list(ranked.items()), teaching.lines),
        tuple(play.failed[: -compact.SHOWN_FAILED - 1 : -1]),
    )
    base = compact.reference(space, shown)

    def replies(chosen: Digits) -> tuple[Reply, ...]:
        true = function.function(chosen)
        noisy = true + function.noise * rng.standard_normal(len(chosen))
        patterns = map(space.from_digits, chosen)
        return tuple(
            Reply(
                _changes_by_worth(space.alphabet, base, pattern, advice.worth),
                direction(shown, outcome),
                pattern,
                gain(shown, worth),
            )
            for pattern, worth, outcome in zip(patterns, true.tolist(), noisy.tolist(), strict=True)
            if pattern != base
        )

    by_teacher, rest = np.split(advice.options, [teaching.by_teacher])
    rest = np.vstack([rest, advice.others])
    best, others = np.split(np.argsort(-function.function(rest)), [teaching.by_truth])
    return Lesson(
        compact.write(space, shown),
        replies(np.vstack([by_teacher, rest[best]])),
        replies(rest[rng.permutation(others)[: teaching.probes]]),
    )


def gain(shown: compact.Shown, score: float) -> str:
    """By how much a true score is above the best shown, as one of `GAINS`; 0 where none is."""
    top, bottom = (shown.scored[0][1], shown.scored[-1][1]) if shown.scored else (score, score)
    percent = 100 * (score - top) / (top - bottom) if top > bottom else 0.0
    return GAINS[int(np.abs(np.array(PERCENTS) - percent).argmin())]


def _changes_by_worth(alphabet: str, base: str, pattern: str, worth: Floats) -> str:
    """The changes of `base`, those that are worth most alone first."""
    gains = {
        f" {place + 1}{new}": float(worth[place, alphabet.index(new)])
        for place, (old, new) in enumerate(zip(base, pattern, strict=True))
        if old != new
    }
    return "".join(sorted(gains, key=lambda change: -gains[change]))


def direction(shown: compact.Shown, score: float) -> str:
    """How a score compares with the best shown: within 2 % of the shown range it is the same."""
    if not shown.scored:
        return "same"
    top, bottom = shown.scored[0][1], shown.scored[-1][1]
    if abs(score - top) <= TIE * (top - bottom):
        return "same"
    return "better" if score > top else "worse"


def _choose(play: Play, options: Digits, rng: np.random.Generator) -> Digits:
    """Up to four patterns to play, from the teacher's options or a poor searcher's."""
    num = int(rng.integers(1, 6))
    if len(play.scores) < 2:
        return options[:1]
    chosen: list[Digits] = []
    order = np.argsort(-play.scores, kind="stable")
    for player in rng.choice(len(PLAYERS), size=num, p=play.mixture).tolist():
        match PLAYERS[player]:
            case "teacher":
                chosen.append(options[len(chosen) % len(options)])
            case "climb":
                changes = np.minimum(rng.geometric(0.6, size=1), play.digits.shape[1])
                chosen.append(mutate(play.digits[order[:1]], changes, play.num_letters, rng)[0])
            case "evolve":
                parent = order[rng.integers(max(1, len(order) // 5), size=1)]
                chosen.append(mutate(play.digits[parent], np.array([1]), play.num_letters, rng)[0])
            case "cross":
                pair = play.digits[order[rng.integers(max(2, len(order) // 4), size=2)]]
                chosen.append(np.where(rng.random(pair.shape[1]) < 0.5, pair[0], pair[1]))
            case _:
                chosen.append(random_candidates(play.function.space, 1, rng)[0])
    return new_candidates(np.array(chosen), play.digits, play.num_letters)


def _play(play: Play, chosen: Digits, rng: np.random.Generator) -> None:
    """Score the chosen patterns, or let them fail, and add them to the history."""
    if not len(chosen):
        return
    good = np.ones(len(chosen), dtype=np.bool_)
    if play.motif is not None and chosen.shape[1] >= len(play.motif):
        windows = np.lib.stride_tricks.sliding_window_view(chosen, len(play.motif), axis=1)
        good = ~(windows == play.motif).all(2).any(1)
    play.failed += [play.function.space.from_digits(row) for row in chosen[~good]]
    play.digits = np.vstack([play.digits, chosen[good]])
    play.scores = np.append(play.scores, play.function.scores(chosen[good], rng))
