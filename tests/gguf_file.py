"""A GGUF file of a tiny Llama with a byte-level tokenizer, and wheels that hold pieces of files."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
WIDTH, HIDDEN, LAYERS, HEADS, PAIRS, CONTEXT = 32, 64, 2, 4, 2, 256


def write_gguf(
    file: Path, template: str | None = TEMPLATE, num_parts: int = 1, lacks: str = ""
) -> dict[str, np.ndarray[Any, Any]]:
    """Write the file; the matrices that it holds, by their names in it, all but `lacks`."""
    import gguf

    letters = sorted(_byte_letters())
    tokens = ["<|start|>", "<|end|>", *letters, "AA"]
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(PAIRS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(["A A"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    if template is not None:
        writer.add_chat_template(template)
    if num_parts > 1:
        writer.add_uint16("split.count", num_parts)
    rng = np.random.default_rng(0)
    shapes = {"token_embd.weight": (len(tokens), WIDTH), "output_norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in _block().items()}
    matrices = {
        name: rng.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()
    }
    matrices.pop(lacks, None)
    for name, matrix in matrices.items():
        writer.add_tensor(name, matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return matrices


def write_wheel(folder: Path, package: str, member: str, content: bytes) -> None:
    """A wheel of `package` 1.0 that pip takes from the folder, with one file in it."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tag)
        wheel.writestr(f"{info}/RECORD", "")


def _block() -> dict[str, tuple[int, ...]]:
    inner = PAIRS * WIDTH // HEADS
    return {
        "attn_norm": (WIDTH,), "attn_q": (WIDTH, WIDTH), "attn_k": (inner, WIDTH),
        "attn_v": (inner, WIDTH), "attn_output": (WIDTH, WIDTH), "ffn_norm": (WIDTH,),
        "ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN),
    }  # fmt: skip


def _byte_letters() -> list[str]:
    """The 256 letters by which byte-level tokenizers write bytes (GPT-2)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [256 + i for i in range(256 - len(plain))]
    return [chr(code) for code in (*plain, *others)]
