"""How large a server on a CPU is made: context, number format, and memory for keys and values.

A GPU build sizes itself by what the device has. The CPU build takes what it is told, and a model
with a long context does not start where one prompt of that length finds no room.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.weights import active_params
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import multiplies_bfloat16

_MOST_SEQUENCES = 64  # replies that are written at once
_CONTEXT = 8192  # more than the longest prompt of an agent: 200 trials in full
_SHARED = 2048  # tokens that each of the replies is given room for on average, prompt included
# Whole blocks alone are found again in the prefix cache, and prompts are what costs on a CPU: its
# smallest one, of 32 tokens instead of 128, finds 88 % of an agent's prompt there instead of 75 %.
BLOCK = 32
_LARGE = 300_000_000  # parameters from which float32 takes too much memory
_FORMATS = {"float32": 4, "bfloat16": 2}  # bytes of a value
_OVERHEAD_BYTES = 2 * 2**30  # the server's processes without weights: 2.4 GiB with 1 GiB of cache
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a server must hold: `values_per_token` are keys and values of all layers."""

    num_parameters: int
    values_per_token: int
    longest_context: int
    in_bfloat16: bool = True  # as its weights are stored, and whatever is made of a GGUF file


@dataclass(frozen=True, slots=True)
class ServingSize:
    """What a server on a CPU is started with."""

    context: int
    dtype: str
    cache_bytes: int
    num_sequences: int


@dataclass(frozen=True, slots=True)
class Load:
    """What will be asked of a server: by how many runs at once, and the longest prompt with reply
    that is known to come, in tokens."""

    runs: int = 16
    prompt_tokens: int = 0


USUAL = Load()


def read_facts(folder: Path) -> ModelFacts | None:
    """The facts of a folder of weights; None for what is no decoder of attention layers alone."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return None
    num_parameters = active_params(folder)
    if not isinstance(config, dict) or num_parameters is None or "layers_block_type" in config:
        return None
    try:
        return ModelFacts(
            num_parameters,
            _values_per_token(config),
            int(config["max_position_embeddings"]),
            "bfloat16" in (config.get("dtype"), config.get("torch_dtype")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def serving_size(
    facts: ModelFacts, context: int | None, free_bytes: int, name: str, load: Load = USUAL
) -> ServingSize:
    """The size for a model; `context` is what the user asks for, None leaves it to the model.

    The cache has room for one full context at least. Where memory is short, fewer replies are
    written at once, then prompts are given less room, down to the longest that `load` has. Raises
    InvalidSetting for a context that the model does not have, and VllmFailed where the memory does
    not suffice.
    """
    if context is not None and context > facts.longest_context:
        raise InvalidSetting(
            f"context must be at most {facts.longest_context}, which {name} was trained for, "
            f"got {context}"
        )
    sizes = list(_candidates(facts, context, load))
    for size in sizes:
        if needed_bytes(facts, size) <= free_bytes:
            return size
    least = sizes[-1]
    weights = facts.num_parameters * _FORMATS[least.dtype] / _GIB
    raise VllmFailed(
        f"{name} needs about {needed_bytes(facts, least) / _GIB:.1f} GiB of memory, "
        f"{free_bytes / _GIB:.1f} are free: {weights:.1f} for its weights in {least.dtype}, "
        f"{least.cache_bytes / _GIB:.1f} for prompts of up to {least.context} tokens; give a "
        f"smaller context or a smaller model"
    )


def needed_bytes(facts: ModelFacts, size: ServingSize) -> int:
    """Memory of all processes of a server of this size."""
    return facts.num_parameters * _FORMATS[size.dtype] + size.cache_bytes + _OVERHEAD_BYTES


def _candidates(facts: ModelFacts, context: int | None, load: Load) -> Iterator[ServingSize]:
    """From the size that is wanted to the smallest that does."""
    dtype = _dtype(facts)
    token_bytes = facts.values_per_token * _FORMATS[dtype]
    wanted = context or min(facts.longest_context, max(_CONTEXT, load.prompt_tokens))
    least = context or min(wanted, max(_SHARED, load.prompt_tokens))
    num_sequences = min(max(load.runs, 1), _MOST_SEQUENCES)

    def size(length: int, replies: int) -> ServingSize:
        tokens = max(length, replies * min(length, _SHARED))
        num_blocks = ceil(tokens / BLOCK) + 1  # vLLM keeps one block empty
        return ServingSize(length, dtype, num_blocks * BLOCK * token_bytes, replies)

    yield size(wanted, num_sequences)
    while num_sequences > 1:
        num_sequences //= 2
        yield size(wanted, num_sequences)
    while wanted > least:
        wanted = max(wanted // 2, least)
        yield size(wanted, 1)


def _dtype(facts: ModelFacts) -> str:
    """Half the bytes where float32 takes too many, or where the CPU multiplies in bfloat16."""
    is_native = facts.in_bfloat16 and multiplies_bfloat16()
    return "bfloat16" if is_native or facts.num_parameters > _LARGE else "float32"


def _values_per_token(config: Mapping[str, Any]) -> int:
    """Keys and values of a token over all layers; grouped queries share them."""
    heads = int(config["num_attention_heads"])
    pairs = int(config.get("num_key_value_heads") or heads)
    width = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    return 2 * int(config["num_hidden_layers"]) * pairs * width
