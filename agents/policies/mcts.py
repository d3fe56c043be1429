"""Monte Carlo tree search over proposals: UCT (Kocsis, Szepesvari 2006), progressive widening.

    UCT(child) = Q(child) + c sqrt(ln N(parent) / N(child)),  + infinity where N(child) = 0

A node is a scored trial, its parent the trial that it improves; drafts and the initial design hang
below a virtual root. Q is the mean reward of a subtree, and a reward is the rank of a score among
all scores so far, in 0..1, so the scale of scores and outliers have no effect. A failed, invalid or
duplicate proposal adds a visit with reward 0 to its ancestors and never becomes a node, so the
search leaves a branch that only repeats itself. A node may have at most floor(k N^alpha) children.
Pending patterns count as visits with reward 0 (virtual loss), so a batch spreads out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, log, sqrt

import numpy as np
from pydantic import Field

from nasarena.agents.policies.policy import Move, open_failure, operator_of
from nasarena.search.settings import settings
from nasarena.search.trial import Proposal, Trial

ROOT = -1


@settings
class Mcts:
    """`exploration` is c, `widen` k, `widen_power` alpha; at least `drafts` drafts come first."""

    drafts: int = Field(3, ge=1, description="drafts that come first, at least")
    exploration: float = Field(0.25, ge=0, description="c of UCT")
    widen: float = Field(1.0, gt=0, description="k: a node has at most k N^alpha children")
    widen_power: float = Field(0.5, gt=0, lt=1, description="alpha of it")
    debug_depth: int = Field(2, ge=0, description="repairs of a failure in a row, at most")

    def next_move(
        self, trials: Sequence[Trial], pending: Sequence[Proposal], rng: np.random.Generator
    ) -> Move | None:
        """Mend a fresh failure, else walk down from the root and expand where there is room."""
        broken = open_failure(trials, pending, self.debug_depth)
        if broken is not None:
            return Move("debug", (broken.index,))
        made: tuple[Trial | Proposal, ...] = (*trials, *pending)
        if sum(operator_of(trial) == "draft" for trial in made) < self.drafts:
            return Move("draft")
        node = self.select(grow(trials, pending))
        return Move("draft") if node == ROOT else Move("improve", (node,))

    def select(self, tree: "Tree") -> int:
        """The node to expand: the first on the way down that may have one more child."""
        node = ROOT
        while True:
            children = tree.children.get(node, [])
            room = max(1, int(self.widen * tree.visits[node] ** self.widen_power))
            if len(children) + tree.pending.get(node, 0) < room or not children:
                return node
            bounds = [self.uct(tree, node, child) for child in children]
            node = children[bounds.index(max(bounds))]

    def uct(self, tree: "Tree", parent: int, child: int) -> float:
        """Upper confidence bound of a child; ties go to the earlier trial."""
        visits = tree.visits.get(child, 0)
        if visits == 0:
            return inf
        bonus = sqrt(log(max(1, tree.visits[parent])) / visits)
        return tree.total[child] / visits + self.exploration * bonus


@dataclass(slots=True)
class Tree:
    """Children in the order of their trials; visits and summed rewards of whole subtrees."""

    children: dict[int, list[int]] = field(default_factory=dict)
    visits: dict[int, int] = field(default_factory=lambda: {ROOT: 0})
    total: dict[int, float] = field(default_factory=lambda: {ROOT: 0.0})
    pending: dict[int, int] = field(default_factory=dict)


def grow(trials: Sequence[Trial], pending: Sequence[Proposal]) -> Tree:
    """The search tree that these trials make up."""
    tree = Tree()
    reward = rank_rewards(trials)
    by_index = {trial.index: trial for trial in trials}
    parent_of: dict[int, int] = {}
    for trial in trials:
        parent = _nearest_node(trial, by_index)
        if trial.status == "ok":
            parent_of[trial.index] = parent
            tree.children.setdefault(parent, []).append(trial.index)
            _back_up(tree, trial.index, parent_of, reward[trial.index])
        else:
            _back_up(tree, parent, parent_of, 0.0)
    for proposal in pending:
        parent = _nearest_node(proposal, by_index)
        tree.pending[parent] = tree.pending.get(parent, 0) + 1
        _back_up(tree, parent, parent_of, 0.0)
    return tree


def rank_rewards(trials: Sequence[Trial]) -> dict[int, float]:
    """Index -> rank of the score in 0..1, the best 1; equal scores share their mean rank."""
    scores = {trial.index: trial.score or 0.0 for trial in trials if trial.status == "ok"}
    ordered = np.sort(np.array(list(scores.values())))
    if len(ordered) < 2:
        return dict.fromkeys(scores, 1.0)
    rewards = {}
    for index, score in scores.items():
        below = np.searchsorted(ordered, score, side="left")
        not_above = np.searchsorted(ordered, score, side="right")
        rewards[index] = float((below + not_above - 1) / 2 / (len(ordered) - 1))
    return rewards


def _nearest_node(made: Trial | Proposal, by_index: Mapping[int, Trial]) -> int:
    """The scored trial that this one descends from, past failures on the way; else the root."""
    parents = made.parents
    while parents and parents[0] in by_index:
        parent = by_index[parents[0]]
        if parent.status == "ok":
            return parent.index
        parents = parent.parents
    return ROOT


def _back_up(tree: Tree, node: int, parent_of: Mapping[int, int], reward: float) -> None:
    while True:
        tree.visits[node] = tree.visits.get(node, 0) + 1
        tree.total[node] = tree.total.get(node, 0.0) + reward
        if node == ROOT:
            return
        node = parent_of[node]
