"""A GGUF file before it is converted: whole or not, a chat model or not, how large its model is."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nasarena.agents.llm.serving_size import ModelFacts
from nasarena.agents.llm.text import one_line
from nasarena.agents.models.errors import ModelUnavailable

_MAGIC = b"GGUF"
_TEMPLATE = "tokenizer.chat_template"
_PARTS = "split.count"
_NEEDED = ("transformers", "gguf", "accelerate")


def check_gguf(file: Path) -> ModelFacts:
    """The facts of the model in it.

    Raises ModelUnavailable, before anything is loaded, for a file that is not GGUF, not whole, a
    part of several, no chat model, or does not say how large its model is, and where a library is
    missing.
    """
    with open(file, "rb") as stream:
        if stream.read(4) != _MAGIC:
            raise ModelUnavailable(f"{file} is no GGUF file: it does not begin with {_MAGIC!r}")
    require_converter()
    from gguf import GGUFReader

    try:
        reader = GGUFReader(file)
        fields, num_parameters = reader.fields, sum(int(one.n_elements) for one in reader.tensors)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise ModelUnavailable(
            f"{file} is truncated or damaged: {one_line(str(error), 160)}"
        ) from error
    if _PARTS in fields and (count := int(fields[_PARTS].contents())) > 1:
        raise ModelUnavailable(
            f"{file} is one of {count} parts of a model: join them (llama-gguf-split --merge)"
        )
    if _TEMPLATE not in fields:
        raise ModelUnavailable(
            f"{file} has no chat template, so the model does not know who says what; take an "
            f"instruct model"
        )
    try:
        return _facts(fields, num_parameters)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelUnavailable(
            f"{file} is of no decoder with attention layers alone: it does not say {error}"
        ) from error


def require_converter() -> None:
    """Raise ModelUnavailable where a library that reads GGUF files is missing."""
    missing = next((name for name in _NEEDED if find_spec(name) is None), None)
    if missing:
        raise ModelUnavailable(
            f"{missing} is not installed, which reads GGUF files: pip install 'nasarena[models]'"
        )


def _facts(fields: Mapping[str, Any], num_parameters: int) -> ModelFacts:
    """Keys are those of the GGUF specification, section "LLM"."""
    kind = fields["general.architecture"].contents()

    def read(name: str) -> int:
        return int(fields[f"{kind}.{name}"].contents())

    heads = read("attention.head_count")
    pairs = (
        read("attention.head_count_kv") if f"{kind}.attention.head_count_kv" in fields else heads
    )
    is_wide = f"{kind}.attention.key_length" in fields
    width = read("attention.key_length") if is_wide else read("embedding_length") // heads
    values = 2 * read("block_count") * pairs * width
    return ModelFacts(num_parameters, values, read("context_length"))
