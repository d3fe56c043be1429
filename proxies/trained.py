"""The trained proxy: a pattern's score is what a small model of it reaches after a short training.

For a task of text the score is minus the mean loss on text that was not trained on, in nats; over
several tasks (MAD) it is the mean accuracy, with the losses beside it. The outcome depends on
(configuration, pattern, seed, split) and on the code of this folder alone.
"""

import hashlib
import json
import time
from collections.abc import Hashable, Sequence
from dataclasses import asdict, replace
from functools import partial
from statistics import fmean

import torch

from nasarena.proxies.data.task import Task
from nasarena.proxies.native.library import kernel_hash
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.proxies.training.calibration import Calibration, calibrate
from nasarena.proxies.training.checkpoints import Checkpoints
from nasarena.proxies.training.devices import (
    choose_device,
    choose_population,
    choose_precision,
    choose_step,
    device_suffix,
)
from nasarena.proxies.training.memory import MemoryModel
from nasarena.proxies.training.native_memory import NativeMemoryModel
from nasarena.proxies.training.population_sizing import PopulationSizer
from nasarena.proxies.training.tally import Scored
from nasarena.proxies.training.training import Training, settings_on
from nasarena.search.hashes import code_hash
from nasarena.search.proxy import Abilities, Direction, Proxy, Split, TrialSeed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome


class TrainedProxy(Proxy):
    """Scores patterns by training them; implements `nasarena.search.fidelity.FidelityProxy`.

    A partial training is the beginning of the full one: its learning rate has not decayed when the
    model is scored. Several proxies may share `checkpoints`, and the bound on their memory.
    """

    has_fidelities = True

    def __init__(
        self,
        name: str,
        space: PatternSpace,
        tasks: Sequence[Task],
        settings: TrainedSettings,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self._device = choose_device(settings.device)
        self._precision = choose_precision(settings.precision, self._device)
        population = choose_population(settings.population, self._device)
        self._step = choose_step(settings.step, self._device, self._precision, space.alphabet)
        settings = replace(
            settings, population=population, device=str(self._device), precision=self._precision,
            step=self._step,
        )  # fmt: skip
        self.name, self.space, self.tasks, self.settings = name, space, list(tasks), settings
        self.metric = settings.score_by
        self.direction: Direction = "min" if settings.score_by == "loss" else "max"
        self.score_range = (-float("inf"), 0.0) if self.metric == "loss" else (0.0, 1.0)
        self.version = self._describe_version()
        self.abilities = Abilities(
            trains=True,
            population=population,
            uses_gpu=self._device.type == "cuda",
            task_names=tuple(task.name for task in self.tasks),
        )
        self._calibration: Calibration | None = None
        self._checkpoints = Checkpoints() if checkpoints is None else checkpoints
        where = self._device, self._precision
        how = *where, self._step, self.metric != "loss"
        self.task_trainings = [
            Training(task, settings.model, settings_on(task, settings.train), *how)
            for task in tasks
        ]
        memory = NativeMemoryModel if self._step == "native" else MemoryModel
        self.memory = [
            memory(each.model, each.sequence, each.settings, *where) for each in self.task_trainings
        ]
        self._sizer = PopulationSizer(self.memory, self._device, population)

    def _describe_version(self) -> str:
        """Hash of all that an outcome depends on: settings, space, data, and the code of all.

        How many train together is not among it. The native step rounds in another order than torch.
        """
        is_native = self._step == "native"
        described = asdict(self.settings) | {"device": self._device.type, "native": is_native}
        del described["population"], described["step"]
        parts = [
            json.dumps([asdict(self.space), described], sort_keys=True),
            torch.__version__,
            *[task.fingerprint for task in self.tasks],
            code_hash(type(self).__module__, *(type(task).__module__ for task in self.tasks)),
            kernel_hash(),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def cost(self, pattern: str, fidelity: float = 1.0) -> Cost:
        """Training FLOPs and tokens counted, device seconds from the calibrated model."""
        counted = sum(
            (training.cost(pattern, fidelity) for training in self.task_trainings), Cost()
        )
        return replace(counted, device_seconds=self.calibration.seconds(pattern) * fidelity)

    @property
    def calibration(self) -> Calibration:
        """Seconds per layer kind on this device: measured once, then read from the cache."""
        if self._calibration is None:
            name = f"{self.version}{device_suffix(self._device)}-{self._step}"
            self._calibration = calibrate(self._measure_seconds, self.space, name)
        return self._calibration

    def evaluate(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split = "search",
        fidelities: Sequence[float] | None = None,
    ) -> list[Outcome]:
        """Train `patterns` in populations as large as memory and `settings.population` allow.

        Models of one population begin and end at the same step: those that were trained partially
        before go on from their checkpoints. Raises ProxyFailed where the device is gone.
        """
        shares = [1.0] * len(patterns) if fidelities is None else fidelities
        outcomes: dict[int, Outcome] = {}
        for fidelity, members in self._together(patterns, seeds, shares):
            train = partial(self._train_members, patterns, seeds, split, fidelity)
            fail = partial(self._fail, patterns, fidelity)
            outcomes |= self._sizer.evaluate(patterns, members, train, fail)
        return [outcomes[i] for i in range(len(patterns))]

    def num_together(self, patterns: Sequence[str]) -> int:
        """How many of `patterns`, from the first on, train in one program now."""
        return self._sizer.size(patterns)

    def _together(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], fidelities: Sequence[float]
    ) -> list[tuple[float, list[int]]]:
        """Fidelity and indices of the patterns that are trained over the same steps."""
        groups: dict[tuple[float, tuple[int, ...]], list[int]] = {}
        for i, fidelity in enumerate(fidelities):
            starts = [
                self._checkpoints.step(
                    [self._key(each, patterns[i], seeds[i])], each.num_steps(fidelity)
                )
                for each in self.task_trainings
            ]
            groups.setdefault((fidelity, tuple(starts)), []).append(i)
        return [(fidelity, members) for (fidelity, _), members in groups.items()]

    def _key(self, training: Training, pattern: str, seed: TrialSeed) -> Hashable:
        """Of the training of one model, among the checkpoints."""
        return self.version, training.task.name, pattern, seed

    def _train_members(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split,
        fidelity: float,
        members: Sequence[int],
    ) -> list[Outcome]:
        """Outcomes of those of `patterns` whose indices are `members`, trained as one population.

        What it took is shared out as the calibration prices them.
        """
        chosen, own = [patterns[i] for i in members], [seeds[i] for i in members]
        start = time.perf_counter()
        by_task = [self._train(each, chosen, own, split, fidelity) for each in self.task_trainings]
        elapsed_s = time.perf_counter() - start
        costs = [self.cost(pattern, fidelity) for pattern in chosen]
        pace = elapsed_s / sum(cost.device_seconds for cost in costs)
        scored_by_member = zip(*by_task, strict=True)
        return [
            self._outcome(scored, cost, pace * cost.device_seconds)
            for scored, cost in zip(scored_by_member, costs, strict=True)
        ]

    def _fail(self, patterns: Sequence[str], fidelity: float, member: int, note: str) -> Outcome:
        return Outcome("failed", None, self.cost(patterns[member], fidelity), note=note)

    def _train(
        self,
        training: Training,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split,
        fidelity: float,
    ) -> list[Scored]:
        """One population on one task, from its checkpoints on where there are any."""
        keys = [self._key(training, *model) for model in zip(patterns, seeds, strict=True)]
        part = self._checkpoints.part(keys, training.num_steps(fidelity), training.num_steps())
        scored = training.run(patterns, seeds, split, part)
        self._checkpoints.store(keys, part)
        return scored

    def _outcome(self, scored: Sequence[Scored], cost: Cost, measured_s: float) -> Outcome:
        failures = [part.failure for part in scored if part.failure]
        if failures:
            return Outcome("failed", None, cost, {}, measured_s, failures[0])
        by_task = [part.metrics for part in scored]
        metrics = {name: fmean(own[name] for own in by_task) for name in by_task[0]}
        if len(scored) > 1:
            for task, own in zip(self.tasks, by_task, strict=True):
                metrics |= {f"{task.name} {name}": value for name, value in own.items()}
        score = -metrics["loss"] if self.metric == "loss" else metrics[self.metric]
        return Outcome("ok", score, cost, metrics, measured_s)

    def _measure_seconds(self, pattern: str, num_steps: int) -> float:
        """Seconds of a whole training, all tasks, by short ones; MemoryError where none fits."""
        return sum(
            self._sizer.alone(pattern, partial(training.seconds, pattern, num_steps))
            for training in self.task_trainings
        )
