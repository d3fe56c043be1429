"""Text on its way to and from a model: its length in tokens, and one line of it.

Memory has to know the price of a text before a prompt exists, and no tokenizer is at hand for a
model behind a URL, so tokens are estimated from the text alone: one per capital letter, digit or
sign, one per four small letters. That is close for patterns and a little high for prose.
"""

import re

_PIECES = re.compile(r"[a-z]{1,4}|[^\sa-z]")


def estimate_tokens(text: str) -> int:
    """Tokens of a text, roughly, from above, and the same everywhere."""
    return len(_PIECES.findall(text))


def one_line(text: str, limit: int) -> str:
    """Text without line breaks, control characters or anything beyond `limit` characters."""
    text = text[: 4 * limit]
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text)
    short = " ".join(text.split())
    return short if len(short) <= limit else short[: limit - 3] + "..."


def printable_lines(text: str, limit: int) -> str:
    """The beginning of a text, without control characters but for line breaks and tabs."""
    text = text[:limit]
    return "".join(sign if sign.isprintable() or sign in "\n\t" else " " for sign in text)
