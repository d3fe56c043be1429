"""A small model in training by the proxies' CPU kernels: the formulas of torch, sooner.

The kernels train whole populations; here the population is the one model. What they cannot
express (another norm's eps, a Mamba-2 layer that is no multiple of the width) trains through torch.
"""

import torch
from torch import Tensor

from nasarena.proxies.data.task import IGNORE, Batch
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.native.step import NativeStep
from nasarena.proxies.scaled.model import ScaledModel, engine_weights
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape, scaled_shape
from nasarena.proxies.scaled.train_state import FIRST, SECOND, TrainState
from nasarena.search.errors import InvalidSetting


def proxy_shape(shape: ScaledShape) -> ModelShape | None:
    """The sizes as the proxies' kernels know them, or None where they cannot express them."""
    # A SwiGLU has two thirds of the nominal width.
    ratio = shape.mlp_hidden / shape.width * (1.5 if shape.mlp == "swiglu" else 1.0)
    try:
        found = ModelShape(
            width=shape.width, num_heads=shape.num_heads, num_kv_heads=shape.num_kv_heads,
            head_dim=shape.head_dim, rotary=shape.rotary, mlp=shape.mlp, mlp_ratio=ratio,
            mamba_expand=max(1, shape.mamba_inner // shape.width), mamba_heads=shape.mamba_heads,
            mamba_state=shape.mamba_state, mamba_conv=shape.mamba_conv,
            mamba_groups=shape.mamba_groups, tied_embeddings=shape.tied_embeddings,
            embedding_std=shape.embedding_std,
        )  # fmt: skip
    except InvalidSetting:
        return None
    return found if scaled_shape(found, shape.vocab_size) == shape else None


class NativeState(TrainState):
    """What a step changes, in the vectors of the kernels; of the same names as through torch.

    Raises InvalidSetting for sizes that the kernels cannot express.
    """

    def __init__(self, model: ScaledModel, settings: ScaledSettings, length: int) -> None:
        super().__init__(model.pattern, model.shape, settings)
        proxy = proxy_shape(model.shape)
        if proxy is None:
            raise InvalidSetting("engine=native cannot express these sizes: use engine=torch")
        self._population = Population(
            [model.pattern], [torch.Generator()], proxy, model.shape.vocab_size, length,
            "language_model", torch.device("cpu"),
        )  # fmt: skip
        betas = (settings.beta1, settings.beta2)
        self._kernels = NativeStep(
            self._population, betas, settings.weight_decay, settings.max_norm, self.limit
        )
        for name, tensor in self.weights().items():
            tensor.copy_(model.state_dict()[name])

    def advance(self, batch: Batch, rate: float) -> tuple[float, None]:
        """As through torch, but the kernels do not say the norm of the gradient."""
        self._kernels.state(self.step)
        loss = float(self._kernels(*_tokens(batch), rate))
        self.refuse_divergence(loss)  # the kernels have not changed the weights then
        self.step += 1
        return loss, None

    def evaluate(self, batch: Batch) -> float:
        """Mean loss over the counted targets of a batch, in nats."""
        total, size = 0.0, self._settings.batch_size
        for start in range(0, len(batch.inputs), size):
            part = slice(start, start + size)
            losses, _ = self._kernels.score(
                *_tokens(Batch(batch.inputs[part], batch.targets[part]))
            )
            total += float(losses)
        return total / max(1, int((batch.targets != IGNORE).sum()))

    def weights(self) -> dict[str, Tensor]:
        """Weights by name; they are parts of the kernels' vector."""
        found = engine_weights(self._population)
        return {name: tensor.detach() for name, tensor in found.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Weights and moments by name, parts of the kernels' vectors."""
        weights = self.weights()
        found = dict(weights)
        _, first, second = self._kernels.state(self.step)
        for moment, flat in ((FIRST, first), (SECOND, second)):
            for name, tensor in weights.items():
                place = tensor.storage_offset()
                found[f"{moment}/{name}"] = flat.as_strided(tensor.shape, tensor.stride(), place)
        return found


def _tokens(batch: Batch) -> tuple[Tensor, Tensor]:
    """Inputs and targets of a population of one, `(1, B, T)`."""
    return torch.from_numpy(batch.inputs)[None], torch.from_numpy(batch.targets)[None]
