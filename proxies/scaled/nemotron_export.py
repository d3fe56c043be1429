"""A trained model as a NemotronH checkpoint, which transformers and vLLM load.

Only what that architecture can express: attention without rotary positions and the squared-ReLU MLP
(vLLM computes squared ReLU whatever the configuration says). Layers are named twice in config.json:
`layers_block_type` for transformers (named as 5.13 and later do) and `hybrid_override_pattern` for
vLLM. The architecture ties no embeddings: a tied head is written as a copy.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from nasarena.proxies.data.tokenizer import VocabularyTokenizer
from nasarena.proxies.scaled.checkpoint import Checkpoint
from nasarena.proxies.scaled.model import ScaledModel
from nasarena.proxies.scaled.token_definition import byte_tokenizer
from nasarena.search.errors import InvalidSetting, ProxyFailed
from nasarena.search.notation import LETTERS, run_lengths

_CONTEXT = 4096  # positions; the architecture has no table of them, servers ask for a bound


def export_model(
    model: ScaledModel, checkpoint: Checkpoint, folder: Path, tokenizer: str | None = None
) -> None:
    """Write the folder: config.json, weights in float32, tokenizer and model card.

    `tokenizer` is the JSON of the tokens that were trained on; None: bytes. Raises InvalidSetting
    for what NemotronH cannot express, a tokenizer of another vocabulary and a folder that holds
    something, ProxyFailed where nothing can be written.
    """
    refuse_inexpressible(model)
    definition = tokenizer or byte_tokenizer()
    vocabulary = VocabularyTokenizer(definition)
    if vocabulary.vocab_size != model.shape.vocab_size:
        raise InvalidSetting(
            f"tokenizer must have the {model.shape.vocab_size} tokens of the model, "
            f"got {vocabulary.vocab_size}"
        )
    texts = {
        "tokenizer.json": definition,
        "tokenizer_config.json": _json({"tokenizer_class": "PreTrainedTokenizerFast"}),
        "README.md": _model_card(model, checkpoint),
        "config.json": _json(nemotron_config(model, vocabulary.end)),  # last: makes it loadable
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InvalidSetting(f"the folder of an export must be empty or new, got {folder}")
        save_file(nemotron_weights(model), folder / "model.safetensors", {"format": "pt"})
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProxyFailed(
            f"cannot write {folder}: {' '.join(reason.split())}; remove it and export again"
        ) from error


def refuse_inexpressible(model: ScaledModel) -> None:
    """Raise InvalidSetting for what NemotronH cannot express."""
    shape, pattern = model.shape, model.pattern
    if shape.rotary and "A" in pattern:
        raise InvalidSetting(
            "rotary must be false for an export: NemotronH's attention has no rotary positions, "
            "and without them this model would answer nonsense"
        )
    if shape.mlp != "relu2" and "M" in pattern:
        raise InvalidSetting(
            f"mlp must be relu2 for an export, got {shape.mlp}: NemotronH's MLP is squared ReLU"
        )


def nemotron_config(model: ScaledModel, end: int | None) -> dict[str, Any]:
    """What config.json says; `end` is the id of the token that ends a document, if there is one."""
    shape, pattern = model.shape, model.pattern
    return {
        "architectures": ["NemotronHForCausalLM"],
        "model_type": "nemotron_h",
        "dtype": "float32",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.width,
        "layers_block_type": [LETTERS[letter].transformers for letter in pattern],
        "hybrid_override_pattern": "".join(LETTERS[letter].nemotron for letter in pattern),
        "num_hidden_layers": len(pattern),
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        "head_dim": shape.head_dim,
        "attention_bias": False,
        "intermediate_size": shape.mlp_hidden,
        "mlp_hidden_act": "relu2",
        "mlp_bias": False,
        "mamba_num_heads": shape.mamba_heads,
        "mamba_head_dim": shape.mamba_head_dim,
        "ssm_state_size": shape.mamba_state,
        "n_groups": shape.mamba_groups,
        "conv_kernel": shape.mamba_conv,
        "use_conv_bias": True,
        "mamba_proj_bias": False,
        "use_bias": False,
        "layer_norm_epsilon": shape.norm_eps,
        "time_step_min": 0.0,  # below it transformers would cut dt off, neither we nor vLLM do
        "residual_in_fp32": False,
        "use_cache": "A" in pattern,  # transformers has no cache without attention
        "tie_word_embeddings": False,
        "max_position_embeddings": _CONTEXT,
        "bos_token_id": None,
        "eos_token_id": end,
        "pad_token_id": None,
    }


def nemotron_weights(model: ScaledModel) -> dict[str, Tensor]:
    """Weights by the names of NVIDIA's checkpoints, which both transformers and vLLM map."""
    state = model.state_dict()
    found = {
        "backbone.embeddings.weight": state["embedding.weight"],
        "backbone.norm_f.weight": state["final_norm.weight"],
        "lm_head.weight": state.get("head.weight", state["embedding.weight"]).clone(),
    }
    for slot, letter in enumerate(model.pattern):
        layer = f"layers.{slot}"
        found[f"backbone.{layer}.norm.weight"] = state[f"{layer}.norm.weight"]
        mixer = {
            name.removeprefix(f"{layer}.mixer."): tensor
            for name, tensor in state.items()
            if name.startswith(f"{layer}.mixer.")
        }
        named = _attention(model, mixer) if letter == "A" else _rename(letter, mixer)
        found |= {f"backbone.{layer}.mixer.{name}": tensor for name, tensor in named.items()}
    return {name: tensor.float().contiguous() for name, tensor in found.items()}


def _attention(model: ScaledModel, mixer: Mapping[str, Tensor]) -> dict[str, Tensor]:
    shape = model.shape
    queries, keys = shape.num_heads * shape.head_dim, shape.num_kv_heads * shape.head_dim
    parts = torch.split(mixer["in_proj.weight"], [queries, keys, keys])
    names = ("q_proj.weight", "k_proj.weight", "v_proj.weight")
    return {**dict(zip(names, parts, strict=True)), "o_proj.weight": mixer["out_proj.weight"]}


def _rename(letter: str, mixer: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if letter == "M":
        return {
            "up_proj.weight": mixer["in_proj.weight"],
            "down_proj.weight": mixer["out_proj.weight"],
        }
    return {
        "in_proj.weight": mixer["in_proj.weight"],
        "conv1d.weight": mixer["conv"][:, None],
        "conv1d.bias": mixer["conv_bias"],
        "dt_bias": mixer["dt_bias"],
        "A_log": mixer["a_log"],
        "D": mixer["skip"],
        "norm.weight": mixer["gate_norm"],
        "out_proj.weight": mixer["out_proj.weight"],
    }


def _model_card(model: ScaledModel, checkpoint: Checkpoint) -> str:
    settings, shape = checkpoint.identity["settings"], model.shape
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [nemotron_h, layer-pattern, nasarena]
---

# A layer pattern trained by nasarena

| | |
|---|---|
| pattern | `{run_lengths(model.pattern)}` (A attention, M MLP, S Mamba-2) |
| parameters | {model.num_parameters:,} |
| width, heads of queries, of keys | {shape.width}, {shape.num_heads}, {shape.num_kv_heads} |
| hidden features of an MLP | {shape.mlp_hidden}, squared ReLU |
| Mamba-2 heads, their features | {shape.mamba_heads}, {shape.mamba_head_dim} |
| states of each, groups | {shape.mamba_state}, {shape.mamba_groups} |
| steps, sequences a step | {checkpoint.step:,}, {settings["batch_size"]} |
| peak learning rate | {settings["learning_rate"]:g} |
| seed | {checkpoint.identity["seed"]} |
| data, by fingerprint | `{checkpoint.identity["task"]}` |

A research artefact of an architecture search: it was not tuned for use, and nothing was filtered
from its data. Attention has no rotary positions. Load it with `AutoModelForCausalLM` of
transformers 5.13 or later, or serve it with vLLM.
"""


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2) + "\n"
