"""Rules that make one pattern of many: worked by hand, ties included, and resampled searchers."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from nasarena.experiments.scaling.aggregate import (
    BEST,
    best_single,
    composer,
    edit_distance,
    majority,
    make_rules,
    medoid,
    model_optimum,
    round_to_sum,
    skeleton,
)
from nasarena.experiments.scaling.clusters import top_cluster_size
from nasarena.experiments.scaling.resampling import (
    Standing,
    apply_rules,
    judge,
    make_groups,
    resample_worths,
)
from nasarena.experiments.scaling.winners import Pool, RunWinners, ScoredTrials, make_pool
from nasarena.experiments.scaling.worth import Worth
from nasarena.search.space import PatternSpace


def pool(*patterns: str, scores: Sequence[float] | None = None) -> Pool:
    """Finalists, best first; by default level, so that the top cluster holds all of them."""
    alphabet = "".join(sorted(set("".join(patterns))))
    space = PatternSpace(alphabet, len(patterns[0]))
    values = np.array(scores if scores is not None else [1.0] * len(patterns))
    return Pool(space, patterns, values, [ScoredTrials(patterns, values)])


def run(searcher: str, finalists: dict[str, list[float]], is_agent: bool = False) -> RunWinners:
    scores = np.array([scores[0] for scores in finalists.values()])
    return RunWinners(searcher, is_agent, finalists, ScoredTrials(list(finalists), scores))


@pytest.mark.parametrize(
    ("context", "expected"), [(0, "AMMM"), (1, "AMMM"), (2, "AMAA"), (None, "AMAA")]
)
def test_composer_looks_at_the_letters_chosen_before(context: int | None, expected: str) -> None:
    """After AM, N1 asks all five, of whom three go on with M; N2 the three that begin with AM.

    N2's last letter is a tie of AMAA and AMAM, which the better one decides.
    """
    voters = pool("AMAA", "AMAM", "MMMA", "MMMM", "AMMM")
    assert composer(voters, num_clusters=5, context=context).pattern == expected


def test_without_an_earlier_letter_a_majority_may_be_nobody_s_pattern() -> None:
    """Letters A 3:2, M 3:2, M 3:2, A 3:2; with one letter of context AA, then ties."""
    voters = pool("AAAM", "AAMA", "AMMM", "MMAA", "MMMA")
    assert composer(voters, 5, context=0).pattern == "AMMA"
    assert composer(voters, 5, context=1).pattern == "AAAM"


def test_n2_forgets_the_letters_further_back() -> None:
    """After AMA, N2 also hears those that begin with MMA; N_all hears two alone."""
    voters = pool("AMAAA", "MMAMA", "MMAMM", "AMAAM", "MMAMS", "AMSAA")
    assert composer(voters, 5, context=2).pattern == "AMAMA"
    assert composer(voters, 5, context=None).pattern == "AMAAA"
    assert composer(voters, 5, context=5).pattern == "AMAAA"


def test_only_the_top_cluster_votes() -> None:
    scored = pool("AM", "AA", "MM", "MA", scores=[9.0, 8.9, 1.0, 0.9])
    found = composer(scored, num_clusters=2, context=0)
    assert (found.pattern, found.num_voters) == ("AM", 2)
    assert composer(scored, num_clusters=4, context=0).num_voters == 1


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_clusters_are_the_best_of_all_partitions(k: int) -> None:
    rng = np.random.default_rng(k)
    for _ in range(20):
        scores = np.sort(rng.integers(12, size=9).astype(float))[::-1]
        values = np.unique(scores)[::-1]
        best: tuple[float, int] = (np.inf, 0)
        for cuts in combinations(range(1, len(values)), min(k, len(values)) - 1):
            edges = [0, *cuts, len(values)]
            parts = [
                scores[np.isin(scores, values[start:end])]
                for start, end in zip(edges, edges[1:], strict=False)
            ]
            cost = float(sum(((part - part.mean()) ** 2).sum() for part in parts))
            best = min(best, (round(cost, 9), len(parts[0])))
        assert top_cluster_size(scores, k) == best[1]


def test_equal_scores_are_one_cluster() -> None:
    assert top_cluster_size(np.ones(7), 5) == 7
    assert top_cluster_size(np.array([3.0]), 5) == 1
    assert top_cluster_size(np.array([2.0, 2.0, 1.0]), 5) == 2


def test_majority_asks_the_best_alone() -> None:
    scored = pool("AM", "AA", "MM", "MM", scores=[4, 3, 2, 1])
    assert majority(scored, num_top=2).pattern == "AM"  # the second letter is a tie
    assert majority(scored, num_top=4).pattern == "AM"
    assert majority(pool("AA", "MM", "MA"), num_top=10).pattern == "MA"
    assert best_single(scored).pattern == "AM"


def test_edit_distance_by_hand() -> None:
    assert edit_distance("AMAMAM", "MAMAMA") == 2  # six letters differ, but one moves
    assert edit_distance("AMS", "AMS") == 0
    assert edit_distance("AMS", "SSS") == 2
    assert edit_distance("AAM", "M") == 2


def test_the_medoid_is_nearest_to_the_others_and_of_equal_ones_the_best() -> None:
    assert medoid(pool("AAAA", "MMMM", "AMMM", "AAMM"), num_top=4).pattern == "AMMM"  # 3+1+0+1
    assert medoid(pool("AA", "MM"), num_top=2).pattern == "AA"
    assert medoid(pool("AAAA", "AAMM", "AMMM"), num_top=2).pattern == "AAAA"


def test_the_skeleton_has_the_average_lengths_of_its_runs() -> None:
    """AMAM twice, with runs 2 2 1 1 and 1 3 1 1: on average 1.5 2.5 1 1."""
    found = skeleton(pool("AAAMMM", "AAMMAM", "AMMMAM"))
    assert (found.pattern, found.num_voters) == ("AAMMAM", 2)
    assert skeleton(pool("AAM", "AMM")).pattern == "AAM"
    assert skeleton(pool("AMS", "MMM")).pattern == "AMS"  # once each: the better one


def test_rounding_keeps_the_sum() -> None:
    assert round_to_sum([1.5, 2.5, 1.0, 1.0], 6) == [2, 2, 1, 1]
    assert round_to_sum([1 / 3, 1 / 3, 4 / 3], 2) == [1, 0, 1]
    assert round_to_sum([1.2, 1.8], 3) == [1, 2]


def test_the_optimum_of_the_model_may_be_a_pattern_that_nobody_tried() -> None:
    """Every A is worth 1, and no trial has five of them."""
    space = PatternSpace("AM", 5)
    every = [space.pattern(i) for i in range(space.size)]
    tried = [one for one in every if one.count("A") < 5]
    trials = ScoredTrials(tried, np.array([float(one.count("A")) for one in tried]))
    found = model_optimum(Pool(space, ["AAAAM"], np.array([4.0]), [trials]))
    assert (found.pattern, found.num_voters) == ("AAAAA", 31)


def test_a_finalist_of_several_runs_is_one_with_the_mean_of_its_scores() -> None:
    runs = [run("a", {"AM": [1.0, 2.0], "AA": [2.0]}), run("b", {"AM": [6.0], "MM": [2.0]})]
    found = make_pool(PatternSpace("AM", 2), runs)
    assert found.patterns == ["AM", "AA", "MM"]  # equal scores by the alphabet
    assert found.scores_N.tolist() == [3.0, 2.0, 2.0]
    twice = make_pool(PatternSpace("AM", 2), [*runs, runs[1]])
    assert twice.scores_N.tolist() == [3.75, 2.0, 2.0]


def judge_runs(searchers: Sequence[dict[str, list[float]]]) -> dict[str, Standing]:
    """Every rule over these searchers; a pattern is worth its number of M."""
    runs = [run(f"s{i}", finalists) for i, finalists in enumerate(searchers)]
    rules = make_rules(num_clusters=2, num_top=2)
    group = apply_rules("together", PatternSpace("AM", 4), runs, rules)
    return judge(group, WORTH, resample_worths(group, rules, WORTH, num_resamples=40))


def number_of_m(pattern: str) -> float:
    return float(pattern.count("M"))


WORTH = Worth(number_of_m, lambda pattern: np.full(40, number_of_m(pattern)), is_exact=True)


def test_resamples_draw_searchers_and_apply_the_rule_again() -> None:
    """Two searchers: one time in four only the second is drawn, whose best has one M."""
    found = judge_runs([{"MMAA": [2.0], "AAAA": [0.0]}, {"AAAM": [1.0], "AAAA": [0.0]}])[BEST]
    assert (found.worth.estimate, found.worth.low, found.worth.high) == (2.0, 1.0, 2.0)
    assert (found.gain.estimate, found.gain.low, found.gain.high) == (0.0, 0.0, 0.0)


def test_one_searcher_has_no_interval() -> None:
    found = judge_runs([{"MMAA": [2.0], "AAAA": [0.0]}])
    assert all(np.isnan([one.worth.low, one.gain.high]).all() for one in found.values())


def test_a_gain_is_shown_from_six_searchers_on() -> None:
    """The skeleton AM of two finalists makes AAMM; the lucky best single has no M at all."""
    own = {"AAAA": [9.0], "AMMM": [1.0], "AAMM": [0.5]}
    rule = "frequent skeleton"
    five, six = judge_runs([own] * 5)[rule], judge_runs([own] * 6)[rule]
    assert five.gain.estimate == six.gain.estimate == 2.0 and five.gain.low == 2.0
    assert not five.is_shown and six.is_shown
    assert not judge_runs([own] * 6)[BEST].is_shown


def test_winners_are_grouped_by_kind_where_there_are_both() -> None:
    classical, agent = run("random", {"AM": [1.0]}), run("agent", {"MM": [1.0]}, is_agent=True)

    class Read:
        runs = [classical, agent]

    assert make_groups(Read()) == {  # type: ignore[arg-type]
        "together": [classical, agent], "classical": [classical], "agentic": [agent],
    }  # fmt: skip
    Read.runs = [classical, classical]
    assert list(make_groups(Read())) == ["together"]  # type: ignore[arg-type]
