"""Text of others on one line of ours: reasons, names and paths, for terminals and reports."""


def one_line(text: object) -> str:
    """`text` without line breaks; what is not printable (escape sequences, lone surrogates, signs
    that turn the direction of writing) is spelt out, so that it does nothing.
    """
    folded = " ".join(str(text).split())
    if folded.isprintable():
        return folded
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in folded
    )
