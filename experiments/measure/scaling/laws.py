"""Do intervals of scaling laws cover? Planted laws, noise, and how often the truth lies within.

A draw plants two laws with one E, exponents between 0.25 and 0.5, and trains "models" of 5 sizes at
each of 5 budgets, 2 seeds: sizes over a factor of 16, budgets over 32, losses about 3.3 with a
standard deviation between 0.005 and 0.02 nats. Two kinds of noise: every loss on its own; and half
of the variance shared by all budgets of one training, which branch off one trunk. The limits say
how often 95 % intervals of exponents, slopes and differences held the truth, and how often those of
the literature's parabolas did; `beside` is the parabolas' optimum over the true one without noise.

    python -m nasarena.experiments.measure.scaling.laws [--save]
"""

from typing import Any

import numpy as np

from nasarena.experiments.measure.record import record
from nasarena.figures.stats.intervals import Floats, Interval
from nasarena.figures.stats.isoflop import bias_of_parabolas, fit_frontier
from nasarena.figures.stats.scaling_cells import Cells, make_cells, resample
from nasarena.figures.stats.scaling_intervals import (
    DIFFERENCES,
    QUANTITIES,
    predict_losses,
    study_laws,
)
from nasarena.figures.stats.scaling_law import Laws
from nasarena.search.seeding import stream

NUM_DRAWS, NUM_REPEATS, NUM_SEEDS = 200, 300, 2
_SIZES = np.geomspace(1e6, 16e6, 5)
_MIDDLE = float(np.exp(np.log(_SIZES).mean()))
_PER_PARAMETER = 20.0  # tokens, at the middle of the grid
_BUDGETS = 6 * _MIDDLE * _MIDDLE * _PER_PARAMETER * np.geomspace(32**-0.5, 32**0.5, 5)
_TRUNK_SHARES = {"every loss": 0.0, "half by training": 0.5}  # of the variance


def measure() -> None:
    """Draw, count, print, and keep if asked to."""
    rows: list[dict[str, Any]] = []
    for noise in _TRUNK_SHARES:
        hits = [covers(noise, number) for number in range(NUM_DRAWS)]
        for name in hits[0]:
            covered = float(np.mean([hit[name] for hit in hits]))
            rows.append({"noise": noise, "interval of": name, "coverage": covered})
    ours = [row["coverage"] for row in rows if not row["interval of"].startswith("parabolas")]
    parabolas = [row["coverage"] for row in rows if row["interval of"].startswith("parabolas")]
    summary = {
        "coverage": float(np.mean(ours)),
        "least": min(ours),
        "largest": max(ours),
        "within_3_points": sum(abs(each - 0.95) <= 0.03 + 1e-9 for each in ours),
        "quantities": len(ours),
        "parabolas": float(np.mean(parabolas)),
        "draws": NUM_DRAWS,
        "repeats": NUM_REPEATS,
        **_describe_bias(),
    }
    record("scaling_laws", rows, summary, module="scaling.laws")


def covers(noise: str, number: int, num_repeats: int = NUM_REPEATS) -> dict[str, bool]:
    """Whether each interval of one draw holds the truth, by name."""
    rng = stream(number, "planted laws", noise)
    truth = plant(rng)
    cells = train(truth, rng, _TRUNK_SHARES[noise])
    found = study_laws(cells, rng, num_repeats=num_repeats)
    hits = {}
    for name in ("a", "b", "slope", "allocation"):
        for group, label in enumerate(truth.names):
            value = float(QUANTITIES[name](truth)[group])
            hits[f"{name} of {label}"] = _holds(found.of(name, group), value)
    for name in DIFFERENCES:
        values = QUANTITIES[name](truth)
        hits[f"difference of {name}"] = _holds(
            found.difference(name, 0, 1), float(values[0] - values[1])
        )
    hits["parabolas: allocation"] = _parabolas_hold(cells, truth, rng, num_repeats)
    return hits


def plant(rng: np.random.Generator) -> Laws:
    """Two laws whose terms are between 0.5 and 1 nat at the middle of the grid."""
    a, b = rng.uniform(0.25, 0.5, size=(2, 2))
    A, B = rng.uniform(0.5, 1.0, size=(2, 2))
    E = np.full(2, rng.uniform(1.2, 2.0))
    tokens = _MIDDLE * _PER_PARAMETER
    return Laws(("one", "two"), E, A * _MIDDLE**a, a, B * tokens**b, b)


def train(truth: Laws, rng: np.random.Generator, trunk_share: float) -> Cells:
    """Losses of the whole grid; budgets are drawn together where trunks share noise."""
    deviation = rng.uniform(0.005, 0.02)
    group, size, budget, seed = np.indices((2, 5, 5, NUM_SEEDS)).reshape(4, -1)
    params = _SIZES[size]
    tokens = _BUDGETS[budget] / 6 / params
    trunk = rng.normal(size=(2, 5, NUM_SEEDS))[group, size, seed] * np.sqrt(trunk_share)
    own = rng.normal(size=len(group)) * np.sqrt(1 - trunk_share)
    names = [truth.names[each] for each in group]
    cells = make_cells(names, params, tokens, seed, np.zeros(len(group)), trunk_share > 0)
    clean = make_cells(names, params, tokens, seed, deviation * (trunk + own), trunk_share > 0)
    losses = clean.losses_CS + predict_losses(truth, cells)[:, None]
    return Cells(cells.names, cells.group, cells.params, cells.tokens, losses, cells.unit)


def _holds(found: Interval, value: float) -> bool:
    return bool(found.low <= value <= found.high)


def _parabolas_hold(cells: Cells, truth: Laws, rng: np.random.Generator, num_repeats: int) -> bool:
    """Whether the interval of the first architecture's frontier through optima holds the truth."""
    drawn: Floats = np.vstack([cells.means, resample(cells, cells.means, rng, num_repeats)])
    products = cells.params * cells.tokens
    of_budget = [
        (cells.group == 0) & np.isclose(6 * products, budget, rtol=1e-6) for budget in _BUDGETS
    ]
    found = fit_frontier(
        list(_BUDGETS),
        [cells.params[own] for own in of_budget],
        [drawn[:, own] for own in of_budget],
    )
    low, high = np.nanquantile(found.repeats[:, 0], [0.025, 0.975])
    return bool(low <= truth.allocation[0] <= high)


def _describe_bias() -> dict[str, float]:
    """Of parabolas on one law without noise: Hoffmann's exponents, the same sizes everywhere."""
    a, b = np.array([0.34]), np.array([0.28])
    law = Laws(
        ("planted",), np.array([1.7]), 0.8 * _MIDDLE**a, a,
        0.8 * (_MIDDLE * _PER_PARAMETER) ** b, b,
    )  # fmt: skip
    found, ratios = bias_of_parabolas(law, list(_BUDGETS), [_SIZES] * len(_BUDGETS))
    return {
        "true_allocation": float(law.allocation[0]),
        "parabolas_allocation": found.allocation,
        "beside_least": float(min(ratios)),
        "beside_largest": float(max(ratios)),
    }


if __name__ == "__main__":
    measure()
