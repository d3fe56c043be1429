"""SEARCH/REPLACE blocks: found in a text, and applied to a program.

<<<<<<< SEARCH          the lines to search are taken exactly first, then without regard to
lines of the program    white space, the replacement being indented as the place is. What is
=======                 not found, or found twice, is refused, and the words show the nearest
lines in their place    piece of the program.
>>>>>>> REPLACE
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from nasarena.agents.languages.candidate import UnusableReply

_BEGIN = re.compile(r"\s*<{5,9}\s*SEARCH\s*")
_MIDDLE = re.compile(r"\s*={5,9}\s*")
_END = re.compile(r"\s*>{5,9}\s*REPLACE\s*")
MOST_BLOCKS = 50
# What a constrained reply may hold: blocks with no line that begins like theirs, and then its end.
_LINES = r"(([^<=>\n][^\n]*)?\n)*"
BLOCKS = rf"(<<<<<<< SEARCH\n{_LINES}=======\n{_LINES}>>>>>>> REPLACE\n?){{1,8}}"
_MOST_LINES = 3000  # of a program in which a nearest piece is looked for
_NEAREST = 12  # lines of it that are shown, at most


@dataclass(frozen=True, slots=True)
class Block:
    """Lines to search, and those to put in their place."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


def find_blocks(text: str) -> list[Block]:
    """The blocks in a text, in order. Raises UnusableReply for one that has no end."""
    blocks: list[Block] = []
    parts: tuple[list[str], list[str]] = ([], [])
    place: int | None = None
    for line in text.split("\n"):
        if place is None:
            if _BEGIN.fullmatch(line):
                place, parts = 0, ([], [])
        elif place == 0 and _MIDDLE.fullmatch(line):
            place = 1
        elif place == 1 and _END.fullmatch(line):
            blocks.append(Block(tuple(parts[0]), tuple(parts[1])))
            place = None
        else:
            parts[place].append(line)
    if place is not None:
        raise UnusableReply(f"SEARCH/REPLACE block {len(blocks) + 1} has no end")
    if len(blocks) > MOST_BLOCKS:
        raise UnusableReply(f"an answer has at most {MOST_BLOCKS} blocks, got {len(blocks)}")
    return blocks


def apply_blocks(program: str, blocks: Sequence[Block]) -> tuple[str, bool]:
    """The changed program, and whether white space had to be disregarded.

    Each block changes what the one before has left. Raises UnusableReply.
    """
    lines = program.split("\n")
    was_loose = False
    for number, block in enumerate(blocks, start=1):
        wanted = _without_blank_ends(block.search)
        if not wanted:
            raise UnusableReply(f"block {number} must say what to search, got nothing")
        found = [(start, start + len(wanted)) for start in _places(lines, wanted)]
        replacement = list(block.replace)
        if not found:
            found = _loose_places(lines, wanted)
            replacement = _indent_as(lines, found, wanted, replacement)
            was_loose = was_loose or bool(found)
        if len(found) != 1:
            raise _refusal(number, lines, wanted, found)
        start, end = found[0]
        lines[start:end] = replacement
    return "\n".join(lines), was_loose


def _places(lines: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted lines stand, exactly."""
    starts = [start for start, line in enumerate(lines) if line == wanted[0]]
    return [start for start in starts if list(lines[start : start + len(wanted)]) == list(wanted)]


def _loose_places(lines: Sequence[str], wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Where they stand when blank lines and the white space of the others do not matter."""
    filled = [(number, _squeeze(line)) for number, line in enumerate(lines) if line.strip()]
    squeezed = [text for _, text in filled]
    sought = [_squeeze(line) for line in wanted if line.strip()]
    return [
        (filled[start][0], filled[start + len(sought) - 1][0] + 1)
        for start in _places(squeezed, sought)
    ]


def _indent_as(
    lines: Sequence[str], found: Sequence[tuple[int, int]], wanted: Sequence[str],
    replacement: list[str],
) -> list[str]:  # fmt: skip
    """The replacement moved as the first line found is against the first line sought.

    One that begins as the place does was written for it, whatever was sought.
    """
    if len(found) != 1:
        return replacement
    there, here = _indent(lines[found[0][0]]), _indent(wanted[0])
    first = next((_indent(line) for line in replacement if line.strip()), there)
    if there in (here, first):
        return replacement
    return [
        there + line.removeprefix(here) if line.strip() and line.startswith(here) else line
        for line in replacement
    ]


def _refusal(
    number: int, lines: Sequence[str], wanted: Sequence[str], found: Sequence[tuple[int, int]]
) -> UnusableReply:
    if found:
        places = ", ".join(str(start + 1) for start, _ in found[:5])
        return UnusableReply(
            f"what block {number} searches stands in the program {len(found)} times, at lines "
            f"{places}: search more lines around it"
        )
    start = _nearest(lines, wanted)
    piece = lines[start : start + min(len(wanted), _NEAREST)]
    return UnusableReply(
        f"what block {number} searches does not stand in the program; nearest are its lines "
        f"{start + 1} to {start + len(piece)}",
        "\n".join(piece),
    )


def _nearest(lines: Sequence[str], wanted: Sequence[str]) -> int:
    """Where the piece begins that has most in common with the wanted lines."""
    sought = "\n".join(_squeeze(line) for line in wanted[:_NEAREST])[:2000]
    size = min(len(wanted), _NEAREST)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(sought)
    best, place = -1.0, 0
    for start in range(max(1, min(len(lines), _MOST_LINES) - size + 1)):
        piece = "\n".join(_squeeze(line) for line in lines[start : start + size])[:2000]
        matcher.set_seq1(piece)
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            share = matcher.ratio()
            if share > best:
                best, place = share, start
    return place


def _without_blank_ends(lines: Sequence[str]) -> list[str]:
    kept = list(lines)
    while kept and not kept[0].strip():
        kept.pop(0)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _squeeze(line: str) -> str:
    return " ".join(line.split())


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
