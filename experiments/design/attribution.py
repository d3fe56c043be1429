"""What a winner owes to each of its parts: taken out of it, and put into the script alone.

Leave one out says what a part is worth beside the others, add one in what it is worth by itself;
where they differ, parts lean on one another. The parts of a list are its edits
(`edit_questions.py`), those of a program the hunks of its diff (`hunks.py`). Every candidate is
trained on the same seeds, on held-out data, with an account of its own: no run of the comparison
pays for it or sees it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nasarena.figures.stats.intervals import Interval, student_quantile
from nasarena.figures.stats.ratio import ratio_of_means
from nasarena.search.budget import Budget, Ledger
from nasarena.search.errors import BudgetSpent, InvalidSetting
from nasarena.search.seeding import stream_seed
from nasarena.search.trial import Cost, Outcome

Way = Literal["all of them", "left out", "added alone", "script against"]
LEVEL = 0.95
# One row of outcomes for each candidate, one outcome for each seed.
Score = Callable[[Sequence[str], Sequence[int]], list[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Question:
    """The effect of the part `edit` is the score of `better` less that of `worse`.

    `along` names the parts that had to come or go with it. With a `problem` there is nothing to
    train: it says why the part cannot be taken alone.
    """

    way: Way
    edit: str
    better: str
    worse: str
    along: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """All that is asked of a winner: `parts` names its parts and shows each as text.

    `best` is the best candidate known of the task, empty where none is.
    """

    winner: str
    script: str
    parts: Mapping[str, str]
    questions: Sequence[Question]
    best: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """Mean difference over the seeds, and limits that hold for all questions at once.

    `failure` is why a training failed, where too few are left to say more.
    """

    question: Question
    mean: float
    low: float
    high: float
    num_seeds: int
    failure: str = ""

    @property
    def verdict(self) -> str:
        """In a word, or why there is none."""
        if self.question.problem:
            return f"cannot be taken alone: {self.question.problem}"
        if self.failure:
            return f"fails: {self.failure}"
        if not self.low <= 0 <= self.high:
            return "useful" if self.mean > 0 else "harmful"
        return "not shown"


@dataclass(frozen=True, slots=True)
class Attribution:
    """The effects, what winner and script score on average, and what finding out has cost.

    `share` is the part of the known improvement that the winner has, with its limits; None where
    none is known.
    """

    winner: str
    effects: list[Effect]
    means: dict[str, float]
    num_trainings: int
    cost: Cost
    parts: Mapping[str, str] = field(default_factory=dict)
    share: Interval | None = None


def attribute(asked: Inquiry, score: Score, num_seeds: int, first_seed: int = 0) -> Attribution:
    """Train all candidates that the questions need, and answer them.

    Raises InvalidSetting for a winner without parts, and for fewer than 3 seeds.
    """
    if not asked.parts or num_seeds < 3:
        raise InvalidSetting(
            f"attribution needs a candidate with edits and at least 3 seeds, got "
            f"{asked.winner[:80]!r} and {num_seeds}"
        )
    seeds = [stream_seed(first_seed + k, "attribution") for k in range(num_seeds)]
    answerable = [one for one in asked.questions if not one.problem]
    needed = [asked.script, asked.winner, *(asked.best and [asked.best])]
    needed += [one for q in answerable for one in (q.better, q.worse)]
    lists = list(dict.fromkeys(needed))
    outcomes = dict(zip(lists, score(lists, seeds), strict=True))
    account = _charge(outcomes, len(lists) * num_seeds)
    effects = [_effect(question, outcomes, len(answerable)) for question in asked.questions]
    scores = {one: [outcome.score for outcome in row] for one, row in outcomes.items()}
    means = {_name(one, asked): _mean(scores[one]) for one in (asked.script, asked.winner)}
    return Attribution(
        asked.winner, effects, means, int(account.spent), account.cost, asked.parts,
        _share(asked, scores),
    )  # fmt: skip


def _share(asked: Inquiry, scores: Mapping[str, Sequence[float | None]]) -> Interval | None:
    """How much of the known improvement the winner has; seeds with a failure are left out."""
    if not asked.best:
        return None
    three = zip(*(scores[one] for one in (asked.winner, asked.script, asked.best)), strict=True)
    known = [(w - s, b - s) for w, s, b in three if None not in (w, s, b)]
    return ratio_of_means([reached for reached, _ in known], [most for _, most in known])


def _name(candidate: str, asked: Inquiry) -> str:
    """What a candidate is called where a whole program would be in the way."""
    if "\n" not in candidate:
        return candidate
    return "winner" if candidate == asked.winner else "script"


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
    question: Question, outcomes: Mapping[str, Sequence[Outcome]], num_questions: int
) -> Effect:
    """Student's interval of paired differences, at a level that is shared among the questions.

    Seeds on which either training failed are left out; nothing is known of fewer than 3.
    """
    unknown = (float("nan"), -float("inf"), float("inf"))
    if question.problem:
        return Effect(question, *unknown, 0)
    pairs = list(zip(outcomes[question.better], outcomes[question.worse], strict=True))
    known = [a.score - b.score for a, b in pairs if a.score is not None and b.score is not None]
    count = len(known)
    if count < 3:
        notes = [
            one.note or "no cause given" for pair in pairs for one in pair if one.score is None
        ]
        return Effect(question, *unknown, count, "" if count else notes[0])
    values = np.array(known)
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / count**0.5
    factor = student_quantile(count - 1, 1 - (1 - LEVEL) / num_questions)
    return Effect(question, mean, mean - factor * error, mean + factor * error, count)


def _mean(scores: Sequence[float | None]) -> float:
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if known else float("nan")
