"""Training models on one task: what a trained proxy does for each of its tasks.

The proxy trains populations with it, and the calibration times short trainings of it, so that what
is timed is what runs.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from nasarena.proxies.data.task import Task, TaskSplit
from nasarena.proxies.models.flops import SequenceShape, forward_flops
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.training.checkpoints import Part
from nasarena.proxies.training.devices import Precision, StepKind, autocast
from nasarena.proxies.training.tally import Scored
from nasarena.proxies.training.torch_state import known_torch_state
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.proxies.training.train_step import WARM_UP
from nasarena.proxies.training.trainer import train_and_score
from nasarena.search.proxy import TrialSeed
from nasarena.search.seeding import stream_seed
from nasarena.search.trial import Cost


@dataclass(frozen=True, slots=True)
class Training:
    """How models are trained and scored on `task`, on one device and with one kind of step."""

    task: Task
    model: ModelShape
    settings: TrainSettings
    device: torch.device
    precision: Precision
    step: StepKind
    by_class: bool = False  # whether accuracy averaged over classes is wanted

    @property
    def sequence(self) -> SequenceShape:
        """What the models read."""
        return SequenceShape(self.task.vocab_size, self.task.length, self.task.head)

    def num_steps(self, fidelity: float = 1.0) -> int:
        """Optimizer steps of a training to `fidelity`: the nearest number, at least 1."""
        return max(1, round(fidelity * self.settings.steps))

    def cost(self, pattern: str, fidelity: float = 1.0) -> Cost:
        """FLOPs and tokens of training one model to `fidelity`, counted; no seconds."""
        num_sequences = self.num_steps(fidelity) * self.settings.batch_size
        flops = 3 * num_sequences * forward_flops(pattern, self.model, self.sequence)
        return Cost(flops, num_sequences * self.task.length)

    def run(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: TaskSplit,
        part: Part | None = None,
    ) -> list[Scored]:
        """Train a model of each pattern, all in one population, and score each on `split`.

        With `part` only those steps are done, and its checkpoints are read and filled.
        """
        with known_torch_state():
            return self._run(patterns, seeds, split, part)

    def _run(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: TaskSplit,
        part: Part | None,
    ) -> list[Scored]:
        generators = [
            self._weight_stream(pattern, seed)
            for pattern, seed in zip(patterns, seeds, strict=True)
        ]
        population = Population(
            patterns,
            generators,
            self.model,
            self.task.vocab_size,
            self.task.length,
            self.task.head,
            self.device,
        )
        run_seeds = [seed.run for seed in seeds]
        with autocast(self.device, self.precision):
            return train_and_score(
                population, self.task, run_seeds, self.settings, split, self.device, part,
                self.step, self.by_class,
            )  # fmt: skip

    def seconds(self, pattern: str, num_steps: int) -> float:
        """Seconds of the whole training of one pattern, at the pace of `num_steps` steps.

        What a CUDA graph takes before its first replay is taken off: a training pays it once.
        """
        before = WARM_UP + 1 if self.step == "graph" else 0
        elapsed_s = self._short_seconds(pattern, before + num_steps)
        if before:
            elapsed_s = max(1e-9, elapsed_s - self._short_seconds(pattern, before))
        return elapsed_s * self.settings.steps / num_steps

    def _short_seconds(self, pattern: str, num_steps: int) -> float:
        settings = TrainSettings(steps=num_steps, batch_size=self.settings.batch_size, num_eval=1)
        short = replace(self, settings=settings)
        start = time.perf_counter()
        short.run([pattern], [TrialSeed(0)], "search")
        return time.perf_counter() - start

    def _weight_stream(self, pattern: str, seed: TrialSeed) -> torch.Generator:
        """Where the initial weights of one model come from."""
        own = stream_seed(seed.run, "proxy init", self.task.name, pattern, seed.replicate)
        return torch.Generator().manual_seed(own)


def settings_on(task: Task, train: TrainSettings) -> TrainSettings:
    """As many epochs over the task's own training set as `train` has over its own.

    Half the examples are half the steps, as published (mad-lab: 200 epochs whatever the task).
    Where every sequence is new (`num_train` 0) there are no epochs, and the steps stay.
    """
    own = task.num_train
    if not (train.num_train and own):
        return train
    steps = max(1, round(train.steps * own / train.num_train))
    return replace(train, num_train=own, steps=steps)
