"""One training step of a population, as it is, or captured once as a CUDA graph and replayed.

A small model's step is some thousand short kernels: to launch them one by one from Python takes a
GPU longer than to run them. A graph launches all at once. What is captured must read its arguments
from fixed places, wait for nothing and decide nothing by values; that `TrainStep` is so is tested
on the CPU by tracing it. Not run on a GPU yet: where capturing fails, the step goes on uncaptured.

Shapes: P models, B sequences, T positions.
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.data.task import IGNORE
from nasarena.proxies.models.population import Population
from nasarena.proxies.training.adamw import FlatAdamW
from nasarena.proxies.training.memory import is_out_of_memory

# Inputs and targets (P, B, T), learning rate (a number or a scalar tensor) -> losses (P,) before
Step = Callable[[Tensor, Tensor, Any], Tensor]

WARM_UP = 3  # steps outside the graph, in which kernels are tuned and libraries take their memory
_LOG = logging.getLogger(__name__)


class Engine(Protocol):
    """What trains and scores a population: through torch (`TrainStep`) or natively.

    Called, it does one step. A model whose loss is not at most a limit is dead from then on;
    `alive_P` says who is not. The others do not notice.
    """

    alive_P: Tensor

    def __call__(self, inputs_PBT: Tensor, targets_PBT: Tensor, rate: float) -> Tensor:
        """Losses `(P,)` before the update."""

    def state(self, num_steps: int) -> list[Tensor]:
        """Weights and moments after `num_steps`, each as long as `population.owner`, to be read
        or written."""

    def score(self, inputs_PBT: Tensor, targets_PBT: Tensor) -> tuple[Tensor, Tensor]:
        """Losses of each model summed over its counted targets `(P,)`, and its guesses, the most
        likely tokens `(P, B, T)`."""


class TrainStep:
    """Losses, gradients and update through torch, on any device; an `Engine`."""

    def __init__(self, population: Population, optimizer: FlatAdamW, limit: float) -> None:
        self._population, self._optimizer, self._limit = population, optimizer, limit
        device = population.flat.device
        self.alive_P = torch.ones(population.size, dtype=torch.bool, device=device)

    def __call__(self, inputs_PBT: Tensor, targets_PBT: Tensor, rate: float | Tensor) -> Tensor:
        loss_P = losses(self._population.logits(inputs_PBT), targets_PBT)
        self.alive_P.logical_and_(loss_P.detach() <= self._limit)  # false for nan too
        gradients = torch.autograd.grad(loss_P.sum(), self._population.leaves)
        self._optimizer.step(gradients, rate, self.alive_P)
        return loss_P.detach()

    def state(self, num_steps: int) -> list[Tensor]:
        return self._optimizer.state(num_steps)

    @torch.no_grad()
    def score(self, inputs_PBT: Tensor, targets_PBT: Tensor) -> tuple[Tensor, Tensor]:
        logits = self._population.logits(inputs_PBT)
        counted_P = (targets_PBT != IGNORE).flatten(1).sum(1)
        return losses(logits, targets_PBT) * counted_P, logits.argmax(-1)


def losses(logits_PBTV: Tensor, targets_PBT: Tensor) -> Tensor:
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


class CapturedStep:
    """The same step from a CUDA graph, after a few steps that warm up."""

    def __init__(self, step: Step, device: torch.device) -> None:
        self._step, self._device = step, device
        self._num_calls = 0
        self._rate = torch.zeros((), device=device)
        self._tokens: tuple[Tensor, Tensor] | None = None
        self._losses = torch.empty(0)
        self._graph: torch.cuda.CUDAGraph | None = None
        # One stream of its own for warming up and capturing: memory is kept apart by stream.
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, inputs_PBT: Tensor, targets_PBT: Tensor, rate: float) -> Tensor:
        if self._tokens is None:
            self._tokens = torch.empty_like(inputs_PBT), torch.empty_like(targets_PBT)
        for place, value in zip(self._tokens, (inputs_PBT, targets_PBT), strict=True):
            place.copy_(value)
        self._rate.fill_(rate)
        if self._num_calls == WARM_UP:
            self._capture(*self._tokens)
        self._num_calls += 1
        if self._graph is not None:
            self._graph.replay()
            return self._losses
        if self._num_calls > WARM_UP:  # it could not be captured
            return self._step(*self._tokens, self._rate)
        return self._warm_up(*self._tokens)

    def _warm_up(self, inputs_PBT: Tensor, targets_PBT: Tensor) -> Tensor:
        main = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            found = self._step(inputs_PBT, targets_PBT, self._rate)
        main.wait_stream(self._stream)
        return found

    def _capture(self, inputs_PBT: Tensor, targets_PBT: Tensor) -> None:
        graph, main = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        try:
            with torch.cuda.device(self._device), torch.cuda.graph(graph, stream=self._stream):
                self._losses = self._step(inputs_PBT, targets_PBT, self._rate)
        except RuntimeError as error:
            torch.cuda.set_stream(main)
            if is_out_of_memory(error):
                raise
            reason = str(error).splitlines()[0]
            _LOG.warning("the training step cannot be captured, so it is launched: %s", reason)
        else:
            self._graph = graph
