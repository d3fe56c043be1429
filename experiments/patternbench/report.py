"""What `fit.json` says: the sample, how kinds compare, test patterns, noise and costs, as values.

Uniform test patterns and those of the slice of two letters are judged apart: the slice is harder to
rank and reaches lower, so that tau over both together is higher than in either.
"""

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.execution.provenance import commit, hardware
from nasarena.experiments.patternbench.discrepancy import discrepancy_of
from nasarena.experiments.patternbench.features import Floats
from nasarena.experiments.patternbench.nested import Verdict
from nasarena.experiments.patternbench.noise_model import fitted_spread, pooled_spread
from nasarena.experiments.patternbench.quality import Quality, quality
from nasarena.experiments.patternbench.sample import Sample
from nasarena.proxies.patternbench.held_out import SLICE
from nasarena.proxies.patternbench.rows import Row
from nasarena.proxies.patternbench.surrogate import Costs, Noise

KIND_FACTS = ("name", "error", "fold_errors", "settings")
_FEWEST = 10  # patterns that a tau is given of


def qualities_of(sample: Sample, predicted: Floats) -> tuple[Quality | None, Quality | None]:
    """Of the uniform test patterns and of those of the slice; None where there are too few.

    `predicted` are scores of all patterns of the sample.
    """
    uniform, part = (_quality(sample, predicted, places) for places in find_test_places(sample))
    return uniform, part


def find_test_places(sample: Sample) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the test patterns that have two trainings: uniform ones, those of the slice.

    In a sample of nothing but the slice they are uniform in it.
    """
    tests = sample.is_test & (sample.counts >= 2)
    in_slice = np.array([set(pattern) <= set(SLICE) for pattern in sample.patterns])
    in_slice &= not in_slice[tests].all()
    return np.flatnonzero(tests & ~in_slice), np.flatnonzero(tests & in_slice)


def count_rows(rows: Sequence[Row], sample: Sample) -> dict[str, Any]:
    """Trainings and patterns, counted."""
    roles = [row.role for row in rows]
    return {
        "trainings": len(rows),
        "patterns": len({row.pattern for row in rows}),
        "repeated": int((sample.counts >= 2).sum()),
        "repeated_by_design": len(sample.repeats),
        "failed": sum(row.score is None for row in rows),
        "seeds": len(sample.offsets),
        "roles": {role: roles.count(role) for role in dict.fromkeys(roles)},
        "best": float(sample.scores.max()),
        "core_seconds": float(sum(row.seconds for row in rows)),
    }


def kind_facts(verdict: Verdict) -> dict[str, Any]:
    """One kind in numbers: its nested error against single trainings, and what it chose."""
    values = (
        verdict.name,
        verdict.error,
        list(verdict.fold_errors),
        [dict(setting) for setting in verdict.chosen],
    )
    return dict(zip(KIND_FACTS, values, strict=True))


def account(sample: Sample, predicted: Floats, noise: Noise, costs: Costs) -> dict[str, Any]:
    """What does not need the kinds: test patterns, noise, discrepancy and costs."""
    uniform, part = qualities_of(sample, predicted)
    errors = {
        name: asdict(discrepancy_of(sample, predicted, noise, places))
        for name, places in zip(("uniform", "slice"), find_test_places(sample), strict=True)
        if len(places)
    }
    whole = discrepancy_of(sample, predicted, noise)
    return {
        "test": asdict(uniform) if uniform else None,
        "test_slice": asdict(part) if part else None,
        "noise": {
            "spread": pooled_spread(sample),
            "fitted_spread": fitted_spread(sample, predicted, noise),
            "discrepancy": noise.discrepancy,
            "discrepancy_interval": whole.interval,
            "discrepancies": {"all": asdict(whole), **errors},
            "offset_spread": noise.offset_spread,
            "log_variance": noise.log_variance.tolist(),
        },
        "costs": {
            **asdict(costs),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "hardware": hardware(),
            "load": os.getloadavg()[0],
        },
    }


def _quality(sample: Sample, predicted: Floats, places: NDArray[np.int64]) -> Quality | None:
    if len(places) < _FEWEST:
        return None
    return quality(predicted[places], pairs_of(sample, places))


def pairs_of(sample: Sample, places: NDArray[np.int64]) -> Floats:
    """The first two trainings of patterns, `(patterns, 2)`."""
    first = np.searchsorted(sample.members, places)  # members are in order
    return np.stack([sample.scores[first], sample.scores[first + 1]], axis=1)
