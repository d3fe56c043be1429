"""A population: models of different patterns that train in one program.

Activations carry the population axis first. At each layer slot the members that hold the same
kind of layer form a group, with their weights stacked, and share one batched operation. Between
slots the activations are brought into the next slot's order, in which each group is a slice. All
weights lie in one flat vector, so that one operation updates them, whatever the number of layers;
each group's tensors are views into it.

Shapes: P models, B sequences, T positions, D width, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.decoder import decode, sinusoids
from nasarena.proxies.models.kinds import layer_kind, layer_tensors
from nasarena.proxies.models.model_shape import HeadKind, ModelShape, TensorSpec
from nasarena.proxies.models.permutation import permute
from nasarena.proxies.models.rms_norm import rms_norm

_VECTOR = 64  # elements; a multiple of any register's


@dataclass(frozen=True, slots=True)
class Group:
    """Members of a population with the same kind of layer at one slot, weights stacked."""

    letter: str
    members: list[int]
    weights: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model's tensor lies in the flat vector: its elements from `start` on, in a row."""

    member: int
    slot: int | None  # None: before or after the layers
    name: str
    start: int
    size: int
    decays: bool


class Population:
    """Models for `patterns`, with initial weights drawn from `generators`, one per model.

    `flat` holds all weights, and is the first part of `padded`. `leaves` are the tensors that
    autograd sees, views into it in order; `members` has the models of each leaf's rows. `owner`
    says for each element of `flat` which model it belongs to; `decays` is 1 where weight decay
    applies; `places` says where each model's tensors lie.
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
        self.patterns, self.places = list(patterns), _places(blocks)
        sizes = torch.tensor([place.size for place in self.places])
        owners = torch.tensor([place.member for place in self.places])
        decays = torch.tensor([float(place.decays) for place in self.places])
        size = len(weights)
        self.owner = owners.repeat_interleave(sizes, output_size=size).to(device)
        self.decays = decays.repeat_interleave(sizes, output_size=size).to(device)
        parts = torch.split(self.flat, [block.values.numel() for block in blocks])
        self.leaves = [
            part.view(block.values.shape).requires_grad_()
            for part, block in zip(parts, blocks, strict=True)
        ]
        self.groups = _groups(blocks, self.leaves, len(patterns[0]))
        named = zip(blocks, self.leaves, strict=True)
        self.ends = {block.name: leaf for block, leaf in named if block.slot is None}
        self._moves = _moves(self.groups, self.size, device)
        self.positions_TD = sinusoids(length, shape.width).to(device)

    def logits(self, tokens_PBT: Tensor) -> Tensor:
        """Scores of the next token (language model) or of every token (auto-encoder), PBTV."""
        P, B, T = tokens_PBT.shape
        D, vocab_size = self.shape.width, self.ends["embedding"].shape[1]
        offsets = torch.arange(P, device=tokens_PBT.device)[:, None, None] * vocab_size
        x = F.embedding(tokens_PBT + offsets, self.ends["embedding"].view(-1, D))
        for move, groups in zip(self._moves, self.groups, strict=False):
            x = self._slot(move(x), groups)
        x = self._moves[-1](x)
        if self.head == "auto_encoder":
            x = decode(x[:, :, -1:], self.positions_TD, self.ends)
        x = rms_norm(x, self.ends["final_norm"])
        head_PDV = self.ends["embedding"].mT if self.shape.tied_embeddings else self.ends["head"]
        x = x.reshape(P, B * T, D)
        if self.head == "auto_encoder":
            logits = torch.baddbmm(self.ends["head_bias"][:, None], x, head_PDV)
        else:
            logits = torch.bmm(x, head_PDV)
        return logits.view(P, B, T, vocab_size)

    def _slot(self, x_PBTD: Tensor, groups: list[Group]) -> Tensor:
        """A layer of each member with its residual, members in the order of `groups`."""
        if len(groups) == 1:
            return self._layer(x_PBTD, groups[0])
        parts = torch.split(x_PBTD, [len(group.members) for group in groups])
        return torch.cat([self._layer(*each) for each in zip(parts, groups, strict=True)])

    def _layer(self, x_PBTD: Tensor, group: Group) -> Tensor:
        normed = rms_norm(x_PBTD, group.weights["norm"])
        return x_PBTD + layer_kind(group.letter).forward(normed, group.weights, self.shape)


class _Move:
    """Brings members from one order into another; its gradient is the way back."""

    def __init__(self, before: list[int], after: list[int], device: torch.device) -> None:
        self._is_needed = before != after
        self._there = torch.tensor([before.index(member) for member in after], device=device)
        self._back = torch.tensor([after.index(member) for member in before], device=device)

    def __call__(self, x_PBTD: Tensor) -> Tensor:
        return permute(x_PBTD, self._there, self._back) if self._is_needed else x_PBTD


def _moves(groups: list[list[Group]], size: int, device: torch.device) -> list[_Move]:
    """The way into each slot's order and, at last, back into the order of the population."""
    own = list(range(size))
    orders = [[member for group in slot for member in group.members] for slot in groups]
    return [
        _Move(before, after, device)
        for before, after in zip([own, *orders], [*orders, own], strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Block:
    """One tensor of one layer slot, stacked over the models that have it."""

    slot: int | None  # None: embedding, final norm and head
    letter: str
    members: list[int]
    name: str
    values: Tensor
    spec: TensorSpec


def _groups(blocks: Sequence[_Block], leaves: Sequence[Tensor], depth: int) -> list[list[Group]]:
    """The groups of every layer slot, by letter."""
    slots: list[dict[str, Group]] = [{} for _ in range(depth)]
    for block, leaf in zip(blocks, leaves, strict=True):
        if block.slot is not None:
            group = Group(block.letter, block.members, {})
            slots[block.slot].setdefault(block.letter, group).weights[block.name] = leaf
    return [list(groups.values()) for groups in slots]


def _places(blocks: Sequence[_Block]) -> list[Place]:
    places: list[Place] = []
    start = 0
    for block in blocks:
        size, decays = block.spec.size, block.spec.decays
        for member in block.members:
            places.append(Place(member, block.slot, block.name, start, size, decays))
            start += size
    return places


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
            for spec in layer_tensors(letter, shape, len(pattern))
        ]
        ends = [(None, "", spec) for spec in shape.ends(vocab_size, length, head)]
        for slot, letter, spec in [*ends, *layers]:
            entry = drawn.setdefault((slot, letter, spec.name), (spec, [], []))
            entry[1].append(member)
            entry[2].append(_initial(spec, generator))
    order = sorted(drawn, key=lambda key: (key[0] is None, key[0] or 0, key[1]))
    blocks = []
    for slot, letter, name in order:
        spec, members, tensors = drawn[slot, letter, name]
        blocks.append(_Block(slot, letter, members, name, torch.stack(tensors), spec))
    return blocks


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
