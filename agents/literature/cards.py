"""A card: one idea of the field in our own words, when it helps, what it costs, who says so.

`cards.yaml` has those that may help, `placebo.yaml` as many words a card about other fields.
"""

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

MOST_WORDS = 120  # of a card, citation included
Shelf = Literal["cards", "placebo"]


@dataclass(frozen=True, slots=True)
class Card:
    """`id` is what the record of a run calls it by. All fields are texts on one line."""

    id: str
    title: str
    idea: str
    when: str
    cost: str
    citation: str

    @property
    def text(self) -> str:
        """The card as a prompt shows it."""
        return (
            f"{self.title}. {self.idea} When: {self.when} Cost: {self.cost} "
            f"Source: {self.citation}."
        )


@cache
def load_cards(shelf: Shelf) -> tuple[Card, ...]:
    """All cards of a shelf in the order of the file. Raises ValueError for a file out of order."""
    text = files(__package__).joinpath(f"{shelf}.yaml").read_text(encoding="utf-8")
    found = tuple(_card(entry) for entry in yaml.safe_load(text))
    if len({card.id for card in found}) < len(found):
        raise ValueError(f"{shelf}.yaml names a card twice")
    return found


def _card(entry: dict[str, object]) -> Card:
    names = [field.name for field in fields(Card)]
    texts = [value for value in entry.values() if isinstance(value, str) and value.strip()]
    if list(entry) != names or len(texts) < len(names):
        raise ValueError(f"a card needs {', '.join(names)}, each a text; got {entry}")
    card = Card(**dict(zip(names, texts, strict=True)))
    if len(card.text.split()) > MOST_WORDS:
        raise ValueError(f"card {card.id} has more than {MOST_WORDS} words")
    return card
