"""Cards of the literature: what stands on them, which are found, and what the modes show."""

import re
import sys
from itertools import pairwise
from math import log
from statistics import mean

import pytest

from nasarena.agents import hints
from nasarena.agents.literature import library
from nasarena.agents.literature.cards import MOST_WORDS, load_cards
from nasarena.agents.literature.library import NUM_CARDS, Reading, read_literature
from nasarena.agents.options import AgentOptions
from nasarena.proxies.lra.catalogue import edit_space
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream

TASK = "train a small GPT on bytes within a budget of seconds; lower bits per byte is better"
# No card of another field may speak of what a training script is made of.
OURS = re.compile(
    r"\b(neural|network|learn|train|gradient|loss|optimi[sz]|attention|transformer|layer|weights"
    r"|batch|schedule|momentum|token|embedding|activation|initiali[sz]|regulari[sz]|model)",
    re.IGNORECASE,
)


@pytest.mark.parametrize(("shelf", "least"), [("cards", 40), ("placebo", 12)])
def test_every_card_is_complete_short_and_has_its_own_name(shelf: str, least: int) -> None:
    cards = load_cards(shelf)  # type: ignore[arg-type]
    assert len(cards) >= least
    assert len({card.id for card in cards}) == len({card.title for card in cards}) == len(cards)
    for card in cards:
        assert len(card.text.split()) <= MOST_WORDS, card.id
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", card.id)
        assert re.search(r"\b(19|20)\d\d\b", card.citation), card.id
        assert all("\n" not in text for text in (card.title, card.idea, card.when, card.cost))


def test_cards_of_the_field_name_a_preprint_or_a_journal() -> None:
    for card in load_cards("cards"):
        assert re.search(r"arXiv:\d{4}\.\d{4,5}$|JMLR \d+:\d+-\d+$", card.citation), card.citation


def test_a_placebo_is_as_long_and_of_no_use() -> None:
    lengths = {
        shelf: mean(len(card.text.split()) for card in load_cards(shelf))
        for shelf in ("cards", "placebo")
    }
    assert 0.9 < lengths["placebo"] / lengths["cards"] < 1.15
    for card in load_cards("placebo"):
        assert not OURS.search(card.text), card.id
    assert OURS.search("it learns")


@pytest.mark.parametrize(
    ("parent", "failure", "expected"),
    [
        ("loss=focal focal_gamma=2", "", "focal-loss"),
        ("positions=rotary", "", "rotary-positions"),
        ("window=8", "", "sliding-window"),
        ("tie_embeddings=on", "", "tie-embeddings"),
        ("schedule=warmdown", "", "stable-then-decay"),
        ("depth=2", "loss is NaN after spikes: clip the norm of gradients", "clip-gradients"),
        ("label_smoothing=0.1", "", "label-smoothing"),
    ],
)
def test_what_is_worked_on_finds_its_card(parent: str, failure: str, expected: str) -> None:
    assert expected in read_literature("on", "", parent, failure).ids


def test_a_program_finds_cards_by_its_names() -> None:
    source = "def newton_schulz(matrix):\n    # muon: orthogonal update of momentum\n    return 1\n"
    assert "orthogonal-updates" in read_literature("on", TASK, source).ids


def test_a_failure_weighs_more_than_the_parent() -> None:
    with_failure = read_literature("on", "", "dropout", "cosine schedule", count=1)
    assert with_failure.ids == ("cosine",)
    assert read_literature("on", "", "dropout", count=1).ids == ("dropout",)


def test_the_modes_show_their_own_cards_or_nothing() -> None:
    on, placebo = read_literature("on", TASK), read_literature("placebo", TASK)
    assert len(on.ids) == len(placebo.ids) == NUM_CARDS
    assert set(on.ids) <= {card.id for card in load_cards("cards")}
    assert set(placebo.ids) <= {card.id for card in load_cards("placebo")}
    assert read_literature("off", TASK) == Reading("", ())
    for card in load_cards("cards"):
        assert (card.text in on.text) == (card.id in on.ids)
        assert card.text not in placebo.text


def test_a_chain_reads_on_until_all_is_read() -> None:
    seen: list[str] = []
    for _ in range(6):
        seen += read_literature("placebo", TASK, read_before=seen).ids
    assert len(set(seen)) == 16
    assert len(seen) == 18  # the last two begin again


def test_who_starts_from_nothing_draws_among_the_best() -> None:
    drawn = [read_literature("on", TASK, rng=stream(seed, "x")).ids for seed in range(20)]
    best = read_literature("on", TASK, count=4 * NUM_CARDS).ids
    assert len(set(drawn)) > 10
    assert {card for ids in drawn for card in ids} == set(best)
    assert all(len(set(ids)) == NUM_CARDS for ids in drawn)
    assert read_literature("on", TASK, rng=stream(3, "x")).ids == drawn[3]


def test_the_same_question_gets_the_same_cards_in_the_order_of_their_scores() -> None:
    asked = [read_literature("on", TASK, "depth=1 clip=1", count=71) for _ in range(2)]
    assert asked[0] == asked[1]
    library._index.cache_clear()
    assert read_literature("on", TASK, "depth=1 clip=1", count=71) == asked[0]
    places = [asked[0].text.index(f"[{name}]") for name in asked[0].ids]
    assert all(first < second for first, second in pairwise(places))


def test_the_scores_are_bm25() -> None:
    """Against the formula of Robertson and Zaragoza with Lucene's idf, k1 = 1.5 and b = 0.75."""
    index, _ = library._index("cards")
    texts = [f"{c.id} {c.title} {c.idea} {c.when} {c.cost}".lower() for c in load_cards("cards")]
    lengths = [len(re.findall(r"[a-z]+[0-9]*", text)) for text in texts]
    counts = [len(re.findall(r"\bdropout\b", text)) for text in texts]
    holding = sum(count > 0 for count in counts)
    rarity = log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
    expected = [
        rarity * count / (count + 1.5 * (0.25 + 0.75 * length / mean(lengths)))
        for count, length in zip(counts, lengths, strict=True)
    ]
    assert holding == 2
    assert index.get_scores(["dropout"]).tolist() == pytest.approx(expected, rel=1e-5)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm25s", None)
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    with pytest.raises(InvalidSetting, match=r"pip install 'nasarena\[literature\]'"):
        read_literature("placebo", TASK)
    assert read_literature("off", TASK).ids == ()


@pytest.mark.parametrize("task", ["lra-listops", "lra-text", "lra-retrieval"])
def test_a_task_is_looked_up_by_what_it_says_of_itself(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def read(mode: str, about: str, *_: object) -> Reading:
        asked.append(about)
        return Reading()

    monkeypatch.setattr(hints, "read_literature", read)
    options = AgentOptions(literature="on")
    hints.find_hint(edit_space(task), options, "draft", None, None, 0)
    assert len(asked) == 1 and "An encoder reads" in asked[0]
    hints.find_hint(edit_space(task), AgentOptions(), "draft", None, None, 0)
    assert len(asked) == 1  # with literature off nothing is looked up
