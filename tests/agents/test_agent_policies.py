"""Policies, worked by hand: they are pure functions of the record, so a record is all it takes."""

from math import inf, log, sqrt

import numpy as np
import pytest

from nasarena.agents.policies.evolution import Evolution, reset_worst
from nasarena.agents.policies.greedy import Greedy
from nasarena.agents.policies.independent import DraftForEver
from nasarena.agents.policies.mcts import ROOT, Mcts, Tree, grow, rank_rewards
from nasarena.agents.policies.one_shot import OneShot
from nasarena.agents.policies.policy import Move, Policy, open_failure
from nasarena.search.errors import InvalidSetting
from nasarena.search.incumbent import best_first
from nasarena.search.trial import Proposal, Status, Trial


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def make_trial(
    index: int,
    operator: str,
    score: float | None,
    parents: tuple[int, ...] = (),
    status: Status | None = None,
    **details: str,
) -> Trial:
    """A trial of the agent's own; without a score it has failed unless `status` says otherwise."""
    return Trial(
        index,
        f"P{index}",
        status or ("ok" if score is not None else "failed"),
        score,
        parents=parents,
        details={"operator": operator, **details},
    )


def initial(index: int, score: float) -> Trial:
    return Trial(index, f"P{index}", "ok", score, provenance="initial_design")


def test_one_shot_ends_after_its_proposals_whatever_became_of_them() -> None:
    policy = OneShot(2)
    first = make_trial(1, "draft", None, status="invalid")
    assert policy.next_move([initial(0, 1.0)], [], rng()) == Move("draft")
    assert policy.next_move([initial(0, 1.0), first], [], rng()) == Move("draft")
    pending = [Proposal("X", details={"operator": "draft"})]
    assert policy.next_move([initial(0, 1.0), first], pending, rng()) is None


def test_independent_sampling_always_drafts() -> None:
    trials = [initial(0, 1.0), make_trial(1, "draft", None)]
    assert DraftForEver().next_move(trials, [], rng()) == Move("draft")


class TestGreedy:
    policy = Greedy(drafts=2, debug_depth=2)

    def test_drafts_come_first_even_after_a_failure(self) -> None:
        trials = [initial(0, 9.0), make_trial(1, "draft", None)]
        assert self.policy.next_move(trials, [], rng()) == Move("draft")

    def test_pending_drafts_count(self) -> None:
        pending = [Proposal("X", details={"operator": "draft"})] * 2
        assert self.policy.next_move([initial(0, 9.0)], pending, rng()) == Move("improve", (0,))

    def test_the_best_is_improved_ties_to_the_earlier(self) -> None:
        trials = [
            make_trial(0, "draft", 0.5),
            make_trial(1, "draft", 0.8),
            make_trial(2, "improve", 0.8, (1,)),
        ]
        assert self.policy.next_move(trials, [], rng()) == Move("improve", (1,))

    def test_a_chain_of_repairs_ends_at_its_depth(self) -> None:
        trials = [make_trial(0, "draft", 0.5), make_trial(1, "draft", None)]
        assert self.policy.next_move(trials, [], rng()) == Move("debug", (1,))
        trials.append(make_trial(2, "debug", None, (1,), status="duplicate"))
        assert self.policy.next_move(trials, [], rng()) == Move("debug", (2,))
        trials.append(make_trial(3, "debug", None, (2,), status="invalid"))
        assert self.policy.next_move(trials, [], rng()) == Move("improve", (0,))

    def test_a_repair_that_worked_ends_the_chain(self) -> None:
        trials = [
            make_trial(0, "draft", 0.5),
            make_trial(1, "draft", None),
            make_trial(2, "debug", 0.9, (1,)),
        ]
        assert self.policy.next_move(trials, [], rng()) == Move("improve", (2,))

    def test_nothing_scored_at_all_means_another_draft(self) -> None:
        policy = Greedy(drafts=1, debug_depth=0)
        assert policy.next_move([make_trial(0, "draft", None)], [], rng()) == Move("draft")

    def test_a_share_of_zero_never_debugs(self) -> None:
        trials = [make_trial(0, "draft", 0.5), make_trial(1, "draft", None)]
        assert Greedy(2, debug_share=0.0).next_move(trials, [], rng()) == Move("improve", (0,))


def test_a_failure_under_repair_is_not_repaired_twice() -> None:
    trials = [make_trial(0, "draft", None)]
    pending = [Proposal("X", parents=(0,), details={"operator": "debug"})]
    assert open_failure(trials, [], 3) == trials[0]
    assert open_failure(trials, pending, 3) is None


class TestMcts:
    def test_rewards_are_mid_ranks(self) -> None:
        scores = [3.0, -1e9, 7.0, 3.0, 1e9]
        trials = [make_trial(index, "draft", score) for index, score in enumerate(scores)]
        trials.append(make_trial(5, "draft", None))
        assert rank_rewards(trials) == {0: 0.375, 1: 0.0, 2: 0.75, 3: 0.375, 4: 1.0}
        assert rank_rewards(trials[:1]) == {0: 1.0}

    def test_rewards_do_not_change_under_a_monotone_map_of_scores(self) -> None:
        scores = [0.3, 0.1, 0.7, 0.2]
        plain = [make_trial(index, "draft", score) for index, score in enumerate(scores)]
        bent = [make_trial(index, "draft", np.exp(9 * score)) for index, score in enumerate(scores)]
        assert rank_rewards(plain) == rank_rewards(bent)

    # 0 and 1 below the root; 2 improves 0; 3 fails on 0; 4 mends 3; 5 improves 1.
    trials = [
        make_trial(0, "draft", 0.5),
        make_trial(1, "draft", 0.1),
        make_trial(2, "improve", 0.9, (0,)),
        make_trial(3, "improve", None, (0,)),
        make_trial(4, "debug", 0.3, (3,)),
    ]

    def test_the_tree_by_hand(self) -> None:
        tree = grow(self.trials, [])
        assert tree.children == {ROOT: [0, 1], 0: [2, 4]}
        # Ranks: 1 -> 0, 4 -> 1/3, 0 -> 2/3, 2 -> 1. The failure is a visit of 0 on 0 and the root.
        assert tree.visits == {ROOT: 5, 0: 4, 1: 1, 2: 1, 4: 1}
        assert tree.total[0] == pytest.approx(2 / 3 + 1 + 0 + 1 / 3)
        assert tree.total[ROOT] == pytest.approx(2.0)

    def test_uct_by_hand(self) -> None:
        tree = grow(self.trials, [])
        policy = Mcts(exploration=0.5)
        assert policy.uct(tree, ROOT, 0) == pytest.approx(0.5 + 0.5 * sqrt(log(5) / 4))
        assert policy.uct(tree, ROOT, 1) == pytest.approx(0.5 * sqrt(log(5)))
        assert policy.uct(Tree(children={ROOT: [7]}), ROOT, 7) == inf

    def test_selection_goes_down_by_uct_and_expands_where_there_is_room(self) -> None:
        # The root has room for floor(sqrt 5) = 2 children and has them. Without exploration the
        # way leads to 0 (0.5 against 0), which has room for 2 and has them, then to 2, a leaf.
        assert Mcts(drafts=2, exploration=0).select(grow(self.trials, [])) == 2
        # With much exploration it leads to 1, visited once only, a leaf.
        assert Mcts(drafts=2, exploration=5).select(grow(self.trials, [])) == 1
        # Wider nodes have room at the root.
        assert Mcts(drafts=2, widen=2).select(grow(self.trials, [])) == ROOT

    def test_a_pending_child_is_a_virtual_loss(self) -> None:
        policy = Mcts(drafts=2, exploration=0.4)
        first = policy.next_move(self.trials, [], rng())
        assert first is not None and first == Move("improve", (2,))
        pending = [Proposal("X", parents=first.parents, details={"operator": "improve"})]
        second = policy.next_move(self.trials, pending * 3, rng())
        assert second is not None and second != first

    def test_a_branch_that_only_repeats_itself_is_left(self) -> None:
        policy = Mcts(drafts=2, exploration=0.25, debug_depth=0)
        trials = [make_trial(0, "draft", 0.9), make_trial(1, "draft", 0.5)]
        visited = set()
        for index in range(2, 12):
            move = policy.next_move(trials, [], rng())
            assert move is not None
            visited.add((move.operator, move.parents))
            trials.append(make_trial(index, move.operator, None, move.parents, status="duplicate"))
        assert {("improve", (0,)), ("improve", (1,)), ("draft", ())} <= visited

    def test_failures_are_mended_before_anything_else(self) -> None:
        trials = [*self.trials, make_trial(5, "improve", None, (1,))]
        assert Mcts().next_move(trials, [], rng()) == Move("debug", (5,))


class TestEvolution:
    def test_islands_take_turns_and_the_initial_design_is_dealt_out(self) -> None:
        policy = Evolution(islands=2, crossover_share=0.0)
        trials = [initial(0, 0.1), initial(1, 0.2)]
        assert policy.next_move(trials, [], rng()) == Move("improve", (0,), {"island": "0"})
        trials.append(make_trial(2, "improve", 0.3, (0,), island="0"))
        assert policy.next_move(trials, [], rng()) == Move("improve", (1,), {"island": "1"})

    def test_an_empty_island_drafts(self) -> None:
        policy = Evolution(islands=3)
        assert policy.next_move([initial(0, 0.1)], [], rng()) == Move(
            "improve", (0,), {"island": "0"}
        )
        move = policy.next_move([make_trial(0, "draft", 0.1, island="0")], [], rng())
        assert move == Move("draft", (), {"island": "1"})

    def test_two_members_are_crossed_with_two_different_parents(self) -> None:
        policy = Evolution(islands=1, crossover_share=1.0)
        move = policy.next_move([initial(0, 0.1), initial(1, 0.2)], [], rng())
        assert move is not None and move.operator == "crossover"
        assert sorted(move.parents) == [0, 1]

    def test_a_repair_stays_on_its_island(self) -> None:
        trials = [initial(0, 0.1), make_trial(1, "draft", None, island="2")]
        move = Evolution(islands=3).next_move(trials, [], rng())
        assert move == Move("debug", (1,), {"island": "2"})

    def test_parents_are_drawn_by_rank(self) -> None:
        members = best_first([initial(index, index / 10) for index in range(8)])
        counts = np.zeros(8)
        generator = rng()
        for _ in range(4000):
            counts[Evolution(temperature=0.25).draw(members, 1, generator)[0].index] += 1
        expected = np.exp(-np.arange(8) / 2)[::-1]
        assert counts / 4000 == pytest.approx(expected / expected.sum(), abs=0.025)

    def test_the_worst_half_is_reset_and_the_best_stay(self) -> None:
        islands = [
            [initial(0, 0.4), initial(1, 0.1)],
            [initial(2, 0.9)],
            [],
            [initial(3, 0.5), initial(4, 0.6)],
        ]
        renewed = reset_worst(islands)
        assert [[trial.index for trial in island] for island in renewed] == [[4], [2], [2], [3, 4]]

    def test_resets_fall_on_fixed_numbers_of_own_trials(self) -> None:
        policy = Evolution(islands=2, reset_every=2)
        trials = [initial(0, 0.1), initial(1, 0.9), make_trial(2, "improve", 0.3, (0,), island="0")]
        populations = policy.populations(trials)
        assert [[one.index for one in island] for island in populations] == [[0, 2], [1]]
        trials.append(make_trial(3, "improve", 0.4, (1,), island="1"))
        populations = policy.populations(trials)
        assert [[one.index for one in island] for island in populations] == [[1], [1, 3]]

    def test_only_the_best_of_an_island_may_be_parents(self) -> None:
        policy = Evolution(islands=1, population=1, crossover_share=1.0)
        trials = [initial(0, 0.1), initial(1, 0.7), initial(2, 0.2)]
        assert policy.next_move(trials, [], rng()) == Move("improve", (1,), {"island": "0"})


@pytest.mark.parametrize(
    "policy",
    [OneShot(99), DraftForEver(), Greedy(), Mcts(), Evolution()],
    ids=lambda p: type(p).__name__,
)
def test_a_policy_only_names_trials_that_exist_and_is_pure(policy: Policy) -> None:
    generator = np.random.default_rng(7)
    trials: list[Trial] = [initial(0, 0.5)]
    for index in range(1, 80):
        move = policy.next_move(trials, [], np.random.default_rng(index))
        assert move == policy.next_move(list(trials), [], np.random.default_rng(index))
        assert move is not None
        assert all(0 <= parent < index for parent in move.parents)
        if move.operator in ("improve", "crossover"):
            assert all(trials[parent].status == "ok" for parent in move.parents)
        if move.operator == "debug":
            assert trials[move.parents[0]].status != "ok"
        score = float(generator.random()) if generator.random() < 0.7 else None
        trials.append(make_trial(index, move.operator, score, move.parents, None, **move.details))


@pytest.mark.parametrize(
    "build",
    [
        lambda: OneShot(0),
        lambda: Greedy(drafts=0),
        lambda: Greedy(debug_share=1.5),
        lambda: Mcts(widen=0),
        lambda: Mcts(widen_power=1.0),
        lambda: Evolution(islands=0),
        lambda: Evolution(temperature=0),
        lambda: Evolution(crossover_share=-0.1),
    ],
)
def test_silly_options_are_refused(build: object) -> None:
    with pytest.raises(InvalidSetting):
        build()  # type: ignore[operator]
