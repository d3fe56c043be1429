"""The part of the report on chains: each run of an agent on code as a tree of its proposals.

A draft is a root, what improves, mends or crosses it hangs below its first parent, with the
difference to that parent, what was noted of the training, and what the agent said and learned. All
of it is text: the template escapes it, and the page folds it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff

from nasarena.figures.results.analysis import Analysis
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import Trial

_MOST_CHARACTERS = 600_000  # of the report's five megabytes
_LIMITS = (6000, 2000, 600, 150)  # of one text
_OPERATOR = "operator"
_SHOWN = "name"  # beside the operator; all other details are listed


@dataclass(frozen=True, slots=True)
class Node:
    """A trial: what it is called, what came of it, texts under their headings, its children.

    `depth` counts its ancestors. Nodes stand in a list, each before its children.
    """

    title: str
    outcome: str
    is_best: bool
    depth: int
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """All proposals of one run; `num_repaired` counts repairs that got a score."""

    searcher: str
    seed: int | None
    nodes: tuple[Node, ...]
    num_repairs: int
    num_repaired: int


def chains(analysis: Analysis) -> list[Chain]:
    """The trees of all runs with operators on a space of code, in order of the runs."""
    if "task" not in (analysis.tables.condition.get("space") or {}):
        return []
    found = [
        _chain(run.searcher, run.seed, run.record)
        for run in analysis.runs
        if any(_OPERATOR in trial.details for trial in run.record.trials())
    ]
    for limit in _LIMITS:
        cut = [replace(one, nodes=tuple(_cut(n, limit) for n in one.nodes)) for one in found]
        if sum(_length(one) for one in cut) <= _MOST_CHARACTERS:
            break
    return cut if found else []


def difference(before: str, after: str) -> str:
    """What changed: a unified diff of programs; of lists of edits those that went and that came."""
    if "\n" in before or "\n" in after:
        lines = unified_diff(
            before.splitlines(), after.splitlines(), "parent", "child", lineterm="", n=2
        )
        return "\n".join(lines)
    old, new = before.split(), after.split()
    gone = [f"-{edit}" for edit in old if edit not in new]
    return "\n".join([*gone, *(f"+{edit}" for edit in new if edit not in old)])


def _chain(searcher: str, seed: int | None, record: RunRecord) -> Chain:
    trials = record.trials()
    scored = [trial for trial in trials if trial.status == "ok" and trial.score is not None]
    best = max(scored, key=lambda trial: (trial.score or 0.0, -trial.index), default=None)
    nodes = [
        _node(trial, depth, trials, trial is best) for trial, depth in _in_order_of_trees(trials)
    ]
    repairs = [trial for trial in trials if trial.details.get(_OPERATOR) == "debug"]
    repaired = sum(trial.status == "ok" for trial in repairs)
    return Chain(searcher, seed, tuple(nodes), len(repairs), repaired)


def _in_order_of_trees(trials: Sequence[Trial]) -> Iterator[tuple[Trial, int]]:
    """Each trial before its children, with the number of its ancestors."""
    children: dict[int | None, list[Trial]] = {}
    for trial in trials:
        parent = next((one for one in trial.parents if 0 <= one < trial.index), None)
        children.setdefault(parent, []).append(trial)
    pending = [(root, 0) for root in reversed(children.get(None, []))]
    while pending:
        trial, depth = pending.pop()
        yield trial, depth
        pending += [(child, depth + 1) for child in reversed(children.get(trial.index, []))]


def _node(trial: Trial, depth: int, trials: Sequence[Trial], is_best: bool) -> Node:
    details: Mapping[str, str] = trial.details
    name = details.get(_OPERATOR) or trial.provenance
    called = f' "{details[_SHOWN]}"' if details.get(_SHOWN) else ""
    others = f", also from {', '.join(map(str, trial.parents[1:]))}" if trial.parents[1:] else ""
    outcome = trial.status if trial.score is None else f"{trial.score:.4f}"
    if trial.status == "duplicate":
        outcome = f"duplicate of {trial.duplicate_of}"
    texts = []
    if depth:
        parent = trials[next(one for one in trial.parents if 0 <= one < trial.index)]
        changed = difference(parent.pattern, trial.pattern) or "nothing"
        texts.append((f"changed from {parent.index}", changed))
    else:
        texts.append(("candidate", trial.pattern))
    if trial.note:
        texts.append(("log", trial.note))
    texts += [
        (key, str(text)) for key, text in details.items() if text and key not in (_OPERATOR, _SHOWN)
    ]
    return Node(f"{trial.index}. {name}{called}{others}", outcome, is_best, depth, tuple(texts))


def _cut(node: Node, limit: int) -> Node:
    texts = [(key[:40], text if len(text) <= limit else f"{text[:limit]} [cut]")
             for key, text in node.texts]  # fmt: skip
    return replace(node, title=node.title[:200], texts=tuple(texts))


def _length(chain: Chain) -> int:
    return sum(len(key) + len(text) for node in chain.nodes for key, text in node.texts)
