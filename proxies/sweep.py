"""The difficulty sweep of MAD as one proxy: all settings of a task trained, then averaged.

Each of the 66 settings is a training of its own. A task's score is the mean over its settings, the
score the mean over tasks, as mad-lab averages them; so a task with many settings weighs no more.
Every setting trains for the same number of epochs over its own training set, as published: half the
examples are half the steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from nasarena.proxies.mad.tasks import MadTask
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training.checkpoints import Checkpoints
from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.proxy import Direction, Proxy, Split, TrialSeed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome


class SweepProxy(Proxy):
    """A trained proxy per setting, averaged; implements `nasarena.search.fidelity.FidelityProxy`.

    A fidelity is the same share of every setting's training.
    """

    has_fidelities = True

    def __init__(
        self, name: str, space: PatternSpace, tasks: Sequence[MadTask], settings: TrainedSettings
    ) -> None:
        self.name, self.space, self.settings = name, space, settings
        kept = Checkpoints()
        self.parts = [TrainedProxy(name, space, [task], settings, kept) for task in tasks]
        first = self.parts[0]
        self.metric, self.score_range = first.metric, first.score_range
        self.direction: Direction = first.direction
        names = tuple(dict.fromkeys(task.name for task in tasks))
        self.abilities = replace(first.abilities, task_names=names)
        versions = [part.version for part in self.parts]
        self.version = config_hash({"parts": versions, "code": code_hash(__name__)})

    def cost(self, pattern: str, fidelity: float = 1.0) -> Cost:
        """The sum over all settings."""
        return sum((part.cost(pattern, fidelity) for part in self.parts), Cost())

    def evaluate(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split = "search",
        fidelities: Sequence[float] | None = None,
    ) -> list[Outcome]:
        """Every setting for the whole population, one setting after the other."""
        by_part = [part.evaluate(patterns, seeds, split, fidelities) for part in self.parts]
        return [self._average(outcomes) for outcomes in zip(*by_part, strict=True)]

    def _average(self, outcomes: Sequence[Outcome]) -> Outcome:
        """One outcome of those of all settings; one that failed fails the whole."""
        cost = sum((outcome.cost for outcome in outcomes), Cost())
        measured_s = sum(outcome.measured_s for outcome in outcomes)
        for part, outcome in zip(self.parts, outcomes, strict=True):
            if outcome.status != "ok":
                (task,) = part.tasks
                variant = task.variant if isinstance(task, MadTask) else "baseline"
                note = f"{task.name} ({variant}): {outcome.note}"
                return Outcome("failed", None, cost, {}, measured_s, note)
        metrics = dict(self._metrics(outcomes))
        score = -metrics["loss"] if self.metric == "loss" else metrics[self.metric]
        return Outcome("ok", score, cost, metrics, measured_s)

    def _metrics(self, outcomes: Sequence[Outcome]) -> Iterator[tuple[str, float]]:
        by_task: dict[str, list[Mapping[str, float]]] = {}
        for part, outcome in zip(self.parts, outcomes, strict=True):
            by_task.setdefault(part.tasks[0].name, []).append(outcome.metrics)
        for metric in outcomes[0].metrics:
            means = {name: fmean(m[metric] for m in found) for name, found in by_task.items()}
            yield metric, fmean(means.values())
            yield from ((f"{name} {metric}", mean) for name, mean in means.items())
