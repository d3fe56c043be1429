"""Tokenizers: what a token stands for in bytes, and what is refused."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from nasarena.proxies.data.tokenizer import (
    END,
    ByteTokenizer,
    VocabularyTokenizer,
    byte_ends,
    parse_tokenizer,
    read_tokenizer,
    train_tokenizer,
)
from nasarena.search.errors import InvalidSetting

# One to four bytes a character, blanks at both ends, and nothing at all.
TEXTS = ["the cat sat on the mat", " caf\u00e9 \u4e2d\u6587\U0001f600 \n", "", "  ", "\x00\ufffd"]
NUM_BYTES = [len(text.encode()) + 1 for text in TEXTS]  # a line break, or the end of a document


@pytest.fixture(scope="module")
def bpe() -> VocabularyTokenizer:
    return train_tokenizer(["the cat sat on the mat, the cat sat"] * 9, 300)


def word_piece(lowercase: bool = True) -> VocabularyTokenizer:
    """Words in pieces, blanks dropped, accents stripped: nothing of it can be undone."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    if lowercase:
        steps = [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
        tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordPieceTrainer(
        vocab_size=60, special_tokens=["[UNK]", "[SEP]"], show_progress=False
    )
    tokenizer.train_from_iterator(["the cat sat on the mat caf\u00e9"] * 5, trainer)
    return VocabularyTokenizer(tokenizer.to_str())


def test_bytes_are_tokens_of_one_byte() -> None:
    for text, (ids, widths) in zip(TEXTS, ByteTokenizer().encode(TEXTS), strict=True):
        assert bytes(ids.tolist()) == text.encode() + b"\n" and (widths == 1).all()


def test_a_trained_tokenizer_gives_the_text_back_and_its_widths_are_the_bytes(
    bpe: VocabularyTokenizer,
) -> None:
    """Against the bytes that every prefix of the ids decodes to, token by token."""
    assert bpe.vocab_size <= 300
    library = Tokenizer.from_str(bpe.definition)
    to_byte = {character: byte for byte, character in byte_characters().items()}
    for text, (ids, widths) in zip(TEXTS, bpe.encode(TEXTS), strict=True):
        assert library.decode(ids.tolist()) == text  # the end of a document is not part of it
        assert ids[-1] == library.token_to_id(END) and widths[-1] == 1
        assert widths.sum() == len(text.encode()) + 1
        start = 0
        for index, width in zip(ids[:-1].tolist(), widths[:-1].tolist(), strict=True):
            token = bytes(to_byte[character] for character in library.id_to_token(index))
            assert text.encode()[start : start + width] == token
            start += width


def byte_characters() -> dict[int, str]:
    """GPT-2's table, from its description: printable bytes stand for themselves, others follow."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    shifted = {byte: chr(256 + place) for place, byte in enumerate(others)}
    return {**{byte: chr(byte) for byte in printable}, **shifted}


def test_frequent_words_become_one_token(bpe: VocabularyTokenizer) -> None:
    ((ids, widths),) = bpe.encode(["the cat sat"])
    assert widths.tolist() == [3, 4, 4, 1] and len(ids) == 4


def test_bytes_add_up_to_the_text_for_tokenizers_that_drop_and_change_some_of_it() -> None:
    for tokenizer in (word_piece(), word_piece(lowercase=False)):
        for num_bytes, (ids, widths) in zip(NUM_BYTES, tokenizer.encode(TEXTS), strict=True):
            assert len(ids) == len(widths) and (widths >= 0).all()
            assert widths.sum() == num_bytes


def test_dropped_blanks_belong_to_the_token_after_them() -> None:
    ((_, widths),) = word_piece().encode(["the  cat "])
    cut = [0, *np.cumsum(widths).tolist()]
    pieces = [b"the  cat \n"[start:end] for start, end in pairwise(cut)]
    assert b"".join(pieces) == b"the  cat \n" and pieces[0] == b"the" and pieces[-1] == b"\n"


def test_without_an_end_of_document_the_line_break_is_encoded(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        [], trainers.BpeTrainer(vocab_size=256, initial_alphabet=alphabet, show_progress=False)
    )
    bare = VocabularyTokenizer(tokenizer.to_str())  # no decoder either: widths by place
    assert bare.end is None
    for text, (ids, widths) in zip(TEXTS, bare.encode(TEXTS), strict=True):
        assert len(ids) == widths.sum() == len(text.encode()) + 1


def test_truncation_padding_and_special_tokens_of_a_file_are_not_used(
    bpe: VocabularyTokenizer, tmp_path: Path
) -> None:
    library = Tokenizer.from_str(bpe.definition)
    library.enable_truncation(2)
    library.enable_padding(length=50)
    library.post_processor = processors.TemplateProcessing(f"{END} $A", None, [(END, 0)])
    library.save(str(tmp_path / "tokenizer.json"))
    read = read_tokenizer(str(tmp_path / "tokenizer.json"))
    for one, other in zip(read.encode(TEXTS), bpe.encode(TEXTS), strict=True):
        assert one[0].tolist() == other[0].tolist()


def test_bytes_before_each_character() -> None:
    text = TEXTS[1]
    expected = [len(text[:place].encode()) for place in range(len(text) + 1)]
    assert byte_ends(text).tolist() == expected


def test_a_fingerprint_is_of_what_the_file_says(bpe: VocabularyTokenizer, tmp_path: Path) -> None:
    spaced = json.dumps(json.loads(bpe.definition), indent=3)
    assert VocabularyTokenizer(spaced).fingerprint == bpe.fingerprint
    assert train_tokenizer(["abab"] * 3, 300).fingerprint != bpe.fingerprint
    again = train_tokenizer(["the cat sat on the mat, the cat sat"] * 9, 300)
    assert again.fingerprint == bpe.fingerprint


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train:", "needs at least 257, for every byte"),
        ("train:many", "got 'train:many'"),
        ("train:256", "needs at least 257"),
        ("lost.json", "got 'lost.json': No such file"),
        ("broken.json", "that the tokenizers library can read, got 'broken.json'"),
    ],
)
def test_what_is_no_tokenizer_is_one_line(
    setting: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.json").write_text('{"model": {}}')
    with pytest.raises(InvalidSetting) as caught:
        parse_tokenizer(setting)
    assert words in str(caught.value) and "\n" not in str(caught.value)
