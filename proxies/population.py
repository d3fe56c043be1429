"""A population: models of different patterns that train in one program.

Activations carry the population axis first. At each layer slot the members that hold the same
kind of layer form a group, with their weights stacked, and share one batched operation. All
weights lie in one flat vector, so an optimizer step is a handful of operations whatever the number
of layers; each group's tensors are views into it.

Shapes: P models, B sequences, T positions, D width, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.attention import attention
from nasarena.proxies.fused import rms_norm
from nasarena.proxies.mamba2 import mamba2
from nasarena.proxies.mlp import mlp
from nasarena.proxies.model_shape import HeadKind, ModelShape, TensorSpec

_VECTOR = 64  # elements; a multiple of any register's


@dataclass(frozen=True, slots=True)
class Group:
    """Members of a population with the same kind of layer at one slot, weights stacked.

    `members` are their indices, or None where the group is the whole population.
    """

    letter: str
    members: Tensor | None
    weights: dict[str, Tensor]


class Population:
    """Models for `patterns`, with initial weights drawn from `generators`, one per model.

    `flat` holds all weights, and is the first part of `padded`. `leaves` are the tensors that
    autograd sees, views into it in order; `members` has the models of each leaf's rows. `owner`
    says for each element of `flat` which model it belongs to; `decays` is 1 where weight decay
    applies.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        generators: Sequence[torch.Generator],
        shape: ModelShape,
        vocab_size: int,
        length: int,
        head: HeadKind,
        device: torch.device,
    ) -> None:
        self.shape, self.head, self.size = shape, head, len(patterns)
        blocks = _draw_blocks(patterns, generators, shape, vocab_size, length, head)
        weights = torch.cat([block.values.flatten() for block in blocks]).to(device)
        # The fused optimizer rounds the last few elements of an odd length in another way: whole
        # vectors, and a model's bits do not depend on which others stand before it.
        self.padded = F.pad(weights, (0, -len(weights) % _VECTOR))
        self.flat = self.padded[: len(weights)]
        self.members = [torch.tensor(block.members, device=device) for block in blocks]
        self.owner = torch.cat([block.owner() for block in blocks]).to(device)
        self.decays = torch.cat([block.decays() for block in blocks]).to(device)
        self.leaves: list[Tensor] = []
        named: list[dict[str, Tensor]] = [{} for _ in range(len(patterns[0]) + 1)]
        self.groups: list[list[Group]] = [[] for _ in patterns[0]]
        offset = 0
        for block in blocks:
            view = self.flat[offset : offset + block.values.numel()].view(block.values.shape)
            self.leaves.append(view.requires_grad_())
            offset += block.values.numel()
            if block.slot is None:
                named[-1][block.name] = view
                continue
            groups = self.groups[block.slot]
            if not groups or groups[-1].letter != block.letter:
                whole = len(block.members) == self.size
                members = None if whole else self.members[len(self.leaves) - 1]
                groups.append(Group(block.letter, members, {}))
            groups[-1].weights[block.name] = view
        self.ends = named[-1]
        self.positions_TD = _sinusoids(length, shape.width).to(device)

    def logits(self, tokens_PBT: Tensor) -> Tensor:
        """Scores of the next token (language model) or of every token (auto-encoder), PBTV."""
        P, B, T = tokens_PBT.shape
        D, vocab_size = self.shape.width, self.ends["embedding"].shape[1]
        offsets = torch.arange(P, device=tokens_PBT.device)[:, None, None] * vocab_size
        x = F.embedding(tokens_PBT + offsets, self.ends["embedding"].view(-1, D))
        for groups in self.groups:
            x = self._slot(x, groups)
        x = rms_norm(x, self.ends["final_norm"])
        if self.head == "auto_encoder":
            x = self._decode(x[:, :, -1:])
        return torch.bmm(x.reshape(P, B * T, D), self.ends["head"]).view(P, B, T, vocab_size)

    def _slot(self, x_PBTD: Tensor, groups: list[Group]) -> Tensor:
        if groups[0].members is None:
            return x_PBTD + self._layer(x_PBTD, groups[0])
        updates = torch.zeros_like(x_PBTD)
        for group in groups:
            assert group.members is not None
            chosen = x_PBTD.index_select(0, group.members)
            updates = updates.index_copy(0, group.members, self._layer(chosen, group))
        return x_PBTD + updates

    def _layer(self, x_PBTD: Tensor, group: Group) -> Tensor:
        normed = rms_norm(x_PBTD, group.weights["norm"])
        if group.letter == "A":
            return attention(normed, group.weights, self.shape.num_heads, self.shape.rotary)
        if group.letter == "M":
            return mlp(normed, group.weights, self.shape.mlp)
        return mamba2(normed, group.weights, self.shape.mamba)

    def _decode(self, last_PB1D: Tensor) -> Tensor:
        """Every position from the last state: state plus position through a two-layer MLP."""
        P, B, _, D = last_PB1D.shape
        T = len(self.positions_TD)
        queries = (last_PB1D + self.positions_TD).reshape(P, B * T, D)
        hidden = F.gelu(torch.bmm(queries, self.ends["decoder_in"]), approximate="tanh")
        return torch.bmm(hidden, self.ends["decoder_out"]).view(P, B, T, D)


@dataclass(frozen=True, slots=True)
class _Block:
    """One tensor of one layer slot, stacked over the models that have it."""

    slot: int | None  # None: embedding, final norm and head
    letter: str
    members: list[int]
    name: str
    values: Tensor
    spec: TensorSpec

    def owner(self) -> Tensor:
        return torch.tensor(self.members).repeat_interleave(self.spec.size)

    def decays(self) -> Tensor:
        return torch.full((self.values.numel(),), float(self.spec.decays))


def _draw_blocks(
    patterns: Sequence[str],
    generators: Sequence[torch.Generator],
    shape: ModelShape,
    vocab_size: int,
    length: int,
    head: HeadKind,
) -> list[_Block]:
    """Blocks of the whole population; each model draws its own tensors in its own order."""
    drawn: dict[tuple[int | None, str, str], tuple[TensorSpec, list[int], list[Tensor]]] = {}
    for member, (pattern, generator) in enumerate(zip(patterns, generators, strict=True)):
        layers = [
            (slot, letter, spec)
            for slot, letter in enumerate(pattern)
            for spec in shape.layer(letter, len(pattern))
        ]
        ends = [(None, "", spec) for spec in shape.ends(vocab_size, length, head)]
        for slot, letter, spec in [*ends, *layers]:
            entry = drawn.setdefault((slot, letter, spec.name), (spec, [], []))
            entry[1].append(member)
            entry[2].append(_initial(spec, generator))
    order = sorted(drawn, key=lambda key: (key[0] is None, key[0] or 0, key[1]))
    return [
        _Block(slot, letter, members, name, torch.stack(tensors), spec)
        for slot, letter, name in order
        for spec, members, tensors in [drawn[slot, letter, name]]
    ]


def _initial(spec: TensorSpec, generator: torch.Generator) -> Tensor:
    if spec.init == "normal":
        return torch.randn(spec.shape, generator=generator) * spec.scale
    if spec.init == "a_log":  # A from 1 to 16, as Mamba-2 draws it
        return (1 + 15 * torch.rand(spec.shape, generator=generator)).log()
    if spec.init == "dt_bias":  # softplus(bias) log-uniform between 0.001 and 0.1
        uniform = torch.rand(spec.shape, generator=generator)
        dt = (uniform * (log(0.1) - log(0.001)) + log(0.001)).exp()
        return dt + (-torch.expm1(-dt)).log()
    return torch.ones(spec.shape) if spec.init == "ones" else torch.zeros(spec.shape)


def _sinusoids(length: int, width: int) -> Tensor:
    """Fixed positions `(T, D)` (Vaswani et al. 2017, section 3.5), sines then cosines."""
    frequency = torch.exp(torch.arange(0, width, 2) * (-log(10_000.0) / width))
    angle = torch.arange(length)[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :width]
