"""What a report on scaling consists of, before it is markdown or a page: sections of plain text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nasarena.figures.report.markdown import escape


@dataclass(frozen=True, slots=True)
class Rows:
    """A table; the first cell of a row names it. A cell may be an estimate with limits after it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Points:
    """A list of sentences."""

    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks under a sentence; a page shows them at once only where `is_open`."""

    title: str
    blocks: Sequence["str | Rows"]
    is_open: bool


Block = str | Rows | Points | Folded  # a str is a paragraph


@dataclass(frozen=True, slots=True)
class Section:
    """`name` is its anchor; `figure` is the name of the figure that belongs to it."""

    name: str
    title: str
    blocks: Sequence[Block]
    figure: str | None = None


def to_markdown(sections: Sequence[Section]) -> Iterator[str]:
    """Lines; whatever a text says, it stays text."""
    for section in sections:
        yield from (f"## {escape(section.title)}", "")
        for block in section.blocks:
            yield from _lines(block)


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Folded):
        for inner in (block.title, *block.blocks):
            yield from _lines(inner)
        return
    if isinstance(block, Rows):
        yield from _table(block)
    elif isinstance(block, Points):
        yield from (f"- {escape(text)}" for text in block.texts)
    else:
        yield escape(block)
    yield ""


def _table(block: Rows) -> Iterator[str]:
    for line in (block.head, ["---"] * len(block.head), *block.rows):
        yield f"| {' | '.join(escape(cell) for cell in line)} |"
