"""The adaptive rounds of the sample: neighbourhoods of the best, and second looks at them.

A round depends on the rows of earlier rounds alone, in whatever order they came. It ranks patterns
by a shrunken mean, so that one lucky training does not steer it: a ridge model of letters and pairs
gives the prior, the residuals of patterns with two seeds the noise. Children of the best (mutants
and crossovers) are trained, half of them drawn at random, half those which the model likes best.
Test patterns are neither looked at nor proposed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.patternbench.design import (
    NUM_SEEDS,
    Design,
    Training,
    seed_of,
    slice_of,
)
from nasarena.proxies.patternbench.rows import Row
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

_NUM_PARENTS = 64
_POOL = 12  # children drawn for each one that is trained
_MAX_TRAININGS = 4
_RIDGE = 3.0  # in rows: what a feature must be seen to count for half


def adaptive_round(
    number: int, rows: Sequence[Row], design: Design, space: PatternSpace
) -> list[Training]:
    """The trainings of round `number` (from 1), from the rows of earlier rounds."""
    earlier = sorted(
        (row for row in rows if row.round < number), key=lambda row: (row.pattern, row.seed)
    )
    taken = {row.pattern for row in earlier}
    usable = [row for row in earlier if row.role != "test" and row.score is not None]
    if not usable:
        return []
    standing = Standing(usable, space)
    again = _again(standing, design.num_again, number)
    rng = stream(0, "patternbench", "round", number)
    near: list[str] = []
    for part, count in ((slice_of(space), design.num_near_slice), (space, design.num_near)):
        found = _children(standing, part, count, taken, rng)
        taken |= set(found)
        near += found
    return [*again, *(Training(text, seed_of(text), "near", number) for text in near)]


def elite_round(
    number: int, rows: Sequence[Row], design: Design, space: PatternSpace
) -> list[Training]:
    """The last round: the best patterns get their missing trainings, up to `elite_seeds` each.

    A search is decided among them, and a mean of several seeds is what distinguishes them.
    """
    earlier = sorted(
        (row for row in rows if row.round < number), key=lambda row: (row.pattern, row.seed)
    )
    usable = [row for row in earlier if row.role != "test" and row.score is not None]
    if not usable:
        return []
    standing = Standing(usable, space)
    return [
        Training(pattern, seed_of(pattern, k), "again", number)
        for pattern in standing.patterns[: design.num_elite]
        for k in range(standing.trainings[pattern], design.elite_seeds)
    ]


class Standing:
    """What the rows say so far: `patterns` from the best down, and how often each was trained."""

    def __init__(self, rows: Sequence[Row], space: PatternSpace) -> None:
        scores = np.array([row.score for row in rows])
        patterns = list(dict.fromkeys(row.pattern for row in rows))
        place = {pattern: i for i, pattern in enumerate(patterns)}
        members = np.array([place[row.pattern] for row in rows])
        seeds = np.eye(NUM_SEEDS)[[row.seed % NUM_SEEDS for row in rows]]
        features = _features(patterns, space)
        centre = scores.mean()
        both = np.hstack([features[members], seeds])
        weights = _ridge(both, scores - centre)
        of_seed = seeds @ weights[features.shape[1] :]
        model = centre + features @ weights[: features.shape[1]]
        counts = np.bincount(members, minlength=len(patterns))
        residuals = scores - of_seed - model[members]
        means = np.bincount(members, residuals, minlength=len(patterns)) / counts
        noise = _noise(residuals, members, means, counts)
        signal = max(float(np.var(means)) - noise * float(np.mean(1 / counts)), 0.1 * noise)
        shrunken = model + means * signal / (signal + noise / counts)
        self.patterns = [patterns[i] for i in np.argsort(-shrunken, kind="stable")]
        self.trainings: dict[str, int] = dict(zip(patterns, counts.tolist(), strict=True))
        self._weights, self._space = weights[: features.shape[1]], space

    def predict(self, patterns: Sequence[str]) -> NDArray[np.float64]:
        """The model's opinion of patterns, but for a constant."""
        values: NDArray[np.float64] = _features(patterns, self._space) @ self._weights
        return values


def _noise(
    residuals: NDArray[np.float64],
    members: NDArray[np.int64],
    means: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> float:
    """Variance between trainings of one pattern; of all residuals while none was repeated."""
    freedom = int((counts - 1).sum())
    if freedom == 0:
        return float(np.var(residuals)) / 2
    return float(((residuals - means[members]) ** 2).sum()) / freedom


def _again(standing: Standing, count: int, number: int) -> list[Training]:
    """The best that have been trained once, and a few that have been trained more often."""
    several = count // 6
    wanted = []
    for low, high, limit in ((1, 1, count - several), (2, _MAX_TRAININGS - 1, several)):
        tried = [text for text in standing.patterns if low <= standing.trainings[text] <= high]
        wanted += tried[:limit]
    return [
        Training(text, seed_of(text, standing.trainings[text]), "again", number) for text in wanted
    ]


def _children(
    standing: Standing,
    space: PatternSpace,
    count: int,
    taken: set[str],
    rng: np.random.Generator,
) -> list[str]:
    """New patterns of `space` around its best: half at random, half by the model's opinion."""
    parents = [pattern for pattern in standing.patterns if pattern in space][:_NUM_PARENTS]
    pool: dict[str, None] = {}
    for _ in range(4 * _POOL * count if parents else 0):
        child = _child(parents, space, rng)
        if child not in taken:
            pool[child] = None
        if len(pool) == _POOL * count:
            break
    drawn = list(pool)[: count // 2]
    rest = list(pool)[count // 2 :]
    if not rest:
        return drawn
    order = np.argsort(-standing.predict(rest), kind="stable")
    return drawn + [rest[i] for i in order[: count - len(drawn)]]


def _child(parents: Sequence[str], space: PatternSpace, rng: np.random.Generator) -> str:
    """One to three letters changed, or (one in four) a crossover; better parents more often."""
    first = parents[int(len(parents) * rng.random() ** 2)]
    if rng.random() < 0.25:
        return space.crossover(first, parents[int(rng.integers(len(parents)))], rng)
    return space.mutate(first, rng, min(int(rng.choice([1, 1, 2, 3])), space.depth))


def _features(patterns: Sequence[str], space: PatternSpace) -> NDArray[np.float64]:
    """One-hot letters by position and pairs of neighbours by position, `(patterns, features)`."""
    letters = len(space.alphabet)
    digits = np.array([space.digits(pattern) for pattern in patterns]).reshape(-1, space.depth)
    pairs = digits[:, :-1] * letters + digits[:, 1:]
    single = np.eye(letters)[digits].reshape(len(digits), -1)
    double = np.eye(letters**2)[pairs].reshape(len(digits), -1)
    return np.hstack([single, double])


def _ridge(features: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    gram = features.T @ features + _RIDGE * np.eye(features.shape[1])
    return np.asarray(np.linalg.solve(gram, features.T @ targets))
