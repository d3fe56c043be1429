"""What each classical searcher claims to do, beside the contract that all of them keep."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import run_search, run_short
from nasarena.baselines.partial_pattern import PartialPattern
from nasarena.experiments.settings.registry import load_searcher
from nasarena.proxies.landscapes import additive
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_folder import read_run
from nasarena.search.searcher import Searcher, build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

SMALL = PatternSpace("AMS", 6)
DEEP = PatternSpace("AMS", 8)


def build(name: str, space: PatternSpace, options: Mapping[str, Any] | None = None) -> Searcher:
    return build_searcher(load_searcher(name), space, stream(0, "searcher"), options or {})


def ask_one(built: Searcher) -> str:
    """The pattern of its next proposal."""
    (asked,) = built.ask(1)
    return asked.pattern if isinstance(asked, Proposal) else asked


@pytest.mark.parametrize("name", ["evolution", "genetic", "local-search"])
def test_children_name_the_trials_they_come_from(name: str, tmp_path: Path) -> None:
    trials = run_short(tmp_path, name, additive(DEEP, noise=0.3), amount=30)
    children = [trial for trial in trials if trial.parents]
    assert len(children) > 15 and not any(trial.parents for trial in trials[:4])
    assert any(len(trial.parents) == 2 for trial in children) == (name == "genetic")
    for child in children:
        assert all(index < child.index for index in child.parents)
        family = [trials[index].pattern for index in child.parents]
        fresh = [
            letter not in {pattern[place] for pattern in family}
            for place, letter in enumerate(child.pattern)
        ]
        assert sum(fresh) <= (4 if name == "genetic" else 1)  # else it is no child of theirs
        assert len(family) > 1 or DEEP.hamming(child.pattern, family[0]) >= 1


@pytest.mark.parametrize("name", ["successive-halving", "hyperband", "tpe-pruned"])
def test_a_longer_training_names_the_shorter_one_before_it(name: str, tmp_path: Path) -> None:
    trials = run_short(tmp_path, name, additive(DEEP, noise=0.3), amount=12)
    later = [trial for trial in trials if trial.parents]
    assert later
    for trial in later:
        (before,) = (trials[index] for index in trial.parents)
        assert before.pattern == trial.pattern and before.fidelity <= trial.fidelity


def test_random_search_exhausts_the_space_without_repeats() -> None:
    space = PatternSpace("AM", 4)
    built = build("random", space)
    built.tell([Trial(0, "AMAM", "ok", 1.0)])
    batches = [built.ask(7) for _ in range(4)]
    assert [len(batch) for batch in batches] == [7, 7, 1, 0]
    everything = {str(pattern) for batch in batches for pattern in batch}
    assert len(everything) == 15 and "AMAM" not in everything


def test_random_search_is_uniform() -> None:
    space = PatternSpace("AM", 2)
    firsts = [
        build_searcher(load_searcher("random"), space, stream(seed, "searcher")).ask(1)[0]
        for seed in range(400)
    ]
    counts = np.array([firsts.count(space.pattern(index)) for index in range(4)])
    assert ((counts - 100) ** 2 / 100).sum() < 16.3  # chi square, 3 degrees, p = 0.001


def parents(built: Searcher, space: PatternSpace, candidates: Sequence[str]) -> set[str]:
    """Whose children 80 asks are; the children fail, so that they take nobody's place."""
    found = set()
    for _ in range(80):
        child = ask_one(built)
        found.add(next(parent for parent in candidates if space.hamming(child, parent) == 1))
        built.tell([Trial(0, child, "failed")])
    return found


def test_evolution_drops_the_oldest_not_the_worst() -> None:
    space = PatternSpace("AM", 12)
    built = build("evolution", space, {"population": 3, "tournament": 1})
    best, middle, worst, newest = "A" * 12, "A" * 6 + "M" * 6, "M" * 12, "AM" * 6
    members = [Trial(0, best, "ok", 9.0), Trial(1, worst, "ok", 1.0), Trial(2, middle, "ok", 5.0)]
    built.tell(members)
    everyone = (best, middle, worst, newest)
    assert parents(built, space, everyone) == {best, middle, worst}
    built.tell([Trial(3, newest, "ok", 0.0)])  # the worst of all, and yet the best must go
    assert parents(built, space, everyone) == {middle, worst, newest}
    built.tell([Trial(4, best, "ok", 9.0)])
    assert parents(built, space, everyone) == {middle, newest, best}


def test_evolution_mutates_the_best_of_its_tournament() -> None:
    space = PatternSpace("AM", 12)
    built = build("evolution", space, {"population": 2, "tournament": 2})
    built.tell([Trial(0, "A" * 12, "ok", -9.0), Trial(1, "M" * 12, "ok", -1.0)])
    num_best = 0
    for _ in range(400):  # two draws with replacement: the better one is among them in 3 of 4
        child = ask_one(built)
        num_best += space.hamming(child, "M" * 12) == 1
        built.tell([Trial(0, child, "failed")])
    assert 265 < num_best < 335  # 300 +- 4 standard deviations


def test_evolution_fills_its_population_at_random_first() -> None:
    space = PatternSpace("AMS", 16)
    built = build("evolution", space, {"population": 5, "tournament": 2})
    members = ["A" * 16, "M" * 16, "S" * 16]
    built.tell([Trial(i, pattern, "ok", float(i)) for i, pattern in enumerate(members)])
    for index in (3, 4):
        pattern = ask_one(built)
        assert min(space.hamming(pattern, member) for member in members) > 1
        members.append(pattern)
        built.tell([Trial(index, pattern, "ok", 0.0)])
    assert min(space.hamming(ask_one(built), member) for member in members) == 1


def test_genetic_replaces_the_worst_and_keeps_the_best() -> None:
    space = PatternSpace("AM", 12)
    options = {"population": 2, "crossover_rate": 0.0, "mutation_rate": 0.0}
    built = build("genetic", space, options)
    best, worst, better, bad = "A" * 12, "M" * 12, "AM" * 6, "A" * 6 + "M" * 6
    everyone = (best, worst, better, bad)
    built.tell([Trial(0, best, "ok", 9.0), Trial(1, worst, "ok", 1.0)])
    assert parents(built, space, everyone) == {best, worst}
    built.tell([Trial(2, better, "ok", 4.0), Trial(3, bad, "ok", 2.0)])
    assert parents(built, space, everyone) == {best, better}


def test_crossover_of_the_genetic_algorithm_mixes_two_parents() -> None:
    space = PatternSpace("AM", 16)
    options = {"population": 2, "crossover_rate": 1.0, "mutation_rate": 0.0}
    built = build("genetic", space, options)
    built.tell([Trial(0, "A" * 16, "ok", 1.0), Trial(1, "M" * 16, "ok", 1.0)])
    children = []
    for index in range(2, 22):
        children.append(ask_one(built))
        built.tell([Trial(index, children[-1], "failed")])
    assert any(4 <= child.count("A") <= 12 for child in children)


def test_local_search_reaches_a_local_optimum_and_starts_again(tmp_path: Path) -> None:
    proxy = additive(SMALL, noise=0, interaction=2.0)
    trials = run_short(tmp_path, "local-search", proxy, amount=80)
    scores = {trial.pattern: proxy.true_score(trial.pattern) for trial in trials}
    optima = [
        pattern
        for pattern in scores
        if all(proxy.true_score(near) < scores[pattern] for near in SMALL.neighbours(pattern))
        and all(near in scores for near in SMALL.neighbours(pattern))
    ]
    assert optima
    assert sum(trial.status == "ok" for trial in trials) == 80  # it did not stop at the first


def test_local_search_moves_to_a_neighbour_that_is_known_to_be_better() -> None:
    space = PatternSpace("AM", 3)
    built = build("local-search", space)
    scores = {"AAA": 1.0, "MMM": 3.0, "AMM": 2.0, "MAM": 0.5, "MMA": 0.4}
    built.tell([Trial(0, "AAA", "ok", 1.0), Trial(1, "MMM", "ok", 3.0)])
    for index in range(2, 5):  # MMM is a local optimum
        pattern = ask_one(built)
        assert space.hamming(pattern, "MMM") == 1
        built.tell([Trial(index, pattern, "ok", scores[pattern])])
    restart = ask_one(built)
    assert restart not in scores
    built.tell([Trial(5, restart, "ok", 0.7)])
    # Every other pattern left is a neighbour of AAA; it moves there or to AMM without asking.
    left = {space.pattern(index) for index in range(8)} - {*scores, restart}
    while left:
        pattern = ask_one(built)
        assert pattern in left
        left.discard(pattern)
        built.tell([Trial(6, pattern, "ok", 0.1)])
    assert built.ask(1) == []


def test_ngram_thompson_finds_what_its_model_can_say_and_tries_nothing_twice(
    tmp_path: Path,
) -> None:
    """On effects of letters at their places, without noise, it reaches the best of 6,561."""
    landscape = additive(DEEP, interaction=0.0)
    trials = run_search(tmp_path, "ngram-thompson", landscape, amount=120, finalists=0)
    patterns = [trial.pattern for trial in trials]
    assert len(set(patterns)) == 120
    best = max(landscape.true_score(pattern) for pattern in patterns)
    assert best == pytest.approx(landscape.optimum()[1])


def test_ngram_thompson_recommends_what_its_model_puts_highest(tmp_path: Path) -> None:
    landscape = additive(DEEP, noise=0.3)
    run_search(tmp_path, "ngram-thompson", landscape, amount=120, finalists=3)
    record = read_run(tmp_path)
    (event,) = record.of_kind("recommended")
    assert len(set(event["patterns"])) == 3
    assert min(landscape.percentile(pattern) for pattern in event["patterns"]) > 98
    tried = [landscape.percentile(trial.pattern) for trial in record.trials()]
    assert np.mean(tried) < 95


def test_ngram_thompson_ends_after_the_whole_space(tmp_path: Path) -> None:
    space = PatternSpace("AM", 3)
    trials = run_search(tmp_path, "ngram-thompson", additive(space), amount=50, finalists=0)
    assert sorted([trial.pattern for trial in trials]) == sorted(
        space.pattern(index) for index in range(8)
    )


def test_a_cooler_ngram_thompson_stays_closer_to_its_best(tmp_path: Path) -> None:
    """Of the trials after the start, those of temperature 0 score higher on average."""
    landscape = additive(PatternSpace("AMS", 16), noise=0.3)
    means = {}
    for temperature in (0.0, 1.0):
        trials = run_search(
            tmp_path / str(temperature), "ngram-thompson", landscape, amount=80, finalists=0,
            options={"temperature": temperature},
        )  # fmt: skip
        means[temperature] = np.mean([landscape.true_score(t.pattern) for t in trials[20:]])
    assert means[0.0] > means[1.0] + 0.2


@pytest.mark.parametrize(("num_trials", "per_step"), [(10, 3), (6, 1), (5, 1)])
def test_end_layer_increments_share_the_trials_and_build_on_the_winner(
    num_trials: int, per_step: int
) -> None:
    """Two steps of four layers: of 10 trials, 4 at random, 3 are for each step; at least 1 is."""
    space = PatternSpace("AM", 8)
    spec, options = load_searcher("composer-end"), {"num_startup": 4, "layers_per_step": 4}
    built = build_searcher(spec, space, stream(0, "searcher"), options, num_trials=num_trials)

    def ask(score: float) -> str:
        pattern = ask_one(built)
        built.tell([Trial(0, pattern, "ok", score)])
        return pattern

    for _ in range(4):
        ask(-1.0)
    for scores in (range(per_step), range(100, 100 + per_step)):  # a round, and another one
        step = [ask(float(score)) for score in scores]
        assert all(pattern[:4] == pattern[4:] for pattern in step)
        tops = [ask(0.0)[:4] for _ in range(per_step)]
        assert tops == [step[-1][:4]] * per_step  # the last was the best so far


def test_middle_layer_increments_split_the_design() -> None:
    frame = PartialPattern("", "", 7).grow_middle("AMS")  # AMSAMSA: AM | SAMS | A
    assert frame == PartialPattern("AM", "A", 4)
    assert frame.fill("SM") == "AMSMSMA" and frame.letters_of("AMSMSMA", 2) == "SM"
    assert frame.letters_of("AMSMSAA", 2) is None
    assert frame.grow_middle("SM") == PartialPattern("AMS", "MA", 2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("evolution", {"population": 3, "tournament": 4}, "1 <= tournament <= population"),
        ("genetic", {"population": 1}, "genetic.options.population must be at least 2, got 1"),
        ("nevergrad", {"optimizer": "NGOptt"}, "NGOpt"),
        ("nevergrad", {"encoding": "onehot"}, "transition, choice"),
        ("composer-end", {"layers_per_step": 0}, "layers_per_step must be at least 1"),
        (
            "tpe",
            {"num_startups": 3},
            "called 'tpe.options.num_startups'; nearest: ",
        ),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidSetting, match=message) as error:
        build(name, SMALL, options).ask(1)
    assert "\n" not in str(error.value)
