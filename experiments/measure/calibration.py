"""Do the verdicts hold? Simulated comparisons whose truth is known, judged by the very same code.

A simulated comparison has what a real one has: a score of each searcher on each seed, a part of it
shared by all searchers of the seed, re-trainings with noise, and reference patterns from which the
noise floor is taken. `results.standings.decide` judges it, as it judges the runs of `compare`.

    A/A       one searcher under two names: how often do they differ significantly?
    whole A/A one searcher under twelve names, as many as bare `compare` has: how often does any of
              the 66 pairs differ significantly, Holm's correction included?
    blocks    the same two questions over landscapes whose scales differ, a few seeds on each
    planted   a true gap of 0.5, 1 and 2 standard deviations of the paired differences: is it found
              as often as the planner promised, at usual numbers of seeds and at the planned one?
    intervals how often does a 95 % interval hold the truth?

A run's score is the mean over its finalists, each of which was trained again several times.

Run it: `python -m nasarena.experiments.measure.calibration [--save]` (an hour on one core), or
`... calibration landscapes [--save]` for the intervals over landscapes alone (minutes).
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nasarena.experiments.measure.record import record
from nasarena.figures.results.rows import REFERENCE_COLUMNS, RUN_COLUMNS, TRIAL_COLUMNS
from nasarena.figures.results.standings import Decision, decide
from nasarena.figures.results.tables import Tables
from nasarena.figures.stats.intervals import LEVEL, Floats, interval
from nasarena.figures.stats.multiple import compare_all
from nasarena.figures.stats.paired import mean_difference
from nasarena.figures.stats.power import power, seeds_for
from nasarena.search.seeding import stream

NUM_COMPARISONS = 1_000
NUM_INTERVALS = 3_000
EFFECTS = (0.5, 1.0, 2.0)
NAMES = tuple(f"searcher {number}" for number in range(12))
# Comparisons by their seeds; with fewer than 12 none of 66 pairs can differ significantly.
NUM_WHOLE = {12: 1_000, 20: 400}
SEEDS = (6, 8, 10, 20)  # the fewest that can tell anything apart, and what people run
NUM_FINALISTS, NUM_REPLICATES = 5, 4
NUM_TRAININGS = NUM_FINALISTS * NUM_REPLICATES  # that the final score of a run averages
# Standard deviations: of a seed's landscape, of a searcher's luck on it, of the finalists of a run
# about their mean, of one re-training.
SHARED, LUCK, SPREAD, NOISE = 1.0, 1.0, 0.5, 0.8
# Of the paired difference of two runs, the shared part gone.
DIFFERENCE = float(np.sqrt(2 * (LUCK**2 + SPREAD**2 / NUM_FINALISTS + NOISE**2 / NUM_TRAININGS)))
# Suites: the scales of luck on their landscapes, and the seeds on each.
SUITES = {
    "2 landscapes": ((0.5, 1.5), 10),
    "6 landscapes": ((0.3, 0.5, 0.8, 1.0, 1.5, 2.5), 4),
}

Draw = Callable[[np.random.Generator, int], Floats]
# How the scores of a searcher scatter about its true level; the second is skewed, as maxima are.
SHAPES: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "gumbel": lambda rng, size: rng.gumbel(-np.euler_gamma, 1, size) * np.sqrt(6) / np.pi,
}
NUM_POPULATION = 2_000_001


def main() -> None:
    if "landscapes" in sys.argv[1:]:
        rows = list(_coverage_over_landscapes())
        gap = max((row["found"] - row["promised"] for row in rows), key=abs)
        record("calibration_landscapes", rows, {"coverage_gap": gap}, module="calibration")
        return
    rows = [
        *_same_searchers(),
        *_same_comparisons(),
        *_same_over_landscapes(),
        *_measure_planted_gaps(),
        *_score_coverage(),
        *_difference_coverage(),
        *_coverage_over_landscapes(),
    ]
    same = [row for row in rows if row["question"] == "A/A"]
    whole = [row for row in rows if row["question"] == "whole A/A"]
    planted = [row for row in rows if row["question"] == "planted"]
    covered = [row for row in rows if row["question"].startswith("interval")]
    summary = {
        "aa_false_share": sum(row["found"] * row["cases"] for row in same)
        / sum(row["cases"] for row in same),
        "aa_false_share_worst": max(row["found"] for row in same),
        "whole_aa_false_share_worst": max(row["found"] for row in whole),
        "blocks_false_share_worst": max(
            row["found"] for row in rows if row["question"].startswith("blocks")
        ),
        "power_gap": max((row["found"] - row["promised"] for row in planted), key=abs),
        "coverage_gap": max((row["found"] - row["promised"] for row in covered), key=abs),
    }
    record("calibration", rows, summary)


def _same_searchers() -> Iterator[dict[str, Any]]:
    """One searcher under two names, `NUM_COMPARISONS` times for each number of seeds.

    Under one shape alone: whatever it is, differences of two equal searchers are symmetric.
    """
    for num_seeds in SEEDS:
        found = _detections(num_seeds, 0.0, "gumbel")
        yield _row("A/A", "gumbel", num_seeds, 0.0, found, 1 - LEVEL)


def _same_comparisons() -> Iterator[dict[str, Any]]:
    """Ten searchers that are one: any pair that differs significantly is a false verdict."""
    for num_seeds, num_comparisons in NUM_WHOLE.items():
        found = []
        for number in range(num_comparisons):
            rng = stream(number, "calibration", "whole", num_seeds)
            decision = simulate(rng, num_seeds, dict.fromkeys(NAMES, 0.0), "gumbel")
            found.append(any(pair.is_significant for pair in decision.pairs))
        yield _row("whole A/A", "gumbel", num_seeds, 0.0, np.array(found, float), 1 - LEVEL)


def _same_over_landscapes() -> Iterator[dict[str, Any]]:
    """One searcher under two and under twelve names, over landscapes of different scales."""
    for suite, (_, num_seeds) in SUITES.items():
        for names in (NAMES[:2], NAMES):
            found = []
            for number in range(NUM_COMPARISONS if len(names) == 2 else NUM_WHOLE[20]):
                rng = stream(number, "calibration", "blocks", suite, len(names))
                scores = {name: draw_blocks(rng, "gumbel", suite).ravel() for name in names}
                found.append(any(pair.is_significant for pair in compare_all(scores)))
            question = f"blocks on {suite}, {len(names)} searchers"
            yield _row(question, "gumbel", num_seeds, 0.0, np.array(found, float), 1 - LEVEL)


def draw_blocks(rng: np.random.Generator, shape: str, suite: str) -> Floats:
    """Scores of one searcher on every seed of every landscape, `(seeds, landscapes)`."""
    scales, num_seeds = SUITES[suite]
    drawn = SHAPES[shape](rng, num_seeds * len(scales))
    return np.array(scales) * drawn.reshape(num_seeds, -1)


def _coverage_over_landscapes() -> Iterator[dict[str, Any]]:
    """Stratified intervals of the interquartile mean over all blocks."""
    for suite, (scales, num_seeds) in SUITES.items():
        for shape, draw in SHAPES.items():
            rng = stream(0, "population of blocks", shape, suite)
            size = NUM_POPULATION // len(scales)
            pooled = np.sort(np.concatenate([scale * draw(rng, size) for scale in scales]))
            quarter = len(pooled) // 4
            truth = pooled[quarter:-quarter].mean()
            limits = [
                interval(draw_blocks(rng, shape, suite), rng, num_repeats=1_000)
                for _ in range(NUM_INTERVALS)
            ]
            held = np.array([each.low <= truth <= each.high for each in limits], float)
            yield _row(f"interval over {suite}", shape, num_seeds, 0.0, held, LEVEL)


def _measure_planted_gaps() -> Iterator[dict[str, Any]]:
    for effect in EFFECTS:
        planned = seeds_for(effect)
        assert planned is not None
        for num_seeds in sorted({8, planned, *((20,) if effect < 1 else ())}):
            found = _detections(num_seeds, effect, "normal")
            yield _row("planted", "normal", num_seeds, effect, found, power(effect, num_seeds))


def _detections(num_seeds: int, effect: float, shape: str) -> Floats:
    """1 where the verdict says that the better searcher is better, or for A/A that one is."""
    found = []
    for number in range(NUM_COMPARISONS):
        rng = stream(number, "calibration", shape, num_seeds, str(effect))
        levels = {"better": effect * DIFFERENCE, "other": 0.0}
        (pair,) = simulate(rng, num_seeds, levels, shape).pairs
        found.append(pair.is_significant and (effect == 0 or pair.favours_first))
    return np.array(found, dtype=np.float64)


def simulate(
    rng: np.random.Generator, num_seeds: int, levels: Mapping[str, float], shape: str
) -> Decision:
    """The decision on searchers whose true final scores are `levels`, but for luck and seed."""
    shared = rng.normal(scale=SHARED, size=num_seeds)
    runs, seeds = [], range(num_seeds)
    for name, level in levels.items():
        luck = LUCK * SHAPES[shape](rng, num_seeds)
        finalists = rng.normal(scale=SPREAD, size=(num_seeds, NUM_FINALISTS))
        true = level + shared + luck + finalists.mean(axis=1)
        noise = rng.normal(scale=NOISE, size=(num_seeds, NUM_TRAININGS)).mean(axis=1)
        runs += [
            {
                "searcher": name,
                "seed": seed,
                "final": true[seed] + noise[seed],
                "best_search": true[seed],
                "search_of_finals": true[seed],
                "num_finals": NUM_TRAININGS,
                "num_finals_failed": 0,
            }
            for seed in seeds
        ]
    references = [
        {
            "name": f"reference {k}",
            "seed": seed,
            "final": k + shared[seed] + rng.normal(0, NOISE),
            "trainings": 1,
        }
        for k in range(8)
        for seed in seeds
    ]
    return decide(_tables(runs, references, tuple(seeds)))


def _tables(runs: list[Any], references: list[Any], seeds: tuple[int, ...]) -> Tables:
    return Tables(
        runs=pd.DataFrame(runs, columns=RUN_COLUMNS),
        trials=pd.DataFrame(columns=TRIAL_COLUMNS),
        finals=pd.DataFrame(),
        references=pd.DataFrame(references, columns=REFERENCE_COLUMNS),
        excluded=(),
        condition={"budget": {"unit": "trials", "amount": 1}},
        provenance=(),
        seeds=seeds,
        data_hash="simulated",
        name="simulated",
    )


def _score_coverage() -> Iterator[dict[str, Any]]:
    """Bootstrap intervals of interquartile means, against that of two million values."""
    for shape, draw in SHAPES.items():
        population = np.sort(draw(stream(0, "population", shape), NUM_POPULATION))
        truth = population[NUM_POPULATION // 4 : -(NUM_POPULATION // 4)].mean()
        for num_seeds in (5, *SEEDS):
            rng = stream(0, "coverage", shape, num_seeds)
            limits = [
                interval(draw(rng, num_seeds), rng, num_repeats=1_000) for _ in range(NUM_INTERVALS)
            ]
            held = np.array([each.low <= truth <= each.high for each in limits], dtype=np.float64)
            yield _row("interval of a score", shape, num_seeds, 0.0, held, LEVEL)


def _difference_coverage() -> Iterator[dict[str, Any]]:
    """Exact intervals of mean paired differences of two runs of the same shape."""
    for shape, draw in SHAPES.items():
        for num_seeds in SEEDS[:-1]:  # with 20 each takes 30 ms; A/A has looked at them
            rng = stream(0, "coverage of differences", shape, num_seeds)
            limits = [
                mean_difference(draw(rng, num_seeds) - draw(rng, num_seeds))
                for _ in range(NUM_INTERVALS)
            ]
            held = np.array([each.low <= 0 <= each.high for each in limits], dtype=np.float64)
            yield _row("interval of a difference", shape, num_seeds, 0.0, held, LEVEL)


def _row(
    question: str, shape: str, num_seeds: int, effect: float, found: Floats, promised: float
) -> dict[str, Any]:
    share = float(found.mean())
    return {
        "question": question,
        "shape": shape,
        "seeds": num_seeds,
        "gap_sd": effect,
        "cases": len(found),
        "found": share,
        "promised": promised,
        "standard_error": float(np.sqrt(share * (1 - share) / len(found))),
    }


if __name__ == "__main__":
    main()
