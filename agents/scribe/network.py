"""The network that is trained: a Qwen3-architecture decoder of any pattern, and its loss.

Its layers are a pattern of our own spaces: A attention, M MLP. What a pattern leaves out of Qwen3's
pairs of both stays zero and untrained, so the result is an ordinary Qwen3 model for every server.
Shapes: B lessons, T tokens, D width, H heads, K width of a head.
"""

import torch
from torch.nn.functional import cross_entropy
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from nasarena.agents.scribe.batches import IGNORE, Batch
from nasarena.agents.scribe.embeddings import initial_embeddings
from nasarena.agents.scribe.training_settings import Settings
from nasarena.agents.scribe.vocabulary import END, MAX_TOKENS, PAD, build_tokenizer
from nasarena.search.seeding import stream


def build_model(settings: Settings) -> Qwen3ForCausalLM:
    """Random weights, the same for one seed."""
    tokenizer, parts = build_tokenizer(), layer_parts(settings.layers)
    config = Qwen3Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=settings.width,
        intermediate_size=settings.mlp,
        num_hidden_layers=len(parts),
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        head_dim=settings.width // settings.heads,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.token_to_id(PAD),
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(END),
    )
    ALL_ATTENTION_FUNCTIONS.register("plain", plain_attention)
    config._attn_implementation = "plain"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = Qwen3ForCausalLM(config)
    embeddings = initial_embeddings(settings.width, stream(settings.seed, "embeddings"))
    model.model.embed_tokens.weight.data.copy_(torch.from_numpy(embeddings))
    for layer, (attends, transforms) in zip(model.model.layers, parts, strict=True):
        layer.self_attn.o_proj.weight.data.zero_()  # each layer starts as the identity
        layer.mlp.down_proj.weight.data.zero_()
        if not attends:
            layer.self_attn.requires_grad_(False)
            layer.self_attn.forward = lambda hidden_states, **_: (0 * hidden_states, None)
        if not transforms:
            layer.mlp.requires_grad_(False)
            layer.mlp.forward = lambda hidden_states: 0 * hidden_states
    return model


def layer_parts(pattern: str) -> list[tuple[bool, bool]]:
    """Which of attention and MLP each layer of Qwen3 has, in the order of a pattern of A and M.

    Raises ValueError for another letter: Qwen3 has no Mamba.
    """
    if not pattern or set(pattern) - set("AM"):
        raise ValueError(f"expected layers of the letters A and M, got {pattern!r}")
    parts: list[tuple[bool, bool]] = []
    for letter in pattern:
        if letter == "A":
            parts.append((True, False))
        elif parts and not parts[-1][1]:
            parts[-1] = (parts[-1][0], True)
        else:
            parts.append((False, True))
    return parts


def plain_attention(
    module: torch.nn.Module,
    query_BHTK: torch.Tensor,
    key_BHTK: torch.Tensor,
    value_BHTK: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention by three plain products: on a CPU in bfloat16 far faster backwards than fused."""
    with torch.autocast("cpu", enabled=False):
        scores_BHTT = query_BHTK @ key_BHTK.transpose(-1, -2) * scaling + attention_mask
        mixed_BHTK = torch.softmax(scores_BHTT, -1) @ value_BHTK.to(scores_BHTT.dtype)
    return mixed_BHTK.transpose(1, 2).contiguous(), None


def token_losses(
    model: Qwen3ForCausalLM, batch: Batch, prompt_weight: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cross-entropy, weight and id of each target; the layers compute in bfloat16.

    To predict a prompt itself teaches what places, letters and the best pattern are, on every line.
    """
    segments_BT = torch.from_numpy(batch.segments_BT)
    targets_BT = torch.from_numpy(batch.targets_BT)
    own_BTT = segments_BT[:, None, :] == segments_BT[:, :, None]
    seen_BTT = (own_BTT | (segments_BT[:, None, :] == 0)).tril()
    mask_BTT = torch.zeros(seen_BTT.shape, dtype=torch.bfloat16).masked_fill_(~seen_BTT, -1e4)
    wanted_BT = targets_BT != IGNORE
    weights = torch.where(segments_BT[wanted_BT] == 0, prompt_weight, 1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden_BTD = model.model(
            input_ids=torch.from_numpy(batch.ids_BT),
            position_ids=torch.from_numpy(batch.positions_BT),
            attention_mask=mask_BTT[:, None],
            use_cache=False,
        ).last_hidden_state
        logits = model.lm_head(hidden_BTD[wanted_BT])
    targets = targets_BT[wanted_BT]
    return cross_entropy(logits.float(), targets, reduction="none"), weights, targets
