"""The compact prompt: what it says, what it leaves out, and that nothing else enters it."""

import numpy as np
import pytest

from nasarena.agents.context import compact_prompt as compact
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 4)


def ok(index: int, pattern: str, score: float) -> Trial:
    return Trial(index, pattern, "ok", score)


def test_the_best_in_full_then_changes_behind_levels() -> None:
    trials = [ok(0, "AAAA", 0.0), ok(1, "AMSA", 1.0), ok(2, "AMSM", 0.75)]
    assert compact.render(SPACE, trials) == "4 AMS\n99 1A 2M 3S 4A\n74 4M\n00 2A 3A"


def test_failed_trials_follow_newest_first_and_others_are_left_out() -> None:
    trials = [
        Trial(0, "SSSS", "failed"),
        ok(1, "AAAA", 2.0),
        Trial(2, "SSAA", "failed"),
        Trial(3, "nonsense", "invalid"),
        Trial(4, "AAAA", "duplicate", 2.0, duplicate_of=1),
    ]
    text = "4 AMS\n99 1A 2A 3A 4A\n-- 1S 2S\n-- 1S 2S 3S 4S"
    assert compact.render(SPACE, trials) == text


def test_without_a_score_changes_count_from_the_first_letter() -> None:
    assert compact.render(SPACE, []) == "4 AMS"
    assert compact.render(SPACE, [Trial(0, "ASAA", "failed")]) == "4 AMS\n-- 2S"


def test_no_more_lines_than_allowed_and_the_neighbours_of_the_best_among_them() -> None:
    space, rng = PatternSpace("AMS", 16), np.random.default_rng(0)
    best = space.sample(rng)
    far = [ok(i, space.sample(rng), 1 + i / 100) for i in range(50)]
    near = [ok(50 + i, p, 0.0) for i, p in enumerate(list(space.neighbours(best))[:5])]
    text = compact.render(space, [*far, *near, ok(99, best, 9.0)], limit=12)
    lines = text.split("\n")
    assert len(lines) == 13
    assert sum(line.startswith("00 ") and len(line.split()) == 2 for line in lines) == 5


@pytest.mark.parametrize("scores", [(1e308, -1e308), (5e-324, 0.0), (-0.0, 0.0), (1e9 + 1e-6, 1e9)])
def test_extreme_scores_still_have_levels(scores: tuple[float, float]) -> None:
    text = compact.render(SPACE, [ok(0, "AAAA", scores[0]), ok(1, "SSSS", scores[1])])
    assert text.split("\n")[2].split()[0] in ("00", "99")


def test_scores_enter_by_their_shape_alone() -> None:
    """Shift and scale of the scores, order and numbers of the trials make no difference."""
    rng = np.random.default_rng(1)
    patterns = [SPACE.pattern(int(i)) for i in rng.permutation(81)[:10]]
    scores = rng.standard_normal(10).tolist()
    first = [ok(i, p, s) for i, (p, s) in enumerate(zip(patterns, scores, strict=True))]
    other = [ok(90 - t.index, t.pattern, 1000 * (t.score or 0) - 7) for t in reversed(first)]
    assert compact.render(SPACE, first) == compact.render(SPACE, other)
