"""The one rule of incumbents: full and scored, strictly higher, of equals the earlier."""

import pytest

from nasarena.search.incumbent import best_first, takes_over
from nasarena.search.trial import Trial


@pytest.mark.parametrize(
    ("trial", "best", "expected"),
    [
        (Trial(0, "A", "ok", -3.0), None, True),
        (Trial(0, "A", "ok", 1.0), 0.5, True),
        (Trial(0, "A", "ok", 1.0), 1.0, False),
        (Trial(0, "A", "ok", 0.5), 1.0, False),
        (Trial(0, "A", "ok", 2.0, fidelity=0.5), 1.0, False),
        (Trial(0, "A", "duplicate", 2.0), 1.0, False),
        (Trial(0, "A", "failed"), None, False),
    ],
)
def test_who_takes_over(trial: Trial, best: float | None, expected: bool) -> None:
    assert takes_over(trial, best) is expected


def test_best_first_and_of_equals_the_earlier() -> None:
    trials = [
        Trial(0, "AAAA", "ok", 1.0),
        Trial(1, "MMMM", "failed"),
        Trial(2, "SSSS", "ok", 3.0),
        Trial(3, "AMAM", "ok", 1.0),
        Trial(4, "SSSS", "duplicate", 3.0, duplicate_of=2),
        Trial(5, "ASAS", "ok", 3.0),
    ]
    assert [trial.index for trial in best_first(reversed(trials))] == [2, 5, 0, 3]
