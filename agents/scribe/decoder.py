"""The embedded agent's forward pass in numpy: a Qwen3 decoder with a cache, one sequence at a time.

The same weights and arithmetic as `transformers.Qwen3ForCausalLM` in float32 (a test compares the
two). At a million parameters a framework's overhead for each token is far larger than the work, so
plain numpy answers several times sooner, and nothing heavy has to be imported.

Shapes: T new tokens, S all tokens so far, D width, H heads, K width of a head, V vocabulary.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(slots=True)
class Layer:
    """Weights of one layer, each as it multiplies from the right."""

    attention_norm: Array  # (D,)
    query_key_value: Array  # (D, 3 H K)
    query_norm: Array  # (K,)
    key_norm: Array  # (K,)
    output: Array  # (H K, D)
    mlp_norm: Array  # (D,)
    gate_up: Array  # (D, 2 F)
    down: Array  # (F, D)


@dataclass(slots=True)
class Cache:
    """Keys and values of the tokens so far, one `(H, S, K)` array per layer each."""

    length: int = 0
    keys: list[Array] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)

    def copy(self) -> "Cache":
        """A cache to go on from while this one stays: arrays are replaced, never written."""
        return Cache(self.length, list(self.keys), list(self.values))


class Decoder:
    """Weights of a Qwen3-architecture decoder with tied embeddings and as many KV heads as heads.

    Raises ValueError for a folder with another architecture.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        config = json.loads((folder / "config.json").read_text())
        known = config["architectures"] == ["Qwen3ForCausalLM"] and config["tie_word_embeddings"]
        if not known or config["num_key_value_heads"] != config["num_attention_heads"]:
            raise ValueError(f"expected a Qwen3 decoder with tied embeddings in {folder}")
        weights = load_file(folder / "model.safetensors")
        self.num_heads: int = config["num_attention_heads"]
        self.epsilon: float = config["rms_norm_eps"]
        self.embeddings: Array = weights["model.embed_tokens.weight"]  # (V, D)
        self.norm: Array = weights["model.norm.weight"]
        self.layers = [_layer(weights, i) for i in range(config["num_hidden_layers"])]
        self.num_parameters = sum(array.size for array in weights.values())
        width = self.layers[0].output.shape[0] // self.num_heads
        theta = (config.get("rope_parameters") or config)["rope_theta"]
        rates = theta ** (-np.arange(0, width, 2) / width)
        self.max_tokens: int = config["max_position_embeddings"]
        angles = np.arange(self.max_tokens)[:, None] * np.tile(rates, 2)
        self._cos, self._sin = np.cos(angles).astype("f4"), np.sin(angles).astype("f4")

    def extend(self, cache: Cache, ids: list[int], num_logits: int = 1) -> Array:
        """Append tokens to the cache; logits behind the last `num_logits`, `(num_logits, V)`."""
        hidden_TD = self.embeddings[ids]
        for index, layer in enumerate(self.layers):
            normed_TD = self._rms_normalize(hidden_TD, layer.attention_norm)
            hidden_TD = hidden_TD + self._attend(normed_TD, layer, cache, index)
            hidden_TD = hidden_TD + self._transform(hidden_TD, layer)
        cache.length += len(ids)
        return self._logits(hidden_TD[-num_logits:])

    def _transform(self, hidden: Array, layer: Layer) -> Array:
        """The gated layer that sees one token alone."""
        both = self._rms_normalize(hidden, layer.mlp_norm) @ layer.gate_up
        gate, up = np.split(both, 2, axis=1)
        result: Array = (gate / (1 + np.exp(-gate)) * up) @ layer.down
        return result

    def _logits(self, hidden: Array) -> Array:
        result: Array = self._rms_normalize(hidden, self.norm) @ self.embeddings.T
        return result

    def _attend(self, normed_TD: Array, layer: Layer, cache: Cache, index: int) -> Array:
        num = len(normed_TD)
        split = (normed_TD @ layer.query_key_value).reshape(num, 3, self.num_heads, -1)
        query_HTK, key_HTK, value_HTK = split.transpose(1, 2, 0, 3)
        here = slice(cache.length, cache.length + num)
        query_HTK = self._rotate(self._rms_normalize(query_HTK, layer.query_norm), here)
        key_HSK = self._rotate(self._rms_normalize(key_HTK, layer.key_norm), here)
        value_HSK = value_HTK
        if index < len(cache.keys):
            key_HSK = np.concatenate([cache.keys[index], key_HSK], axis=1)
            value_HSK = np.concatenate([cache.values[index], value_HTK], axis=1)
            cache.keys[index], cache.values[index] = key_HSK, value_HSK
        else:
            cache.keys.append(key_HSK)
            cache.values.append(value_HSK)
        scores_HTS = query_HTK @ key_HSK.transpose(0, 2, 1) / np.float32(query_HTK.shape[2] ** 0.5)
        if num > 1:
            scores_HTS += _later(num, cache.length)
        scores_HTS = np.exp(scores_HTS - scores_HTS.max(2, keepdims=True))
        scores_HTS /= scores_HTS.sum(2, keepdims=True)
        mixed = (scores_HTS @ value_HSK).transpose(1, 0, 2).reshape(num, -1)
        result: Array = mixed @ layer.output
        return result

    def _rotate(self, x_HTK: Array, here: slice) -> Array:
        """Rotary position embedding (Su et al. 2021) of tokens at the positions `here`."""
        first, second = np.split(x_HTK, 2, axis=2)
        turned = np.concatenate([-second, first], axis=2)
        result: Array = x_HTK * self._cos[here] + turned * self._sin[here]
        return result

    def _rms_normalize(self, x: Array, weight: Array) -> Array:
        mean_square = np.square(x).mean(-1, keepdims=True)
        result: Array = x / np.sqrt(mean_square + np.float32(self.epsilon)) * weight
        return result


def _layer(weights: dict[str, Array], index: int) -> Layer:
    name = f"model.layers.{index}."

    def matrices(*parts: str) -> Array:
        return np.hstack([weights[f"{name}{part}_proj.weight"].T for part in parts])

    return Layer(
        weights[f"{name}input_layernorm.weight"],
        matrices("self_attn.q", "self_attn.k", "self_attn.v"),
        weights[f"{name}self_attn.q_norm.weight"],
        weights[f"{name}self_attn.k_norm.weight"],
        matrices("self_attn.o"),
        weights[f"{name}post_attention_layernorm.weight"],
        matrices("mlp.gate", "mlp.up"),
        matrices("mlp.down"),
    )


def _later(num: int, before: int) -> Array:
    """Minus infinity where a new token would see a later one, shape `(num, before + num)`."""
    return np.triu(np.full((num, before + num), -np.inf, dtype="f4"), before + 1)
