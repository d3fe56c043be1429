"""The trained proxy: a pattern's score is what a small model of it reaches after a short training.

For a task of text the score is minus the mean loss on text that was not trained on, in nats; over
several tasks (MAD) it is the mean accuracy, with the losses beside it. The outcome depends on
(configuration, pattern, seed, split) and on the code of this folder alone.
"""

import hashlib
import json
import time
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace

import torch

from nasarena.proxies.data.task import Task
from nasarena.proxies.models.flops import SequenceShape, forward_flops
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.native.library import kernel_hash
from nasarena.proxies.training.calibration import Calibration, calibrate
from nasarena.proxies.training.checkpoints import Checkpoints
from nasarena.proxies.training.devices import (
    autocast,
    choose_device,
    choose_population,
    choose_precision,
    choose_step,
    device_suffix,
)
from nasarena.proxies.training.memory import MemoryModel
from nasarena.proxies.training.native_memory import NativeMemoryModel
from nasarena.proxies.training.population_sizing import PopulationSizer
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.proxies.training.train_step import WARM_UP
from nasarena.proxies.training.trainer import Scored, train_and_score
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import code_hash
from nasarena.search.proxy import Direction, Split, TrialSeed
from nasarena.search.seeding import stream_seed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome


@dataclass(frozen=True, slots=True)
class TrainedSettings:
    """Everything that a trained score depends on, besides pattern, seed and split.

    `score_by` is `loss` (score = -loss) or `accuracy`. `population` bounds how many models train
    in one program (0: what suits the device): it changes speed and memory, never a result.
    `device`, `precision` and `step` are as in devices.py, `auto` by default there.
    """

    model: ModelShape
    train: TrainSettings
    score_by: str = "loss"
    population: int = 0
    device: str = "cpu"
    precision: str = "auto"
    step: str = "auto"

    def __post_init__(self) -> None:
        if self.score_by not in ("loss", "accuracy"):
            raise InvalidSetting(f"proxy score_by must be loss or accuracy, got {self.score_by!r}")
        if self.population < 0:
            raise InvalidSetting(
                f"proxy population must be at least 1, or 0 for what suits the device, "
                f"got {self.population}"
            )


class TrainedProxy:
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
        for letter in space.alphabet:
            settings.model.layer(letter, space.depth)  # refuses a letter that has no layer
        self._device = choose_device(settings.device)
        self._precision = choose_precision(settings.precision, self._device)
        population = choose_population(settings.population, self._device)
        self._step = choose_step(settings.step, self._device, self._precision)
        settings = replace(
            settings, population=population, device=str(self._device), precision=self._precision,
            step=self._step,
        )  # fmt: skip
        self.name, self.space, self.tasks, self.settings = name, space, list(tasks), settings
        self.metric = settings.score_by
        self.direction: Direction = "min" if settings.score_by == "loss" else "max"
        self.score_range = (-float("inf"), 0.0) if self.metric == "loss" else (0.0, 1.0)
        self.version = self._describe_version()
        self._calibration: Calibration | None = None
        self._checkpoints = Checkpoints() if checkpoints is None else checkpoints
        in_memory = NativeMemoryModel if self._step == "native" else MemoryModel
        self.memory = [
            in_memory(
                settings.model,
                sequence_shape(task),
                self.training_of(task),
                self._device,
                self._precision,
            )
            for task in self.tasks
        ]
        self._fitting = PopulationSizer(self.memory, self._device, population)

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
        flops = tokens = 0
        for task in self.tasks:
            sequences = self.num_steps(task, fidelity) * self.settings.train.batch_size
            forward = forward_flops(pattern, self.settings.model, sequence_shape(task))
            flops += 3 * sequences * forward
            tokens += sequences * task.length
        return Cost(flops, tokens, self.calibration.seconds(pattern) * fidelity)

    def num_steps(self, task: Task, fidelity: float) -> int:
        """Optimizer steps of a training to `fidelity`: the nearest number, at least 1."""
        return max(1, round(fidelity * self.training_of(task).steps))

    def training_of(self, task: Task) -> TrainSettings:
        """As many epochs over the task's own training set as the settings have over theirs.

        Half the examples are half the steps, as published (mad-lab: 200 epochs whatever the task).
        Where every sequence is new (`num_train` 0) there are no epochs, and the steps stay.
        """
        train, own = self.settings.train, getattr(task, "num_train", 0)
        if not (train.num_train and own):
            return train
        return replace(
            train, num_train=own, steps=max(1, round(train.steps * own / train.num_train))
        )

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

            def train(part: list[int], fidelity: float = fidelity) -> list[Outcome]:
                chosen, own = [patterns[i] for i in part], [seeds[i] for i in part]
                return self._evaluate_population(chosen, own, split, fidelity)

            def fail(member: int, reason: str, fidelity: float = fidelity) -> Outcome:
                cost = self.cost(patterns[member], fidelity)
                return Outcome("failed", None, cost, note=reason)

            outcomes |= self._fitting.evaluate(patterns, members, train, fail)
        return [outcomes[i] for i in range(len(patterns))]

    def num_together(self, patterns: Sequence[str]) -> int:
        """How many of `patterns`, from the first on, train in one program now."""
        return self._fitting.size(patterns)

    def _together(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], fidelities: Sequence[float]
    ) -> list[tuple[float, list[int]]]:
        """Fidelity and indices of the patterns that are trained over the same steps."""
        groups: dict[tuple[float, tuple[int, ...]], list[int]] = {}
        for i, fidelity in enumerate(fidelities):
            starts = [
                self._checkpoints.step(
                    [self._key(task, patterns[i], seeds[i])], self.num_steps(task, fidelity)
                )
                for task in self.tasks
            ]
            groups.setdefault((fidelity, tuple(starts)), []).append(i)
        return [(fidelity, members) for (fidelity, _), members in groups.items()]

    def _key(self, task: Task, pattern: str, seed: TrialSeed) -> Hashable:
        """Of a training, among the checkpoints."""
        return self.version, task.name, pattern, seed

    def _evaluate_population(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split,
        fidelity: float = 1.0,
    ) -> list[Outcome]:
        start = time.perf_counter()
        by_task = [self._train(task, patterns, seeds, split, fidelity) for task in self.tasks]
        elapsed = time.perf_counter() - start
        costs = [self.cost(pattern, fidelity) for pattern in patterns]
        total = sum(cost.device_seconds for cost in costs)
        return [
            self._outcome([scored[member] for scored in by_task], cost, elapsed * share)
            for member, cost in enumerate(costs)
            for share in [cost.device_seconds / total]
        ]

    def _train(
        self,
        task: Task,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split,
        fidelity: float = 1.0,
    ) -> list[Scored]:
        generators = [
            torch.Generator().manual_seed(
                stream_seed(seed.run, "proxy init", task.name, pattern, seed.replicate)
            )
            for pattern, seed in zip(patterns, seeds, strict=True)
        ]
        population = Population(
            patterns,
            generators,
            self.settings.model,
            task.vocab_size,
            task.length,
            task.head,
            self._device,
        )
        run_seeds, train = [seed.run for seed in seeds], self.training_of(task)
        keys = [self._key(task, *trained) for trained in zip(patterns, seeds, strict=True)]
        part = self._checkpoints.part(keys, self.num_steps(task, fidelity), train.steps)
        with autocast(self._device, self._precision):
            scored = train_and_score(
                population, task, run_seeds, train, split, self._device, part, self._step
            )
        self._checkpoints.store(keys, part)
        return scored

    def _outcome(self, scored: list[Scored], cost: Cost, measured_s: float) -> Outcome:
        failures = [part.failure for part in scored if part.failure]
        if failures:
            return Outcome("failed", None, cost, {}, measured_s, failures[0])
        loss = sum(part.loss for part in scored) / len(scored)
        accuracy = sum(part.accuracy for part in scored) / len(scored)
        metrics = {"loss": loss, "accuracy": accuracy}
        if len(scored) > 1:
            for task, part in zip(self.tasks, scored, strict=True):
                metrics[f"{task.name} loss"] = part.loss
                metrics[f"{task.name} accuracy"] = part.accuracy
        score = -loss if self.metric == "loss" else accuracy
        return Outcome("ok", score, cost, metrics, measured_s)

    def _measure_seconds(self, pattern: str, num_steps: int) -> float:
        """Seconds of a whole training of one pattern, all tasks, at the pace of `num_steps` steps.

        What a CUDA graph takes before its first replay is taken off: a training pays it once.
        """
        before = WARM_UP + 1 if self._step == "graph" else 0
        whole_s = 0.0
        for task in self.tasks:
            elapsed_s = self._probe_seconds(task, pattern, before + num_steps)
            if before:
                elapsed_s = max(1e-9, elapsed_s - self._probe_seconds(task, pattern, before))
            whole_s += elapsed_s * self.training_of(task).steps / num_steps
        return whole_s

    def _probe_seconds(self, task: Task, pattern: str, num_steps: int) -> float:
        """What a training of so few steps takes; raises MemoryError where it does not fit."""
        probe = TrainedProxy.__new__(TrainedProxy)
        probe.tasks, probe._device, probe.version = self.tasks, self._device, self.version
        probe._precision, probe._step = self._precision, self._step
        probe._checkpoints = Checkpoints()
        train = TrainSettings(
            steps=num_steps, batch_size=self.settings.train.batch_size, num_eval=1
        )
        probe.settings = replace(self.settings, train=train, population=1)
        start = time.perf_counter()
        self._fitting.alone(
            pattern, lambda: probe._train(task, [pattern], [TrialSeed(0)], "search")
        )
        return time.perf_counter() - start


def sequence_shape(task: Task) -> SequenceShape:
    """What the cost model needs to know of a task."""
    return SequenceShape(task.vocab_size, task.length, task.head)
