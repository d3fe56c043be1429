"""A training step and a score of a population by the CPU's own kernels (native/).

Model by model, each through all its layers: what it works on then stays in the cache, and how many
train together changes neither its result nor its speed.

Shapes: P models, B sequences, T positions.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any, get_args

import torch
from torch import Tensor

from nasarena.proxies.data.task import IGNORE
from nasarena.proxies.models.attention import rotary_table
from nasarena.proxies.models.flops import SequenceShape
from nasarena.proxies.models.kinds import native_kinds
from nasarena.proxies.models.model_shape import MlpKind, ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.native.library import Models, Sizes, Update, require_library

_LAYER = (
    "norm", "in_proj", "out_proj",
    "conv", "conv_bias", "dt_bias", "a_log", "skip", "gate_norm",
)  # fmt: skip
_ENDS = (
    "embedding", "final_norm", "head", "head_bias",
    "decoder_norm_1", "decoder_1", "decoder_bias_1",
    "decoder_norm_2", "decoder_2", "decoder_bias_2",
)  # fmt: skip


class NativeStep:
    """Losses, gradients, update and score by the kernels; an `Engine`.

    Raises MemoryError where memory does not suffice; then the population is of no more use.
    """

    def __init__(
        self,
        population: Population,
        betas: tuple[float, float],
        weight_decay: float,
        clip: float,
        limit: float,
    ) -> None:
        library = require_library()
        self._library, self._population = library, population
        self.alive_P = torch.ones(population.size, dtype=torch.bool)
        weights = population.flat
        self._first, self._second = torch.zeros_like(weights), torch.zeros_like(weights)
        segments, ends = _segments(population)
        vocab_size = population.ends["embedding"].shape[1]
        sizes = kernel_sizes(
            population.shape,
            SequenceShape(vocab_size, len(population.positions_TD), population.head),
        )
        self._held = [  # by the pointers below
            _offsets(population), segments, ends, weights, torch.zeros_like(weights), self._first,
            self._second, _turns(population), population.positions_TD.contiguous(),
        ]  # fmt: skip
        _check_types(self._held)
        self._models = Models(
            sizes, population.size, len(population.patterns[0]),
            native_kinds("".join(population.patterns)), *(each.data_ptr() for each in self._held),
        )  # fmt: skip
        self._update = Update(0.0, *betas, weight_decay, clip, limit, 0.0)
        self._workspace = library.nasarena_workspace(torch.get_num_threads())
        if not self._workspace:
            raise MemoryError("not enough memory for a training step")
        weakref.finalize(self, library.nasarena_release, self._workspace)

    def __call__(self, inputs_PBT: Tensor, targets_PBT: Tensor, rate: float) -> Tensor:
        losses = torch.empty(len(inputs_PBT))
        self._update.rate = rate
        self._update.number += 1
        self._run(
            self._library.nasarena_step, inputs_PBT, targets_PBT, self._update, losses.data_ptr(),
            self.alive_P.data_ptr(),
        )  # fmt: skip
        return losses

    def state(self, num_steps: int) -> list[Tensor]:
        self._update.number = num_steps
        return [self._population.flat, self._first, self._second]

    def score(self, inputs_PBT: Tensor, targets_PBT: Tensor) -> tuple[Tensor, Tensor]:
        losses_P = torch.zeros(len(inputs_PBT), dtype=torch.float64)
        guesses_PBT = torch.empty(inputs_PBT.shape, dtype=torch.int64)
        self._run(
            self._library.nasarena_score, inputs_PBT, targets_PBT, losses_P.data_ptr(),
            guesses_PBT.data_ptr(),
        )  # fmt: skip
        return losses_P, guesses_PBT

    def _run(
        self, function: Callable[..., bool], inputs: Tensor, targets: Tensor, *rest: Any
    ) -> None:
        """`function` on tokens that are what the kernels take them for: they do not look again."""
        inputs, targets = inputs.contiguous(), targets.contiguous()
        sizes = self._models.sizes
        wanted = (self._models.count, *inputs.shape[1:2], sizes.T)
        if any(part.shape != wanted or part.dtype != torch.int64 for part in (inputs, targets)):
            raise ValueError(
                f"tokens must be int64 of shape (P, B, T) = ({wanted[0]}, B, {wanted[-1]}), got "
                f"{inputs.dtype} {tuple(inputs.shape)} and {targets.dtype} {tuple(targets.shape)}"
            )
        counted = torch.where(targets == IGNORE, 0, targets)
        if any(int(ids.min()) < 0 or int(ids.max()) >= sizes.V for ids in (inputs, counted)):
            raise IndexError(f"a token is not below the vocabulary's size, {sizes.V}")
        if not function(
            self._workspace, self._models, inputs.shape[1], inputs.data_ptr(), targets.data_ptr(),
            *rest,
        ):  # fmt: skip
            raise MemoryError("not enough memory for a training step")


def _check_types(tensors: Sequence[Tensor]) -> None:
    """Kernels read what they are given as float32 or int64, whatever it is. Raises TypeError."""
    wrong = [each.dtype for each in tensors if each.dtype not in (torch.float32, torch.int64)]
    if wrong:
        raise TypeError(f"kernels take float32 and int64, got {wrong[0]}")


def kernel_sizes(shape: ModelShape, sequence: SequenceShape) -> Sizes:
    """What the kernels need to know of models of `shape` on such sequences."""
    mamba = shape.mamba
    return Sizes(
        sequence.length, shape.width, sequence.vocab_size,
        shape.num_heads, shape.kv_heads, shape.head_width,
        shape.mlp_width, get_args(MlpKind).index(shape.mlp),
        mamba.inner, mamba.state, mamba.num_heads, mamba.groups, mamba.conv,
        sequence.head == "auto_encoder", shape.tied_embeddings,
    )  # fmt: skip


def _offsets(population: Population) -> Tensor:
    """`(P, depth 9 + 10)` int64: first elements; 0 for what a layer does not have."""
    depth = len(population.patterns[0])
    offsets = torch.zeros(population.size, depth * len(_LAYER) + len(_ENDS), dtype=torch.int64)
    for place in population.places:
        if place.slot is None:
            column = depth * len(_LAYER) + _ENDS.index(place.name)
        else:
            column = place.slot * len(_LAYER) + _LAYER.index(place.name)
        offsets[place.member, column] = place.start
    return offsets


def _segments(population: Population) -> tuple[Tensor, Tensor]:
    """Start, size and decay of all tensors `(S, 3)`, by model; and where each model's end."""
    places = sorted(population.places, key=lambda place: place.member)
    rows = torch.tensor([(place.start, place.size, place.decays) for place in places])
    counts = torch.bincount(torch.tensor([place.member for place in places]))
    return rows, counts.cumsum(0)


def _turns(population: Population) -> Tensor:
    """By what queries and keys are turned, `(2, T, H K)`: see native/attention.h."""
    shape, T = population.shape, len(population.positions_TD)
    K = shape.head_width
    if shape.rotary:
        table = rotary_table(T, K, torch.device("cpu")).repeat(1, shape.num_heads)
        own = table.real.repeat_interleave(2, 1)
        other = torch.stack([-table.imag, table.imag], -1).flatten(1)
    else:
        own = torch.ones(T, shape.num_heads * K)
        other = torch.zeros_like(own)
    turns: Tensor = torch.stack([own, other]) * K**-0.25
    return turns
