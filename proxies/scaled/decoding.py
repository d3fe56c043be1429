"""Reading and writing text step by step: each layer keeps what it needs of the positions before.

    memory = begin_decoding(model, batch_size=1, capacity=1024)
    logits_BV = extend(model, memory, prompt_BT)      # prefill: the scores after its last token
    logits_BV = extend(model, memory, next_B1)        # a step

Attention keeps keys and values of every position, Mamba-2 the last inputs of its convolution and
one state, whatever the length; an MLP keeps nothing. Texts may be given in parts of any length: the
scores are those of the whole in one pass.

Shapes: B sequences, T positions given, S positions before them, D width, V vocabulary; H heads, G
heads of keys and values or groups of J heads that share B and C; K head width, N state, W taps.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.models.attention import causal_mix
from nasarena.proxies.models.mamba2 import causal_conv
from nasarena.proxies.models.triton_scan import has_triton_scan, scan_population
from nasarena.proxies.scaled.mamba2 import Mamba2, scan_chunks
from nasarena.proxies.scaled.mixers import Attention
from nasarena.proxies.scaled.model import Layer, ScaledModel
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.search.errors import InvalidSetting


@dataclass(slots=True)
class KeyValues:
    """Keys and values of one attention layer, both `(B, G, capacity, K)`."""

    keys: Tensor
    values: Tensor


@dataclass(slots=True)
class MambaState:
    """Of one Mamba-2 layer: `inputs` `(B, W - 1, channels)`, `state` `(B, G, J, N, K)`."""

    inputs: Tensor
    state: Tensor


@dataclass(slots=True)
class Memory:
    """What the layers of a model keep after `num_read` positions; None: nothing."""

    capacity: int
    num_read: int = 0
    layers: list[KeyValues | MambaState | None] = field(default_factory=list)

    @property
    def cache_bytes(self) -> int:
        """Of keys and values at full capacity."""
        kept = [layer for layer in self.layers if isinstance(layer, KeyValues)]
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in kept)

    @property
    def state_bytes(self) -> int:
        """Of all Mamba-2 layers, whatever the capacity."""
        kept = [layer for layer in self.layers if isinstance(layer, MambaState)]
        return sum(layer.inputs.nbytes + layer.state.nbytes for layer in kept)


def begin_decoding(model: ScaledModel, batch_size: int, capacity: int) -> Memory:
    """Room for `capacity` positions, on the device and in the precision of the model."""
    shape, like = model.shape, model.embedding.weight
    memory = Memory(capacity)
    for letter in model.pattern:
        if letter == "A":
            room = (batch_size, shape.num_kv_heads, capacity, shape.head_dim)
            memory.layers.append(KeyValues(like.new_empty(room), like.new_empty(room)))
        elif letter == "S":
            groups, heads = shape.mamba_groups, shape.mamba_heads // shape.mamba_groups
            inputs = like.new_zeros(batch_size, shape.mamba_conv - 1, shape.mamba_conv_channels)
            room_state = (batch_size, groups, heads, shape.mamba_state, shape.mamba_head_dim)
            memory.layers.append(MambaState(inputs, like.new_zeros(room_state)))
        else:
            memory.layers.append(None)
    return memory


@torch.inference_mode()
def extend(model: ScaledModel, memory: Memory, tokens_BT: Tensor) -> Tensor:
    """Read further tokens; the scores of the token after the last of them, `(B, V)`.

    Raises InvalidSetting where the memory has no room for them.
    """
    T = tokens_BT.shape[1]
    if memory.num_read + T > memory.capacity:
        raise InvalidSetting(
            f"capacity must be at least {memory.num_read + T} positions, got {memory.capacity}"
        )
    x = model.embedding(tokens_BT)
    for layer, kept in zip(model.layers, memory.layers, strict=True):
        assert isinstance(layer, Layer)
        normed, mixer = layer.norm(x), layer.mixer
        if isinstance(mixer, Attention) and isinstance(kept, KeyValues):
            x = x + _attend(mixer, model.shape, normed, kept, memory.num_read)
        elif isinstance(mixer, Mamba2) and isinstance(kept, MambaState):
            x = x + _scan(mixer, model.shape, normed, kept)
        else:
            x = x + mixer(normed)
    memory.num_read += T
    weight = model.embedding.weight if model.shape.tied_embeddings else model.head.weight
    return F.linear(model.final_norm(x[:, -1]), weight)


def _attend(
    mixer: Attention, shape: ScaledShape, x_BTD: Tensor, kept: KeyValues, before: int
) -> Tensor:
    """`Attention.forward` at the positions from `before` on."""
    B, T, _ = x_BTD.shape
    H, G, K = shape.num_heads, shape.num_kv_heads, shape.head_dim
    heads = mixer.in_proj(x_BTD).view(B, T, H + 2 * G, K).transpose(1, 2)
    turned, value = torch.split(heads, [H + G, G], dim=1)
    if shape.rotary:
        turned = rotate_from(turned, before, shape.rotary_base)
    query, key = torch.split(turned, [H, G], dim=1)
    end = before + T
    kept.keys[:, :, before:end], kept.values[:, :, before:end] = key, value
    mixed = _mix(query, kept.keys[:, :, :end], kept.values[:, :, :end])
    result: Tensor = mixer.out_proj(mixed.transpose(1, 2).reshape(B, T, H * K))
    return result


def _mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of `(B, H, T, K)` on `(B, G, S + T, K)`, of which the last T are its own."""
    (B, H, T, K), (G, end) = query.shape, key.shape[1:3]
    if T == 1:  # heads that share keys stand as positions: nothing is copied, nothing is masked
        mixed = F.scaled_dot_product_attention(query.reshape(B, G, H // G, K), key, value)
        return mixed.reshape(B, H, 1, K)
    if G < H:
        key, value = (part.repeat_interleave(H // G, dim=1) for part in (key, value))
    if T == end:
        return causal_mix(query, key, value)
    may_see = torch.ones(T, end, dtype=torch.bool, device=query.device).tril(end - T)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=may_see)


def rotate_from(x_T2K: Tensor, start: int, base: float) -> Tensor:
    """`mixers.rotate` where the first position is `start` and not 0."""
    T, K = x_T2K.shape[-2:]
    frequency_J = base ** (-torch.arange(0, K, 2, device=x_T2K.device) / K)
    positions = torch.arange(start, start + T, device=x_T2K.device)
    angle_TJ = torch.outer(positions, frequency_J)
    cos, sin = angle_TJ.cos(), angle_TJ.sin()
    first, second = x_T2K[..., 0::2].float(), x_T2K[..., 1::2].float()
    turned = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return turned.flatten(-2).to(x_T2K.dtype)


def _scan(mixer: Mamba2, shape: ScaledShape, x_BTD: Tensor, kept: MambaState) -> Tensor:
    """`Mamba2.forward` after the positions that `kept` has seen."""
    B, T, _ = x_BTD.shape
    H, G, E = shape.mamba_heads, shape.mamba_groups, shape.mamba_inner
    GN, channels = G * shape.mamba_state, shape.mamba_conv_channels
    z, xbc, dt = torch.split(mixer.in_proj(x_BTD), [E, channels, H], dim=-1)
    widened = torch.cat([kept.inputs, xbc], dim=1)
    convolved = causal_conv(widened[None], mixer.conv[None], mixer.conv_bias[None])[0]
    kept.inputs = widened[:, T:].clone()
    x, b, c = torch.split(F.silu(convolved[:, shape.mamba_conv - 1 :]), [E, GN, GN], dim=-1)
    b, c = (part.reshape(B, T, G, -1) for part in (b, c))
    x, dt = x.reshape(B, T, H, -1), F.softplus(dt + mixer.dt_bias)
    y = _advance(kept, x, dt, -mixer.a_log.exp(), b, c) + x * mixer.skip[:, None]
    gated = (y.flatten(-2) * F.silu(z)).float().view(B, T, G, -1)
    normed = F.rms_norm(gated, gated.shape[-1:], eps=shape.norm_eps).flatten(-2)
    result: Tensor = mixer.out_proj(normed * mixer.gate_norm)
    return result


def _advance(kept: MambaState, x: Tensor, dt: Tensor, a_H: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The scan of `mamba2.py` that begins with the state, and leaves the one at its end there.

    `x` and the result `(B, T, H, K)`, `dt` `(B, T, H)`, `b` and `c` `(B, T, G, N)`.
    """
    (B, T, H, K), G = x.shape, b.shape[2]
    scaled = (x * dt[..., None]).view(B, T, G, H // G, K)
    total = (dt * a_H).cumsum(1).view(B, T, G, H // G)  # log of the decay up to each position
    if T == 1:  # the recurrence itself
        added = torch.einsum("bgn,bgjk->bgjnk", b[:, 0], scaled[:, 0])
        kept.state = kept.state * total[:, 0, ..., None, None].exp() + added
        return torch.einsum("bgn,bgjnk->bgjk", c[:, 0], kept.state).reshape(B, 1, H, K)
    if x.is_cuda and has_triton_scan():
        y = scan_population(x[None], dt[None], a_H[None], b[None], c[None])[0]
    else:
        y = scan_chunks(x * dt[..., None], dt * a_H, b, c)
    from_state = torch.einsum("btgn,bgjnk->btgjk", c, kept.state) * total.exp()[..., None]
    to_end = (total[:, -1:] - total).exp()
    added = torch.einsum("btgn,btgjk->bgjnk", b, scaled * to_end[..., None])
    kept.state = kept.state * total[:, -1, ..., None, None].exp() + added
    return y + from_state.reshape(B, T, H, K)
