"""What a list of edits owes to each of them: taken out of the list, and put into the script alone.

Leave one out says what an edit is worth beside the others, add one in what it is worth by itself;
where they differ, edits lean on one another. An edit that others require is taken out with them,
and put in with those that it requires. Every list is trained on the same seeds, on held-out data,
with an account of its own: no run of the comparison pays for it or sees it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from nasarena.search.budget import Budget, Ledger
from nasarena.search.candidates.edit_space import DEFAULT, EditSpace
from nasarena.search.errors import BudgetSpent, InvalidSetting
from nasarena.search.seeding import stream_seed
from nasarena.search.trial import Cost, Outcome

Way = Literal["all of them", "left out", "added alone", "script against"]
LEVEL = 0.95
# One row of outcomes for each candidate, one outcome for each seed.
Score = Callable[[Sequence[str], Sequence[int]], list[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Question:
    """The effect of `edit` is the score of `better` less that of `worse`.

    `along` names the edits that had to come or go with it.
    """

    way: Way
    edit: str
    better: str
    worse: str
    along: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """Mean difference over the seeds, and limits that hold for all questions at once."""

    question: Question
    mean: float
    low: float
    high: float
    num_seeds: int

    @property
    def verdict(self) -> str:
        """In a word."""
        if not self.low <= 0 <= self.high:
            return "useful" if self.mean > 0 else "harmful"
        return "not shown"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The effects, what winner and script score on average, and what finding out has cost."""

    winner: str
    effects: list[Effect]
    means: dict[str, float]
    num_trainings: int
    cost: Cost


def questions(space: EditSpace, winner: str) -> list[Question]:
    """The winner against the script, two for each edit, and the script against what is known."""
    given = space.given(winner)
    return [
        Question("all of them", "", winner, DEFAULT),
        *(_leave_out(space, given, name) for name in given),
        *(_add_alone(space, given, name) for name in given),
        *(
            Question("script against", name, DEFAULT, one)
            for name, one in space.known_candidates().items()
            if one not in (DEFAULT, winner)
        ),
    ]


def attribute(
    space: EditSpace, winner: str, score: Score, num_seeds: int, first_seed: int = 0
) -> Attribution:
    """Train all lists that the questions need, and answer them.

    Raises InvalidSetting for a winner without edits, and for fewer than 3 seeds.
    """
    asked = questions(space, space.validate(winner))
    if not space.given(winner) or num_seeds < 3:
        raise InvalidSetting(
            f"attribution needs a candidate with edits and at least 3 seeds, got {winner!r} "
            f"and {num_seeds}"
        )
    seeds = [stream_seed(first_seed + k, "attribution") for k in range(num_seeds)]
    lists = list(
        dict.fromkeys([DEFAULT, winner, *(one for q in asked for one in (q.better, q.worse))])
    )
    outcomes = dict(zip(lists, score(lists, seeds), strict=True))
    account = _charge(outcomes, len(lists) * num_seeds)
    scores = {one: [outcome.score for outcome in row] for one, row in outcomes.items()}
    effects = [_effect(question, scores, len(asked)) for question in asked]
    means = {one: _mean(scores[one]) for one in (DEFAULT, winner)}
    return Attribution(winner, effects, means, int(account.spent), account.cost)


def _leave_out(space: EditSpace, given: dict[str, str], name: str) -> Question:
    rest = space.repair({one: value for one, value in given.items() if one != name})
    gone = [one for one in given if one not in space.given(rest) and one != name]
    return Question("left out", name, space.repair(given), rest, tuple(gone))


def _add_alone(space: EditSpace, given: dict[str, str], name: str) -> Question:
    wanted, pending = dict[str, str](), [name]
    while pending:
        edit = space.edit(pending.pop())
        wanted[edit.name] = given[edit.name]
        pending += [
            other
            for other, allowed in edit.requires
            if other not in wanted and space.edit(other).default not in allowed
        ]
    alone = space.repair(wanted)
    return Question("added alone", name, alone, DEFAULT, tuple(sorted(set(wanted) - {name})))


def _charge(outcomes: dict[str, list[Outcome]], amount: int) -> Ledger:
    """The account: all trainings, failed ones too."""
    account = Ledger(Budget("trials", amount))
    for outcome in (one for row in outcomes.values() for one in row):
        try:
            account.settle(account.reserve(outcome.cost), outcome.cost)
        except BudgetSpent as error:
            raise AssertionError("as many were asked for") from error
    return account


def _effect(
    question: Question, scores: dict[str, list[float | None]], num_questions: int
) -> Effect:
    """Student's interval of paired differences, at a level that is shared among the questions.

    Seeds on which either training failed are left out; nothing is known of fewer than 3.
    """
    pairs = zip(scores[question.better], scores[question.worse], strict=True)
    values = np.array([a - b for a, b in pairs if a is not None and b is not None])
    count = len(values)
    if count < 3:
        return Effect(question, float("nan"), -float("inf"), float("inf"), count)
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / count**0.5
    factor = float(stats.t.ppf(1 - (1 - LEVEL) / 2 / num_questions, count - 1))
    return Effect(question, mean, mean - factor * error, mean + factor * error, count)


def _mean(scores: Sequence[float | None]) -> float:
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else float("nan")
