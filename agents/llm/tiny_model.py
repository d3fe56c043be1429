"""A model of 1.2 million random parameters with a tokenizer and a chat template, made on the spot.

It says nothing sensible, and that is its use: served by a real vLLM, it exercises everything but
the quality of what is said, and obeys a constraint only if the server enforces it. Byte-level BPE
of 4,000 tokens, trained on sources of the standard library; Qwen3 architecture. Made in seconds.
"""

from pathlib import Path

_TOKENS = 4000
_SPECIAL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
_TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_tiny_model(folder: Path, seed: int = 0, context: int = 2048, template: bool = True) -> int:
    """Write a model into `folder` in transformers format; returns its number of parameters."""
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=_TOKENS,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=64,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        eos_token_id=0,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):  # the weights' own stream; ours stays untouched
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    generation = GenerationConfig(eos_token_id=0, pad_token_id=0)  # type: ignore[no-untyped-call]
    model.generation_config = generation
    model.save_pretrained(folder)
    _write_tokenizer(folder, template)
    return int(model.num_parameters())


def _write_tokenizer(folder: Path, template: bool) -> None:
    import argparse
    import email.message
    import json

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    sources = [str(module.__file__) for module in (argparse, email.message, json)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_TOKENS,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train(sources, trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=_SPECIAL[0], pad_token=_SPECIAL[0]
    )
    if template:
        fast.chat_template = _TEMPLATE
    fast.save_pretrained(folder)
