"""The winner, whatever it is, taught to one window network that numpy can serve.

The teacher answers for patterns from everywhere: uniform, of odd composition, of the smaller space,
and mutants of the best. Then the student scores all 43 million, its best patterns and mutants of
them are put to the teacher, and it learns again: the optimum is where a wrong student errs upwards,
so that is where it is examined.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.patternbench.design import draw_pattern
from nasarena.experiments.patternbench.features import (
    Digits,
    as_windows,
    digits_of,
    window_features,
)
from nasarena.experiments.patternbench.kinds import Predictor
from nasarena.experiments.patternbench.sample import Sample
from nasarena.experiments.patternbench.torch_network import Networks, TrainPlan, train_networks
from nasarena.proxies.patternbench.network import DEPTH, HALF, LETTERS, WindowNetwork
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace


@dataclass(frozen=True, slots=True)
class Lesson:
    """How much is taught: patterns of the first pass, of the examination, and the student."""

    num_patterns: int = 120_000
    num_best: int = 30_000
    plan: TrainPlan = TrainPlan(members=1, units=96, decay=0.0, epochs=30, batch=512, rate=0.003)


def distill(teacher: Predictor, sample: Sample, lesson: Lesson) -> WindowNetwork:
    """The served network; `fidelity` says how closely it follows."""
    space = PatternSpace(LETTERS, DEPTH)
    rng = stream(0, "patternbench lesson")
    best = sample.digits[np.argsort(-sample.means)[: max(1, len(sample.patterns) // 10)]]
    digits = np.vstack(
        [
            sample.digits,
            digits_of([draw_pattern(i, space, rng) for i in range(lesson.num_patterns // 2)]),
            _mutants(best, lesson.num_patterns // 2, rng),
        ]
    )
    scores = teacher(digits)
    student = merge_networks(train_networks(window_features(digits), scores, lesson.plan))
    top = best_of_all(student, lesson.num_best // 2)
    more = np.vstack([top, _mutants(top, lesson.num_best - len(top), rng)])
    digits, scores = np.vstack([digits, more]), np.concatenate([scores, teacher(more)])
    return merge_networks(train_networks(window_features(digits), scores, lesson.plan))


def merge_networks(networks: Networks) -> WindowNetwork:
    """Members side by side as one network; a linear part is two units that share the sign."""
    count = len(networks.intercept_K)
    hidden = [as_windows(part) for part in networks.hidden_KFU]
    for tables, bias in zip(hidden, networks.bias_KU, strict=True):
        tables += bias / len(tables)
    scaled = [
        tables * np.abs(out) / count for tables, out in zip(hidden, networks.out_KU, strict=True)
    ]
    linear = as_windows(networks.linear_KF.mean(axis=0)[:, None])
    middle = linear.mean(axis=1, keepdims=True)  # goes to the intercept
    tables = np.concatenate([*scaled, linear - middle, middle - linear], axis=2)
    signs = np.concatenate([*np.sign(networks.out_KU), [1, -1]]).astype(np.int8)
    intercept = float(networks.intercept_K.mean() + middle.sum())
    return WindowNetwork.quantise(tables, signs, intercept)


def best_of_all(network: WindowNetwork, count: int) -> Digits:
    """Digits of the `count` best patterns of all 3^16 by the network."""
    halves = np.arange(HALF)
    kept_values: list[NDArray[np.float32]] = []
    kept_codes: list[NDArray[np.int64]] = []
    bar = -np.inf
    for first, values in enumerate(network.blocks(halves, halves)):
        above = np.flatnonzero(values > bar)
        kept_values.append(values[above])
        kept_codes.append(first * HALF + above)
        if sum(map(len, kept_values)) > 4 * count:
            kept_values, kept_codes, bar = _cut(kept_values, kept_codes, count)
    _, codes, _ = _cut(kept_values, kept_codes, count)
    return np.asarray(codes[0][:, None] // 3 ** np.arange(DEPTH - 1, -1, -1) % 3)


def fidelity(network: WindowNetwork, teacher: Predictor, digits: Digits) -> tuple[float, float]:
    """Kendall's tau between student and teacher, and the root mean squared difference."""
    from nasarena.figures.stats.transfer import kendall

    codes = digits @ 3 ** np.arange(DEPTH - 1, -1, -1)
    theirs, ours = teacher(digits), network.scores(codes)
    return kendall(ours, theirs), float(np.sqrt(np.mean((ours - theirs) ** 2)))


def _cut(
    values: Iterable[NDArray[np.float32]], codes: Iterable[NDArray[np.int64]], count: int
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.int64]], float]:
    all_values, all_codes = np.concatenate(list(values)), np.concatenate(list(codes))
    order = np.argsort(-all_values, kind="stable")[:count]
    return [all_values[order]], [all_codes[order]], float(all_values[order[-1]])


def _mutants(digits: Digits, count: int, rng: np.random.Generator) -> Digits:
    """`count` copies with one to four letters drawn anew."""
    copies = digits[rng.integers(len(digits), size=count)].copy()
    for _ in range(4):
        rows = np.flatnonzero(rng.random(count) < 0.6)
        copies[rows, rng.integers(DEPTH, size=len(rows))] = rng.integers(3, size=len(rows))
    return copies
