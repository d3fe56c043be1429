"""The sequences that each model of a population trains on and is scored on.

Shapes: P models, N sequences, B of them in a batch, T positions.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nasarena.proxies.data.task import Batch, Task, TaskSplit


class TrainBatches:
    """Each model's training sequences on the device, dealt out step by step.

    `num_train` distinct sequences are repeated in epochs of a new order; 0: all are new.
    """

    def __init__(
        self,
        task: Task,
        run_seeds: Sequence[int],
        num_steps: int,
        batch_size: int,
        num_train: int,
        device: torch.device,
    ) -> None:
        num_needed = num_steps * batch_size
        self._order = _order(num_train, num_needed).to(device)
        self._batch_size = batch_size
        self._inputs_PNT, self._targets_PNT = _stack_samples(
            task, run_seeds, "train", num_train or num_needed, device
        )

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of one step, both `(P, B, T)`."""
        start = step * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        return self._inputs_PNT[:, chosen], self._targets_PNT[:, chosen]


def eval_batches(
    task: Task,
    run_seeds: Sequence[int],
    split: TaskSplit,
    num_eval: int,
    batch_size: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets `(P, B, T)` of all that the models are scored on."""
    inputs, targets = _stack_samples(task, run_seeds, split, num_eval, device)
    for start in range(0, num_eval, batch_size):
        yield inputs[:, start : start + batch_size], targets[:, start : start + batch_size]


def _order(num_train: int, num_needed: int) -> Tensor:
    """Indices of training sequences: a permutation for each epoch, fixed once and for all."""
    if not num_train:
        return torch.arange(num_needed)
    generator = torch.Generator().manual_seed(0)
    epochs = -(-num_needed // num_train)
    return torch.cat([torch.randperm(num_train, generator=generator) for _ in range(epochs)])


def _stack_samples(
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
