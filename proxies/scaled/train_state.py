"""A model in training: weights, AdamW and the number of steps."""

from collections.abc import Iterator, Mapping
from math import isfinite, log

import torch
from torch import Tensor

from nasarena.proxies.data.task import IGNORE, Batch, Task
from nasarena.proxies.scaled.model import ScaledModel, next_token_loss
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.training.devices import Precision, autocast
from nasarena.search.errors import ProxyFailed
from nasarena.search.seeding import stream_seed

_MOMENTS = ("exp_avg", "exp_avg_sq")


class TrainState:
    """What a step changes. Weight decay is on matrices alone; moments begin at zero."""

    def __init__(
        self,
        model: ScaledModel,
        settings: ScaledSettings,
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.model, self.step = model, 0
        self._settings, self._device, self._precision = settings, device, precision
        self._limit = 4 * log(model.shape.vocab_size)  # a uniform guess has log(vocab_size)
        matrices = [tensor for tensor in model.parameters() if tensor.dim() >= 2]
        others = [tensor for tensor in model.parameters() if tensor.dim() < 2]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": settings.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            fused=True,
        )
        for tensor in model.parameters():
            moments = {name: torch.zeros_like(tensor) for name in _MOMENTS}
            count = torch.zeros((), device=device)
            self._optimizer.state[tensor] = {"step": count, **moments}

    def advance(self, batch: Batch, rate: float) -> tuple[float, float]:
        """One step; the loss before it and the norm of its gradient before clipping.

        Raises ProxyFailed, with weights as they were, where the loss explodes, or it or the norm is
        not a number.
        """
        loss = self._accumulate(batch)
        norm = float(
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._settings.max_norm)
        )
        if not (loss <= self._limit and isfinite(norm)):
            raise ProxyFailed(
                f"the loss of {self.model.pattern} must stay below {self._limit:.3g}, got "
                f"{loss:.4g}, its gradient's norm {norm:.4g}, at step {self.step + 1}: try a "
                f"smaller learning_rate"
            )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        return loss, norm

    def _accumulate(self, batch: Batch) -> float:
        """The loss of a batch, its gradients added up over what is in memory at once."""
        counted = int((batch.targets != IGNORE).sum())
        total = torch.zeros((), device=self._device)
        for inputs, targets in _parts(batch, self._settings.at_once, self._device):
            share = int((targets != IGNORE).sum()) / max(1, counted)
            with autocast(self._device, self._precision):
                loss = next_token_loss(self.model(inputs), targets) * share
            torch.autograd.backward(loss)
            total += loss.detach()
        return float(total)

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> float:
        """Mean loss over the counted targets of a batch, in nats."""
        total, counted = 0.0, 0
        for inputs, targets in _parts(batch, self._settings.at_once, self._device):
            num_counted = int((targets != IGNORE).sum())
            with autocast(self._device, self._precision):
                loss = float(next_token_loss(self.model(inputs), targets))
            total, counted = total + loss * num_counted, counted + num_counted
        return total / max(1, counted)

    def weights(self) -> dict[str, Tensor]:
        """Weights by name, on the CPU."""
        return {name: tensor.detach().cpu() for name, tensor in self.model.named_parameters()}

    def tensors(self) -> dict[str, Tensor]:
        """Weights and moments by name, on the CPU: all that the next step depends on."""
        found = self.weights()
        for name, tensor in self.model.named_parameters():
            state = self._optimizer.state[tensor]
            found |= {f"{moment}/{name}": state[moment].cpu() for moment in _MOMENTS}
        return found

    @torch.no_grad()
    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave after `step` steps."""
        self.step = step
        for name, tensor in self.model.named_parameters():
            tensor.copy_(tensors[name])
            state = self._optimizer.state[tensor]
            state["step"].fill_(float(step))
            for moment in _MOMENTS:
                state[moment].copy_(tensors[f"{moment}/{name}"])


def _parts(batch: Batch, size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets `(B, T)` on the device, `size` sequences at once."""
    for start in range(0, len(batch.inputs), size):
        part = slice(start, start + size)
        inputs, targets = (
            torch.from_numpy(tokens[part]).to(device) for tokens in (batch.inputs, batch.targets)
        )
        yield inputs, targets


def train_batch(task: Task, seed: int, step: int, batch_size: int) -> Batch:
    """The sequences of one step, counted from 0: by (seed, step) alone, for every pattern."""
    return task.sample(stream_seed(seed, "scaled", "batch", step), "train", batch_size)
