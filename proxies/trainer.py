"""Training of a population: every model as if it were alone, all of them in one program.

Per-model gradient clipping, learning-rate schedule and early divergence: a model whose loss is not
a number or explodes is masked out and reported, the others do not notice. AdamW (Loshchilov &
Hutter 2019) works on the one flat vector of all weights.

Shapes: P models, B sequences, T positions, S steps.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, log, pi
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.checkpoints import Part
from nasarena.proxies.population import Population
from nasarena.proxies.task import IGNORE, Batch, Task, TaskSplit
from nasarena.search.errors import InvalidSetting

_ADAM_EPS = 1e-8


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a model is trained and scored; the same for every pattern.

    steps             optimizer steps
    batch_size        sequences a step
    num_train         distinct training sequences, repeated in epochs of new order; 0: all new
    num_eval          sequences of the split that the score is measured on
    learning_rate     peak, reached after `warmup_steps`, then `schedule` down to `final_fraction`
    weight_decay      on matrices only
    clip              largest norm of one model's gradient
    """

    steps: int = 100
    batch_size: int = 8
    num_train: int = 0
    num_eval: int = 64
    learning_rate: float = 6e-3
    warmup_steps: int = 10
    schedule: Literal["linear", "cosine"] = "linear"
    final_fraction: float = 0.0
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "num_eval", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise InvalidSetting(f"proxy {name} must be positive, got {getattr(self, name)}")
        if self.num_train and self.num_train < self.batch_size:
            raise InvalidSetting(
                f"proxy num_train must be 0 or at least batch_size {self.batch_size}, "
                f"got {self.num_train}"
            )

    def rate(self, step: int) -> float:
        """Learning rate of one step, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        left = 1 - progress if self.schedule == "linear" else (1 + cos(pi * progress)) / 2
        return self.learning_rate * (self.final_fraction + (1 - self.final_fraction) * left)


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of one model: mean loss in nats and accuracy per counted target, or a reason."""

    loss: float
    accuracy: float
    failure: str = ""


def train_and_score(
    population: Population,
    task: Task,
    run_seeds: Sequence[int],
    settings: TrainSettings,
    split: TaskSplit,
    device: torch.device,
    part: Part | None = None,
) -> list[Scored]:
    """Train all models of a population on `task`, then score each on `split`.

    `run_seeds` names the data stream of each model. With `part`, only those steps of the training
    are done, at the learning rates that the whole training has there.
    """
    part = part or Part(0, settings.steps)
    deterministic()
    batches = _Batches(task, run_seeds, settings, device)
    optimizer = _FlatAdamW(population, settings)
    part.restore(population.owner, optimizer.state(part.start))
    limit = 4 * log(task.vocab_size)  # a uniform guess has log(vocab_size)
    failures = [""] * population.size
    alive_P = torch.ones(population.size, dtype=torch.bool, device=device)
    for step in _steps(part):
        inputs_PBT, targets_PBT = batches.at(step)
        loss_P = _losses(population.logits(inputs_PBT), targets_PBT)
        healthy_P = loss_P.detach() <= limit  # false for nan too
        if not bool((healthy_P | ~alive_P).all()):
            for member in torch.nonzero(alive_P & ~healthy_P).flatten().tolist():
                value = float(loss_P[member].detach())
                failures[member] = f"diverged: training loss {value:.4g} at step {step + 1}"
            alive_P &= healthy_P
            if not bool(alive_P.any()):
                break
        gradients = torch.autograd.grad(loss_P.sum(), population.leaves)
        optimizer.step(gradients, settings.rate(step), alive_P)
    part.keep(population.owner, optimizer.state(part.stop), failures)
    return _score(population, task, run_seeds, settings, split, device, failures)


def _steps(part: Part) -> Iterator[int]:
    """Steps of the training, each without Python's search for objects that refer to each other.

    A step leaves none, but makes so many tensors that the search takes a tenth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield from range(part.start, part.stop)
    finally:
        if was_enabled:
            gc.enable()


def deterministic() -> None:
    """Make torch choose deterministic kernels: the same seed, the same score to the last bit."""
    if not torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(True)
        # Filling fresh memory is a safety net of that mode, and slow.
        setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010


def _losses(logits_PBTV: Tensor, targets_PBT: Tensor) -> Tensor:
    """Mean loss of each model over its counted targets, in nats, shape `(P,)`."""
    P = len(targets_PBT)
    each = F.cross_entropy(
        logits_PBTV.view(-1, logits_PBTV.shape[-1]),
        targets_PBT.reshape(-1),
        ignore_index=IGNORE,
        reduction="none",
    )
    counted = (targets_PBT.view(P, -1) != IGNORE).sum(1).clamp(min=1)
    return each.view(P, -1).sum(1) / counted


class _FlatAdamW:
    """AdamW on the flat weights, each model's gradient clipped by its own norm."""

    def __init__(self, population: Population, settings: TrainSettings) -> None:
        self._population, self._settings = population, settings
        weights = population.padded
        self._first, self._second = torch.zeros_like(weights), torch.zeros_like(weights)
        self._gradient = torch.zeros_like(weights)
        leaves = population.leaves
        sizes = [leaf.numel() for leaf in leaves]
        flat = self._gradient[: sum(sizes)]
        self._parts = [
            part.view_as(leaf) for part, leaf in zip(torch.split(flat, sizes), leaves, strict=True)
        ]
        self._rows = torch.cat(population.members)  # the models of all leaves' rows
        self._norms = weights.new_zeros(len(self._rows))
        self._norms_of = torch.split(self._norms, [len(leaf) for leaf in leaves])
        self._shrink = settings.weight_decay * population.decays
        self._count = weights.new_zeros(())

    def state(self, num_steps: int) -> list[Tensor]:
        """Weights and moments after `num_steps`, each as long as `population.owner`, to be read
        or written."""
        self._count.fill_(num_steps)
        size = len(self._population.flat)
        return [self._population.flat, self._first[:size], self._second[:size]]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], rate: float, alive_P: Tensor) -> None:
        """One update; models that are not alive keep their weights."""
        settings, population = self._settings, self._population
        self._clip(gradients, alive_P)
        if settings.weight_decay:
            population.flat.mul_(1 - rate * self._shrink)
        self._count += 1
        torch._fused_adamw_(
            [population.padded], [self._gradient], [self._first], [self._second], [], [self._count],
            lr=rate, beta1=settings.beta1, beta2=settings.beta2, weight_decay=0.0,
            eps=_ADAM_EPS, amsgrad=False, maximize=False,
        )  # fmt: skip

    def _clip(self, gradients: Sequence[Tensor], alive_P: Tensor) -> None:
        """Fill `_gradient`, each model's part scaled by its own norm, of dead ones with zeros."""
        for part, norms in zip(gradients, self._norms_of, strict=True):
            torch.linalg.vector_norm(part.flatten(1), dim=1, out=norms)
        squares_P = torch.zeros(len(alive_P), device=alive_P.device)
        squares_P.index_add_(0, self._rows, self._norms.square())
        scale_P = (self._settings.clip / (squares_P.sqrt() + 1e-6)).clamp(max=1.0)
        scales = torch.split(scale_P.index_select(0, self._rows), [len(part) for part in gradients])
        for part, scale, own in zip(gradients, scales, self._parts, strict=True):
            torch.mul(part, scale.view(-1, *[1] * (part.dim() - 1)), out=own)
        if not bool(alive_P.all()):  # nan times zero is nan
            own_flat = self._gradient[: len(self._population.flat)]
            own_flat.masked_fill_(~alive_P[self._population.owner], 0.0)


class _Batches:
    """Each model's training sequences on the device, dealt out step by step."""

    def __init__(
        self,
        task: Task,
        run_seeds: Sequence[int],
        settings: TrainSettings,
        device: torch.device,
    ) -> None:
        num_needed = settings.steps * settings.batch_size
        self._order = _order(settings.num_train, num_needed)
        size = settings.num_train or num_needed
        self._inputs_PNT, self._targets_PNT = _stacked(task, run_seeds, "train", size, device)
        self._batch_size = settings.batch_size

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of one step, both `(P, B, T)`."""
        start = step * self._batch_size
        chosen = self._order[start : start + self._batch_size].to(self._inputs_PNT.device)
        return self._inputs_PNT[:, chosen], self._targets_PNT[:, chosen]


def _order(num_train: int, num_needed: int) -> Tensor:
    """Indices of training sequences: a permutation for each epoch, fixed once and for all."""
    if not num_train:
        return torch.arange(num_needed)
    generator = torch.Generator().manual_seed(0)
    epochs = -(-num_needed // num_train)
    return torch.cat([torch.randperm(num_train, generator=generator) for _ in range(epochs)])


def _stacked(
    task: Task, run_seeds: Sequence[int], split: TaskSplit, size: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Samples of each model's stream, `(P, size, T)`; equal seeds are drawn once."""
    drawn: dict[int, Batch] = {}
    for seed in run_seeds:
        if seed not in drawn:
            drawn[seed] = task.sample(seed, split, size)
    inputs = torch.stack([torch.from_numpy(drawn[seed].inputs) for seed in run_seeds])
    targets = torch.stack([torch.from_numpy(drawn[seed].targets) for seed in run_seeds])
    return inputs.to(device), targets.to(device)


@torch.no_grad()
def _score(
    population: Population,
    task: Task,
    run_seeds: Sequence[int],
    settings: TrainSettings,
    split: TaskSplit,
    device: torch.device,
    failures: list[str],
) -> list[Scored]:
    inputs, targets = _stacked(task, run_seeds, split, settings.num_eval, device)
    loss_P, hits_P, counted_P = (torch.zeros(population.size, device=device) for _ in range(3))
    batch_size = 4 * settings.batch_size
    for start in range(0, settings.num_eval, batch_size):
        part, wanted = inputs[:, start : start + batch_size], targets[:, start : start + batch_size]
        logits = population.logits(part)
        counted = (wanted != IGNORE).flatten(1).sum(1)
        loss_P += _losses(logits, wanted) * counted
        hits_P += (logits.argmax(-1) == wanted).flatten(1).sum(1)
        counted_P += counted
    losses, accuracies = (loss_P / counted_P).tolist(), (hits_P / counted_P).tolist()
    return [
        Scored(loss, accuracy, failure or ("" if loss == loss else "diverged: loss is nan"))
        for loss, accuracy, failure in zip(losses, accuracies, failures, strict=True)
    ]
