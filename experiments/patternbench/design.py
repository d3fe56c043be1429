"""Which patterns PatternBench trains: first spread over the space, then around what is best.

The plan is fixed beforehand: hand-made references on four seeds, then space-filling patterns with
test patterns in between. Test patterns are uniform draws on two seeds each that nothing is ever
fitted to. Space-filling patterns are best candidates (Mitchell 1991): of several, the one farthest
from all before, in letters that differ. Uniform draws all have nearly the same composition, so half
of the candidates come from compositions and run lengths of their own; a quarter stays in the space
of two letters, which comes as a slice of the benchmark.

Every later round is a pure function of the rows of the rounds before it (`adaptive.py`), so that an
interrupted sample goes on as if nothing had happened. Any prefix of the order is usable.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nasarena.baselines.references import reference_patterns
from nasarena.proxies.patternbench.held_out import SLICE
from nasarena.proxies.patternbench.rows import Role
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stable_hash, stream
from nasarena.search.space import PatternSpace

NUM_SEEDS = 20  # run seeds that rows are spread over: those of a comparison of 20 seeds


@dataclass(frozen=True, slots=True)
class Training:
    """One training to do."""

    pattern: str
    seed: int
    role: Role
    round: int


@dataclass(frozen=True, slots=True)
class Design:
    """How many patterns of each role; the numbers of the shipped sample are the defaults."""

    num_fill: int = 1900
    num_test: int = 400
    num_test_slice: int = 150
    num_rounds: int = 13
    num_near: int = 160
    num_near_slice: int = 44
    num_again: int = 52
    num_elite: int = 200
    elite_seeds: int = 4
    reference_seeds: int = 4
    candidates: int = 3  # more would favour uniform draws over odd compositions


def seed_of(pattern: str, replicate: int = 0) -> int:
    """The run seed of a pattern's first, second, ... training."""
    return (stable_hash("patternbench seed", pattern) + replicate) % NUM_SEEDS


def plan_trainings(design: Design, space: PatternSpace) -> list[Training]:
    """All that is trained before the first adaptive round, in order; no training twice.

    Raises InvalidSetting for a design that would fill more than half of a small space.
    """
    _check_room(design, space)
    known: dict[str, None] = {}
    plan = []
    for pattern in _baseline_patterns(space):
        known[pattern] = None
        plan += _trainings(pattern, "reference", design.reference_seeds)
    test = [
        *_uniform(space, design.num_test, known),
        *_uniform(slice_of(space), design.num_test_slice, known),
    ]
    test = [test[i] for i in stream(0, "patternbench", "order").permutation(len(test))]
    fill = list(_space_filling(design, space, known))
    # Interleaved in proportion, so that a sample cut short has its share of both.
    ranked = [((i + 0.5) / len(fill), "fill", text) for i, text in enumerate(fill)]
    ranked += [((i + 0.5) / len(test), "test", text) for i, text in enumerate(test)]
    for _, role, pattern in sorted(ranked):
        plan += _trainings(pattern, "test", 2) if role == "test" else _trainings(pattern, "fill", 1)
    return plan


def _check_room(design: Design, space: PatternSpace) -> None:
    part = slice_of(space)
    in_slice = design.num_test_slice + design.num_fill // 4 + 1
    whole = design.num_test + design.num_test_slice + design.num_fill
    for name, wanted, size in (
        (part.alphabet, in_slice, part.size),
        (space.alphabet, whole, space.size),
    ):
        if 2 * wanted > size:
            raise InvalidSetting(
                f"the design wants {wanted} of {size} patterns over {name}, at most half of them; "
                f"take a smaller design.num_fill or a deeper space"
            )


def slice_of(space: PatternSpace) -> PatternSpace:
    """The smaller space, if this one holds it, else the space itself."""
    is_inside = set(SLICE) <= set(space.alphabet)
    return PatternSpace(SLICE, space.depth) if is_inside else space


def _baseline_patterns(space: PatternSpace) -> list[str]:
    """The reference patterns, then the patterns of a single letter; each once."""
    references = [pattern for pattern, _ in reference_patterns(space).values()]
    return list(dict.fromkeys([*references, *(letter * space.depth for letter in space.alphabet)]))


def _trainings(pattern: str, role: Role, count: int) -> list[Training]:
    return [Training(pattern, seed_of(pattern, k), role, 0) for k in range(count)]


def _uniform(space: PatternSpace, count: int, known: dict[str, None]) -> list[str]:
    """Distinct uniform draws, new ones; they are noted in `known`."""
    rng = stream(0, "patternbench", "test", space.alphabet)
    drawn: list[str] = []
    while len(drawn) < count:
        pattern = space.sample(rng)
        if pattern not in known:
            known[pattern] = None
            drawn.append(pattern)
    return drawn


def _space_filling(design: Design, space: PatternSpace, known: dict[str, None]) -> Iterator[str]:
    rng = stream(0, "patternbench", "fill")
    first = len(known)
    chosen = np.empty((first + design.num_fill, space.depth), dtype=np.int8)
    chosen[:first] = [space.digits(pattern) for pattern in known]
    for i in range(design.num_fill):
        while True:
            draws = [draw_pattern(i, space, rng) for _ in range(design.candidates)]
            candidates = np.array([space.digits(draw) for draw in draws])
            differs = candidates[:, None].astype(np.int8) != chosen[: first + i]
            distances = differs.sum(axis=2).min(axis=1)
            pattern = space.from_digits(candidates[distances.argmax()])
            if pattern not in known:
                break
        known[pattern] = None
        chosen[first + i] = space.digits(pattern)
        yield pattern


def draw_pattern(i: int, space: PatternSpace, rng: np.random.Generator) -> str:
    """Draw for place `i`: uniform, or of the slice, or twice of a composition of its own."""
    if i % 4 == 0:
        return space.sample(rng)
    return _mixture(slice_of(space) if i % 4 == 1 else space, rng)


def _mixture(space: PatternSpace, rng: np.random.Generator) -> str:
    """Letters by probabilities drawn anew for each half, repeated with a probability drawn too."""
    letters, depth = len(space.alphabet), space.depth
    halves = rng.dirichlet(np.ones(letters), size=2)
    stickiness = rng.uniform(0.0, 0.7)
    digits = [int(rng.choice(letters, p=halves[0]))]
    for place in range(1, depth):
        stays = rng.random() < stickiness
        fresh = int(rng.choice(letters, p=halves[2 * place // depth]))
        digits.append(digits[-1] if stays else fresh)
    return space.from_digits(np.array(digits))
