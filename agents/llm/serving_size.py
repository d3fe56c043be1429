"""How large a server on a CPU is made: context, number format, and memory for keys and values.

A GPU build sizes itself by what the device has. The CPU build takes what it is told, and a model
with a long context does not start where one prompt of that length finds no room.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.weights import active_params
from nasarena.search.errors import InvalidSetting

NUM_SEQUENCES = 16  # replies that are written at once
_CONTEXT = 8192  # more than the longest prompt of an agent: 200 trials in full
_SHARED = 2048  # tokens that each of the replies is given room for on average, prompt included
_LARGE = 300_000_000  # parameters from which float32 takes too much memory
_OVERHEAD_BYTES = 2 * 2**30  # the server's processes without weights: 2.4 GiB with 1 GiB of cache
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a server must hold: `values_per_token` are keys and values of all layers."""

    num_parameters: int
    values_per_token: int
    longest_context: int


@dataclass(frozen=True, slots=True)
class ServingSize:
    """What a server on a CPU is started with."""

    context: int
    dtype: str
    cache_bytes: int


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
            num_parameters, _values_per_token(config), int(config["max_position_embeddings"])
        )
    except (KeyError, TypeError, ValueError):
        return None


def serving_size(facts: ModelFacts, context: int | None, free_bytes: int, name: str) -> ServingSize:
    """The size for a model; `context` is what the user asks for, None leaves it to the model.

    The cache has room for one full context at least. Raises InvalidSetting for a context that the
    model does not have, and VllmFailed where the memory does not suffice.
    """
    if context is not None and context > facts.longest_context:
        raise InvalidSetting(
            f"context must be at most {facts.longest_context}, which {name} was trained for, "
            f"got {context}"
        )
    length = context or min(facts.longest_context, _CONTEXT)
    dtype, num_bytes = ("bfloat16", 2) if facts.num_parameters > _LARGE else ("float32", 4)
    tokens = max(length, NUM_SEQUENCES * min(length, _SHARED))
    cache = tokens * facts.values_per_token * num_bytes
    needed = facts.num_parameters * num_bytes + cache + _OVERHEAD_BYTES
    if needed > free_bytes:
        raise VllmFailed(
            f"{name} needs about {needed / _GIB:.1f} GiB of memory, {free_bytes / _GIB:.1f} are "
            f"free: {facts.num_parameters * num_bytes / _GIB:.1f} for its weights in {dtype}, "
            f"{cache / _GIB:.1f} for prompts of up to {length} tokens; give a smaller context or "
            f"a smaller model"
        )
    return ServingSize(length, dtype, cache)


def _values_per_token(config: Mapping[str, Any]) -> int:
    """Keys and values of a token over all layers; grouped queries share them."""
    heads = int(config["num_attention_heads"])
    pairs = int(config.get("num_key_value_heads") or heads)
    width = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    return 2 * int(config["num_hidden_layers"]) * pairs * width
