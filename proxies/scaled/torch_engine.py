"""A model in training through torch, on any device."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from nasarena.proxies.data.task import IGNORE, Batch
from nasarena.proxies.scaled.model import ScaledModel, next_token_loss
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.train_state import FIRST, SECOND, TrainState
from nasarena.proxies.training.devices import Precision, autocast


class TorchState(TrainState):
    """The module and AdamW of torch; a step may be taken in parts."""

    def __init__(
        self,
        model: ScaledModel,
        settings: ScaledSettings,
        device: torch.device,
        precision: Precision,
    ) -> None:
        super().__init__(model.pattern, model.shape, settings)
        self.model, self._device, self._precision = model, device, precision
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
            self._optimizer.state[tensor] = {
                "step": torch.zeros((), device=device),
                FIRST: torch.zeros_like(tensor),
                SECOND: torch.zeros_like(tensor),
            }

    def advance(self, batch: Batch, rate: float) -> tuple[float, float]:
        loss = self._accumulate(batch)
        norm = self._clip()
        self.refuse_divergence(loss, norm)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step += 1
        return loss, norm

    def _clip(self) -> float:
        """The norm of the gradient, before it is cut down to the largest."""
        parameters = self.model.parameters()
        return float(torch.nn.utils.clip_grad_norm_(parameters, self._settings.max_norm))

    def _accumulate(self, batch: Batch) -> float:
        """The loss of a batch, its gradients added up over what is in memory at once."""
        counted = int((batch.targets != IGNORE).sum())
        total = torch.zeros((), device=self._device)
        for inputs, targets in self._parts(batch):
            share = int((targets != IGNORE).sum()) / max(1, counted)
            with autocast(self._device, self._precision):
                loss = next_token_loss(self.model(inputs), targets) * share
            torch.autograd.backward(loss)
            total += loss.detach()
        return float(total)

    @torch.no_grad()
    def evaluate(self, batch: Batch) -> float:
        total, counted = 0.0, 0
        for inputs, targets in self._parts(batch):
            num_counted = int((targets != IGNORE).sum())
            with autocast(self._device, self._precision):
                loss = float(next_token_loss(self.model(inputs), targets))
            total, counted = total + loss * num_counted, counted + num_counted
        return total / max(1, counted)

    def weights(self) -> dict[str, Tensor]:
        return {name: tensor.detach() for name, tensor in self.model.named_parameters()}

    def tensors(self) -> dict[str, Tensor]:
        found = self.weights()
        for name, tensor in self.model.named_parameters():
            state = self._optimizer.state[tensor]
            found |= {f"{moment}/{name}": state[moment] for moment in (FIRST, SECOND)}
        return found

    @torch.no_grad()
    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        super().restore(step, tensors)
        for state in self._optimizer.state.values():
            state["step"].fill_(step)

    def _parts(self, batch: Batch) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets `(B, T)` on the device, as many sequences as may be there at once."""
        for start in range(0, len(batch.inputs), self._settings.at_once):
            part = slice(start, start + self._settings.at_once)
            inputs, targets = (
                torch.from_numpy(tokens[part]).to(self._device)
                for tokens in (batch.inputs, batch.targets)
            )
            yield inputs, targets
