"""What a trained model can do: accuracy on multiple-choice tasks, and bits a byte of right answers.

The answer of highest log-probability is the model's; normalized accuracy divides by the letters of
the answer first, the blank before it aside, as `lm-eval` does. At small sizes accuracy is chance.
So each is held against it, by an exact binomial test with Bonferroni's correction, and against two
rules that do not read the question: the shortest and the longest answer. Bits a byte of the right
answer fall long before accuracy rises (Ai2, arXiv 2508.13144).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import log
from typing import Any, Literal

import numpy as np
from rich.table import Table
from scipy.stats import binomtest

from nasarena.experiments.scaling.likelihood import Likelihood
from nasarena.experiments.scaling.task_requests import Question, find_requests, read_questions
from nasarena.experiments.settings.saved_model_settings import DownstreamConfig
from nasarena.figures.stats.intervals import Interval

Verdict = Literal["not above chance", "above chance, not above length", "above chance"]
_LEVEL = 0.05
# All answers of a question are one continuation of different contexts: nothing to normalize.
_ONE_CONTINUATION = ("winogrande",)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A share of right answers with its 95 % Wilson interval.

    `p_value`: of the exact one-sided test against chance; `length` is the better of the shares that
    the shortest and the longest answer reach, `p_length` of the test against it.
    """

    share: Interval
    p_value: float
    length: float
    p_length: float

    def verdict(self, num_tests: int) -> Verdict:
        """What is shown after Bonferroni's correction for so many accuracies."""
        level = _LEVEL / num_tests
        if self.p_value >= level:
            return "not above chance"
        return "above chance" if self.p_length < level else "above chance, not above length"


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task; `chance` is the mean of one over the number of answers."""

    task: str
    num_questions: int
    chance: float
    accuracy: Accuracy
    normalized: Accuracy | None
    bits_per_byte: float


def read_tasks(config: DownstreamConfig) -> dict[str, list[Question]]:
    """The questions by task. Raises InvalidSetting for tasks and files that are not there."""
    if not config.tasks:
        return {}
    folder = find_requests(config.requests)
    return {
        task: read_questions(folder, task, config.shots, config.questions) for task in config.tasks
    }


def judge_tasks(
    questions: Mapping[str, Sequence[Question]], likelihoods: Sequence[Likelihood]
) -> list[TaskResult]:
    """A result for each task, from the likelihoods of all answers in their order."""
    results, start = [], 0
    for task, own in questions.items():
        end = start + sum(len(question.answers) for question in own)
        results.append(judge_task(task, own, likelihoods[start:end]))
        start = end
    return results


def judge_task(
    task: str, questions: Sequence[Question], likelihoods: Sequence[Likelihood]
) -> TaskResult:
    """The result of a task from the likelihoods of all its answers, in their order."""
    raw, normalized, bits, sizes, at = [], [], [], [], 0
    for question in questions:
        own = likelihoods[at : at + len(question.answers)]
        at += len(own)
        scores = np.array([each.log_probability for each in own])
        letters = np.array([_num_letters(each.continuation) for each in question.answers])
        # Of equal answers the first counts, as everywhere in the field.
        raw.append(scores.argmax() == question.label)
        normalized.append((scores / letters).argmax() == question.label)
        right = question.answers[question.label].continuation
        bits.append(-scores[question.label] / log(2) / len(right.encode()))
        sizes.append(letters)
    labels = [question.label for question in questions]
    chance = float(np.mean([1 / len(each) for each in sizes]))
    length = max(_share_of_extremes(sizes, labels, sign) for sign in (1, -1))
    return TaskResult(
        task,
        len(questions),
        chance,
        _judge(raw, chance, length),
        None if task in _ONE_CONTINUATION else _judge(normalized, chance, length),
        float(np.mean(bits)),
    )


def _num_letters(continuation: str) -> int:
    return max(1, len(continuation.removeprefix(" ")))


def _share_of_extremes(
    sizes: Sequence[np.ndarray[Any, Any]], labels: Sequence[int], sign: int
) -> float:
    """How often the shortest answer is right (`sign` 1) or the longest (-1); equals share it."""
    extremes = [sign * each == (sign * each).min() for each in sizes]
    return float(
        np.mean([each[label] / each.sum() for each, label in zip(extremes, labels, strict=True)])
    )


def _judge(is_right: Sequence[bool], chance: float, length: float) -> Accuracy:
    count, total = int(np.sum(is_right)), len(is_right)
    against_chance = binomtest(count, total, chance, alternative="greater")
    against_length = binomtest(count, total, length, alternative="greater")
    limits = binomtest(count, total, chance).proportion_ci(0.95, "wilson")
    share = Interval(count / total, float(limits.low), float(limits.high))
    return Accuracy(share, float(against_chance.pvalue), length, float(against_length.pvalue))


def num_tests(results: Sequence[TaskResult]) -> int:
    """Accuracies that are held against chance."""
    return sum(1 + (result.normalized is not None) for result in results)


def conclusion(results: Sequence[TaskResult]) -> str:
    """What accuracy shows, in a sentence."""
    tests = num_tests(results)
    shown = [
        result.task
        for result in results
        if any(
            each is not None and each.verdict(tests) == "above chance"
            for each in (result.accuracy, result.normalized)
        )
    ]
    if not results:
        return "No task was asked for."
    if shown:
        return f"Accuracy is above chance and above choosing by length on {', '.join(shown)}."
    return (
        "On no task is accuracy distinguishable from chance or from choosing by length: compare "
        "models of this size by bits a byte."
    )


def held_out_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """For the terminal: losses on text."""
    table = Table("text", "nats a token", "bits a byte")
    for row in rows:
        bits = row["bits_per_byte"]
        table.add_row(row["text"], f"{row['loss']:.4f}", "" if bits is None else f"{bits:.4f}")
    return table


def results_table(results: Sequence[TaskResult]) -> Table:
    """For the terminal: a row for each task."""
    table = Table(
        "task", "questions", "chance", "by length", "accuracy", "normalized", "bits a byte",
        "shown",
    )  # fmt: skip
    tests = num_tests(results)
    for result in results:
        better = result.accuracy
        if result.normalized is not None and result.normalized.p_value < better.p_value:
            better = result.normalized
        table.add_row(
            result.task,
            str(result.num_questions),
            f"{result.chance:.3f}",
            f"{result.accuracy.length:.3f}",
            _in_words(result.accuracy),
            "" if result.normalized is None else _in_words(result.normalized),
            f"{result.bits_per_byte:.3f}",
            better.verdict(tests),
        )
    return table


def _in_words(accuracy: Accuracy) -> str:
    share = accuracy.share
    return f"{share.estimate:.3f} ({share.low:.3f} to {share.high:.3f})"


def as_json(results: Sequence[TaskResult]) -> list[dict[str, Any]]:
    """Plain values, with the verdict of each accuracy."""
    tests, rows = num_tests(results), []
    for result in results:
        row = asdict(result)
        for name in ("accuracy", "normalized"):
            accuracy: Accuracy | None = getattr(result, name)
            if accuracy is not None:
                row[name]["verdict"] = accuracy.verdict(tests)
        rows.append(row)
    return rows
