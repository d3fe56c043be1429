"""ListOps: values by hand and by another evaluator, the generator's rules, and its distribution."""

import re
from statistics import median

import numpy as np
import pytest

from nasarena.proxies.lra.listops import (
    DIGITS,
    OPERATORS,
    TOKENS,
    ListOpsRules,
    draw_trees,
    encode_tree,
)
from nasarena.proxies.lra.tasks import load_data
from nasarena.search.errors import InvalidSetting

RULES = ListOpsRules(max_depth=5, max_arguments=6, min_length=8, max_length=60)
TREES = draw_trees(RULES, 1500, seed=3)


def value_of(text: str) -> int:
    """An evaluator of its own: innermost lists become digits until one digit is left."""
    inner = re.compile(r"\[(MIN|MAX|MED|SM)((?: \d)+) \]")
    work = {
        "MIN": min,
        "MAX": max,
        "MED": lambda v: int(np.median(v)),
        "SM": lambda v: sum(v) % 10,
    }
    while len(text) > 1:
        text = inner.sub(lambda m: str(work[m[1]]([int(one) for one in m[2].split()])), text)
    return int(text)


@pytest.mark.parametrize(
    ("operator", "values", "result"),
    [
        ("[MIN", [4, 3, 9], 3),
        ("[MAX", [4, 3, 9], 9),
        ("[MED", [9, 1, 4], 4),
        ("[MED", [1, 2], 1),  # 1.5 without its half
        ("[MED", [0, 5, 8, 9], 6),
        ("[SM", [7, 8, 9], 4),
    ],
)
def test_operators_by_hand(operator: str, values: list[int], result: int) -> None:
    assert OPERATORS[operator](values) == result


def test_a_nested_list_by_hand() -> None:
    assert value_of("[MAX 4 3 [MIN 2 3 ] 1 0 [MED 1 5 8 9 2 ] ]") == 5


def test_every_value_agrees_with_another_evaluator() -> None:
    assert [value for _, value in TREES] == [value_of(text) for text, _ in TREES]


def test_trees_are_distinct_and_keep_the_rules() -> None:
    assert len({text for text, _ in TREES}) == len(TREES)
    for text, _ in TREES:
        tokens = text.split(" ")
        assert RULES.min_length <= len(tokens) <= RULES.max_length
        depth, counts, deepest = 0, [0], 0
        for token in tokens:
            if token == "]":
                assert 2 <= counts.pop() <= RULES.max_arguments
                depth -= 1
            else:
                counts[-1] += 1
                if token.startswith("["):
                    depth += 1
                    counts.append(0)
            deepest = max(deepest, depth)
        assert (depth, counts) == (0, [1])
        assert deepest <= RULES.max_depth - 1  # at the last level there are digits alone


def test_without_a_bound_on_length_shares_are_those_of_the_generator() -> None:
    loose = ListOpsRules(max_depth=3, max_arguments=10, min_length=1, max_length=10_000)
    children = [text.split(" ") for text, _ in draw_trees(loose, 3000, seed=0)]
    roots = [tokens[0] for tokens in children]
    for operator in OPERATORS:
        assert roots.count(operator) / len(roots) == pytest.approx(0.25, abs=0.03)
    direct = [count_arguments(tokens) for tokens in children]
    digits, lists = (sum(column) for column in zip(*direct, strict=True))
    assert digits / (digits + lists) == pytest.approx(0.75, abs=0.01)
    assert median(a + b for a, b in direct) == 6  # 2 to 10, uniform
    counts = np.bincount([a + b for a, b in direct], minlength=11)[2:]
    # Short lists come twice more often and count once: the longer half is uniform.
    assert counts[2:].max() / counts[2:].min() < 1.3


def count_arguments(tokens: list[str]) -> tuple[int, int]:
    """Digits and lists directly under the root."""
    depth, digits, lists = 0, 0, 0
    for token in tokens[1:-1]:
        if token == "]":
            depth -= 1
        elif depth == 0:
            digits += token in DIGITS
            lists += token not in DIGITS
        if token.startswith("["):
            depth += 1
    return digits, lists


def test_published_lengths_can_be_drawn() -> None:
    (tree,) = draw_trees(ListOpsRules(), 1, seed=1)
    assert 500 <= len(tree[0].split(" ")) <= 2000
    assert tree[1] == value_of(tree[0])


def test_a_draw_depends_on_its_seed_alone() -> None:
    assert draw_trees(RULES, 20, seed=3) == TREES[:20]
    assert draw_trees(RULES, 20, seed=4) != TREES[:20]


def test_rules_that_give_too_few_trees_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="gives only .* of 100 different trees"):
        draw_trees(
            ListOpsRules(max_depth=2, max_arguments=2, min_length=99, max_length=100), 100, 0
        )


def test_a_row_by_hand() -> None:
    row = encode_tree("[MIN 0 9 ]", 8)
    assert row.tolist() == [1, TOKENS["[MIN"], 2, 11, TOKENS["]"], 0, 0, 0]
    assert len(set(TOKENS.values())) == 15
    assert min(TOKENS.values()) == 2


def test_splits_share_no_tree_and_labels_are_values() -> None:
    data = load_data("lra-listops", "cpu", None)
    rows = {name: {row.tobytes() for row in one.inputs} for name, one in data.splits.items()}
    assert {name: len(found) for name, found in rows.items()} == {
        "train": 12_000, "search": 2000, "held_out": 2000,
    }  # fmt: skip
    assert not rows["train"] & rows["search"] | rows["held_out"] & (rows["train"] | rows["search"])
    words = {number: token for token, number in TOKENS.items()}
    held_out = data.splits["held_out"]
    for row, label in zip(held_out.inputs[:50], held_out.labels[:50], strict=True):
        assert value_of(" ".join(words[number] for number in row[1:] if number)) == label
