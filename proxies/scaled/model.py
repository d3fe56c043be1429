"""One pattern at any size as a plain PyTorch module: pre-norm residual layers, final norm, head.

Given the same weights it computes what the proxies' population of models computes
(`engine_weights` reads them from there); it trains with any optimizer, and on the meta device it
takes no memory.

Shapes: B sequences, T positions, D width, V vocabulary.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasarena.proxies.data.task import IGNORE
from nasarena.proxies.models.population import Population
from nasarena.proxies.scaled.initial_weights import draw_weights
from nasarena.proxies.scaled.mamba2 import Mamba2
from nasarena.proxies.scaled.mixers import Attention, Mlp
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.search.errors import InvalidSetting

MIXERS: Mapping[str, type[Attention | Mlp | Mamba2]] = {"A": Attention, "M": Mlp, "S": Mamba2}


class Layer(nn.Module):
    """A norm, a mixer and the residual around both."""

    def __init__(self, letter: str, shape: ScaledShape) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        self.mixer = MIXERS[letter](shape)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """`(B, T, D)` to the same."""
        result: Tensor = x_BTD + self.mixer(self.norm(x_BTD))
        return result


class ScaledModel(nn.Module):
    """A language model of `pattern`, its weights not yet set: see `build_model`.

    Raises InvalidSetting for an empty pattern and for letters without a layer at scale.
    """

    def __init__(self, pattern: str, shape: ScaledShape) -> None:
        super().__init__()
        if not pattern or set(pattern) - set(MIXERS):
            raise InvalidSetting(
                f"pattern must have letters from {''.join(MIXERS)} to be trained at scale, "
                f"got {pattern!r}"
            )
        self.pattern, self.shape = pattern, shape
        self.embedding = nn.Embedding(shape.vocab_size, shape.width)
        self.layers = nn.ModuleList(Layer(letter, shape) for letter in pattern)
        self.final_norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        if not shape.tied_embeddings:
            self.head = nn.Linear(shape.width, shape.vocab_size, bias=False)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Scores of the next token at every position, `(B, T, V)`."""
        x = self.embedding(tokens_BT)
        for layer in self.layers:
            x = layer(x)
        weight = self.embedding.weight if self.shape.tied_embeddings else self.head.weight
        return F.linear(self.final_norm(x), weight)

    @property
    def num_parameters(self) -> int:
        """Weights, a tied head counted once."""
        return sum(tensor.numel() for tensor in self.parameters())


def empty_model(pattern: str, shape: ScaledShape) -> ScaledModel:
    """The model on the meta device: shapes without memory, whatever its size."""
    with torch.device("meta"):
        return ScaledModel(pattern, shape)


def build_model(
    pattern: str, shape: ScaledShape, seed: int, device: torch.device | str = "cpu"
) -> ScaledModel:
    """The model in float32 with initial weights of streams named by (seed, pattern, tensor)."""
    model = empty_model(pattern, shape).to_empty(device=device)
    draw_weights(model, seed, pattern, shape.embedding_std)
    return model


def next_token_loss(logits_BTV: Tensor, targets_BT: Tensor) -> Tensor:
    """Mean cross-entropy in nats over the targets that count, a scalar."""
    return F.cross_entropy(
        logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), ignore_index=IGNORE
    )


def engine_weights(models: Population, member: int = 0) -> dict[str, Tensor]:
    """A state dict of the `member` of a population of language models, by this module's names.

    The engine multiplies from the left, `nn.Linear` from the right: matrices of layers and the head
    are transposed. The tensors are parts of the population's.
    """
    found: dict[str, Tensor] = {}
    for slot, groups in enumerate(models.groups):
        for group in groups:
            if member in group.members:
                row = group.members.index(member)
                for name, stack in group.weights.items():
                    found |= _name_tensors(f"layers.{slot}", name, stack[row])
    ends = {name: stack[member] for name, stack in models.ends.items()}
    found["embedding.weight"] = ends["embedding"]
    found["final_norm.weight"] = ends["final_norm"]
    if "head" in ends:
        found["head.weight"] = ends["head"].mT
    return found


def _name_tensors(layer: str, name: str, tensor: Tensor) -> dict[str, Tensor]:
    if name == "norm":
        return {f"{layer}.norm.weight": tensor}
    if name in ("in_proj", "out_proj"):
        return {f"{layer}.mixer.{name}.weight": tensor.mT}
    return {f"{layer}.mixer.{name}": tensor}
