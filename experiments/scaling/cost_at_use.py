"""What using a model costs: seconds to read a context and to write after it, and what it keeps.

The whole model is timed from tokens to scores, not layer by layer, on the device at hand: `prefill`
reads the context in one part and scores the token after it, `decode` writes one token after the
other. Medians of repeated measurements; the first of each context warms up and does not count.
Tokens are random ones: a model computes the same for any.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from nasarena.proxies.scaled.decoding import Memory, begin_decoding, extend
from nasarena.proxies.scaled.model import ScaledModel
from nasarena.search.seeding import stream_seed


@dataclass(frozen=True, slots=True)
class CostAtUse:
    """At one context of `batch` sequences: seconds of reading it all and of writing one token each.

    `cache_bytes` are keys and values of the context, `state_bytes` the states of Mamba-2, both of
    all sequences. `peak_bytes`: most memory at once, weights too; None on a CPU, which is silent.
    """

    context: int
    batch: int
    prefill_s: float
    decode_s: float
    cache_bytes: int
    state_bytes: int
    peak_bytes: int | None

    @property
    def prefill_tokens_per_s(self) -> float:
        """Tokens read a second."""
        return self.context * self.batch / self.prefill_s

    @property
    def decode_tokens_per_s(self) -> float:
        """Tokens written a second."""
        return self.batch / self.decode_s


def measure_use(
    model: ScaledModel,
    contexts: Sequence[int],
    batch: int,
    new_tokens: int,
    repeats: int,
    watch: Callable[[], None] = lambda: None,
) -> list[CostAtUse]:
    """A row for each context; `watch` is told of each measurement."""
    return [_measure(model, context, batch, new_tokens, repeats, watch) for context in contexts]


def _measure(
    model: ScaledModel,
    context: int,
    batch: int,
    new_tokens: int,
    repeats: int,
    watch: Callable[[], None],
) -> CostAtUse:
    device = model.embedding.weight.device
    generator = torch.Generator().manual_seed(stream_seed(0, "inference", context) % 2**62)
    tokens = torch.randint(model.shape.vocab_size, (batch, context), generator=generator)
    tokens = tokens.to(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    prefill: list[float] = []
    decode: list[float] = []
    for _ in range(repeats + 1):
        read_s, written_s = _use_once(model, tokens, new_tokens)
        prefill.append(read_s)
        decode.append(median(written_s))
        watch()
    kept = begin_decoding(model, batch, context)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return CostAtUse(
        context, batch, median(prefill[1:]), median(decode[1:]), kept.cache_bytes,
        kept.state_bytes, peak,
    )  # fmt: skip


def _use_once(
    model: ScaledModel, tokens_BT: torch.Tensor, new_tokens: int
) -> tuple[float, list[float]]:
    """Seconds of reading, and of each token that is written, the most probable one."""
    batch, context = tokens_BT.shape
    memory = begin_decoding(model, batch, context + new_tokens)
    read_s, scores = _extend_under_clock(model, memory, tokens_BT)
    written_s = []
    for _ in range(new_tokens):
        taken_s, scores = _extend_under_clock(model, memory, scores.argmax(-1, keepdim=True))
        written_s.append(taken_s)
    return read_s, written_s


def _extend_under_clock(
    model: ScaledModel, memory: Memory, tokens_BT: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """Seconds until the scores are there, and the scores."""
    start = time.perf_counter()
    scores = extend(model, memory, tokens_BT)
    if scores.is_cuda:
        torch.cuda.synchronize(scores.device)
    return time.perf_counter() - start, scores
