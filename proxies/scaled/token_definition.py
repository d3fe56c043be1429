"""What tokens mean, as the JSON of the `tokenizers` library, for those who load a model."""

from nasarena.proxies.data.text_data import open_corpus
from nasarena.proxies.data.text_settings import TextSettings

_NUM_BYTES = 256


def tokenizer_json(settings: TextSettings) -> str | None:
    """The tokenizer of a text, for `Cell.tokenizer`; None where its tokens are bytes."""
    if settings.is_in_memory:
        return None
    file = open_corpus(settings).folder / "tokenizer.json"
    return file.read_text(encoding="utf-8") if file.exists() else None


def byte_tokenizer() -> str:
    """The JSON of a tokenizer with one token for each byte, whose id is the byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    # Byte-level tokenizers write printable bytes as they are, the others as letters from 256 on.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(_NUM_BYTES) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    letters |= {chr(_NUM_BYTES + place): byte for place, byte in enumerate(others)}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return str(tokenizer.to_str())
