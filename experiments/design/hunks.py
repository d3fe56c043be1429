"""What is asked of a whole program: each hunk of its diff left out, and each put in alone.

The diff goes from the script as it is given to the winner, both written anew from their syntax
trees: a comment, a docstring or another layout is no hunk. It has no lines of context, so hunks lie
apart and any choice of them is a text. Whether that text is a program is another matter: what does
not parse, or lacks what the task calls, is said and not trained, and what breaks when it runs fails
as any training does. Texts that are one candidate (a local variable under another name) are trained
once.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from nasarena.experiments.design.attribution import Inquiry, Question
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.candidates.syntax_tree import parse_program
from nasarena.search.errors import InvalidPattern
from nasarena.search.untrusted.one_line import one_line

MOST_HUNKS = 16  # each is trained twice on every seed


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines `first` up to `last` of the script, counted from 0, become `added`."""

    first: int
    last: int
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def text(self) -> str:
        """As a unified diff shows it."""
        head = f"@@ -{self.first + 1},{len(self.removed)} +{len(self.added)} lines @@"
        lines = [*(f"-{line}" for line in self.removed), *(f"+{line}" for line in self.added)]
        return "\n".join([head, *lines])


def split_into_hunks(script: str, winner: str) -> list[Hunk]:
    """The hunks from one text to the other, in order; at most `MOST_HUNKS`.

    Changes with nothing but blank lines between them are one hunk. Where there are too many, those
    that lie closest together are joined.
    """
    before, after = script.splitlines(), winner.splitlines()
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    spans = [code[1:] for code in matcher.get_opcodes() if code[0] != "equal"]
    place = 1
    while place < len(spans):
        if any(line.strip() for line in before[spans[place - 1][1] : spans[place][0]]):
            place += 1
        else:
            _join(spans, place)
    while len(spans) > MOST_HUNKS:
        gaps = [spans[k][0] - spans[k - 1][1] for k in range(1, len(spans))]
        _join(spans, 1 + gaps.index(min(gaps)))
    return [Hunk(a, b, tuple(before[a:b]), tuple(after[c:d])) for a, b, c, d in spans]


def apply_hunks(script: str, hunks: Iterable[Hunk]) -> str:
    """The script with some of its hunks, given in any order."""
    lines = script.splitlines()
    for hunk in sorted(hunks, key=lambda one: one.first, reverse=True):
        lines[hunk.first : hunk.last] = hunk.added
    return "\n".join(lines) + "\n"


def ask_about_hunks(space: ProgramSpace, winner: str, best: str = "") -> Inquiry:
    """The winner against the script, two questions for each hunk, the script against what is known.

    `best` is the best program known, where one is. Raises InvalidPattern for a winner that is no
    program of the space.
    """
    script, winner = _write_anew(space.drafts[0][1]), _write_anew(space.validate(winner))
    hunks = split_into_hunks(script, winner)
    parts = {f"hunk {number}": hunk.text for number, hunk in enumerate(hunks, 1)}
    texts = _Texts(space, [script, winner])
    asked = [Question("all of them", "", winner, script)]
    for name, hunk in zip(parts, hunks, strict=True):
        rest, problem = texts.make(script, [one for one in hunks if one != hunk])
        asked.append(Question("left out", name, winner, rest, problem=problem))
    for name, hunk in zip(parts, hunks, strict=True):
        alone, problem = texts.make(script, [hunk])
        asked.append(Question("added alone", name, alone, script, problem=problem))
    asked += [
        Question("script against", name, script, one)
        for name, one in space.known_candidates().items()
        if space.identity(one) not in map(space.identity, (script, winner))
    ]
    return Inquiry(winner, script, parts, asked, best)


class _Texts:
    """Programs made of hunks, the first text of each candidate standing for all of them."""

    def __init__(self, space: ProgramSpace, texts: Sequence[str]) -> None:
        self._space = space
        self._known = {space.identity(text): text for text in texts}

    def make(self, script: str, hunks: Sequence[Hunk]) -> tuple[str, str]:
        """The program with these hunks, or why it is none."""
        text = apply_hunks(script, hunks)
        try:
            self._space.validate(text)
        except InvalidPattern as error:
            return "", one_line(str(error))
        return self._known.setdefault(self._space.identity(text), text), ""


def _write_anew(source: str) -> str:
    """The same candidate without comments, docstrings and a layout of its own."""
    tree = parse_program(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            code = [one for one in body if not _is_bare_string(one)]
            node.body = code or body  # type: ignore[attr-defined]
    return ast.unparse(tree) + "\n"


def _is_bare_string(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _join(spans: list[tuple[int, int, int, int]], place: int) -> None:
    """Make one span of that at `place` and the one before it."""
    (a, _, c, _), (_, b, _, d) = spans[place - 1], spans[place]
    spans[place - 1 : place + 1] = [(a, b, c, d)]
