"""Hand-made patterns that people use, with their sources, shortened to our depth.

Every comparison scores them too: a searcher should at least beat a pattern from a model card.
Letters: A attention, M MLP, S Mamba-2.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from nasarena.search.candidates.protocol import CodeSpace, Space
from nasarena.search.notation import expand, from_nemotron
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

NEMOTRON_H_8B = "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-"
NEMOTRON_NANO_2_9B = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-"


# Whether the last block is cut, and how many A, M and S -> how far blocks stand from their places,
# and the best pattern that has them.
_Best = dict[tuple[bool, int, int, int], tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A named pattern: `make(depth)` spells it, `source` says whose it is, `rule` how it scales."""

    name: str
    source: str
    rule: str
    make: Callable[[int], str]


def repeat(unit: str) -> Callable[[int], str]:
    """The unit again and again; what is left of the depth is its end, at the front.

    So the last layers are those of a whole unit: a stripe that ends in an MLP ends in one here.
    """
    return lambda depth: (unit * (depth // len(unit) + 1))[-depth:]


def shorten_in_blocks(pattern: str) -> Callable[[int], str]:
    """Whole blocks of a longer pattern, mixers with the MLPs after them, from evenly spaced places.

    Single layers at evenly spaced places would alias: of `SMSM...` every third is `SMSM` or `SSSS`
    by chance of the step. Blocks keep runs as long as they were. Of all choices of blocks that fill
    the depth, no kind lost and no block cut if that can be, the one with the truest shares of kinds
    is taken; of equal ones, the one whose blocks stand nearest to where they stood.
    """
    blocks = re.findall(r"[^M]*M+|[^M]+$", pattern)

    def shorten(depth: int) -> str:
        copies = -(-depth // len(pattern))  # more than one only where the depth is the greater
        best: _Best = {(False, 0, 0, 0): (0.0, "")}
        start = 0
        for block in blocks:
            for _ in range(copies):
                for misplaced, made in [entry for key, entry in best.items() if not key[0]]:
                    _keep(best, made, block, depth, misplaced, start / len(pattern))
            start += len(block)
        whole = [(key[0], *entry) for key, entry in best.items() if len(entry[1]) == depth]
        return min(whole, key=lambda entry: _unlikeness(pattern, *entry))[-1]

    return shorten


def _keep(best: _Best, made: str, block: str, depth: int, misplaced: float, place: float) -> None:
    """Add `block` to `made`, cut where the depth ends within it; keep the best of equal counts."""
    if len(made) == depth:
        return
    longer = (made + block)[:depth]
    misplaced += (len(made) / depth - place) ** 2
    num_a, num_m, num_s = map(longer.count, "AMS")
    key = (len(longer) < len(made + block), num_a, num_m, num_s)
    best[key] = min(best.get(key, (inf, "")), (misplaced, longer))


def _unlikeness(
    pattern: str, is_cut: bool, misplaced: float, made: str
) -> tuple[int, bool, float, float, str]:
    """What makes `made` a worse short form of `pattern`, the worst fault first."""
    wanted = {kind: pattern.count(kind) / len(pattern) * len(made) for kind in "AMS"}
    off = sum(abs(made.count(kind) - share) for kind, share in wanted.items())
    return len(set(pattern) - set(made)), is_cut, round(off, 9), misplaced, made


def stretch(run_lengths: str) -> Callable[[int], str]:
    """Composer's stretching: every run grows by the same factor (arXiv 2510.00379, section 3.4)."""
    pattern = expand(run_lengths)
    return lambda depth: "".join(pattern[i * len(pattern) // depth] for i in range(depth))


def sandwich(depth: int) -> str:
    """Attention at the bottom, MLPs on top, alternating between (Press et al. 2020)."""
    bread = round(depth * 6 / 32)
    middle = depth - 2 * bread
    return "A" * bread + repeat("AM")(middle) + "M" * bread


REFERENCES = (
    Reference(
        "Llama 3.2",
        "Llama 3.2 model card; papers X and Composer count a block as two layers",
        "attention and MLP in turn",
        repeat("AM"),
    ),
    Reference(
        "Nemotron-H",
        "hybrid_override_pattern of Nemotron-H-8B, 52 layers, 24 Mamba-2, 24 MLP, 4 attention",
        "blocks of mixers and MLPs at evenly spaced places; shares kept, no kind lost",
        shorten_in_blocks(from_nemotron(NEMOTRON_H_8B)),
    ),
    Reference(
        "Nemotron Nano 2",
        "hybrid_override_pattern of Nemotron Nano 2 9B, 56 layers, 27 Mamba-2, 25 MLP, 4 attention",
        "blocks of mixers and MLPs at evenly spaced places; shares kept, no kind lost",
        shorten_in_blocks(from_nemotron(NEMOTRON_NANO_2_9B)),
    ),
    Reference(
        "Composer",
        "best 16-layer pattern of Composer, arXiv 2510.00379, section 5",
        "stretched",
        stretch("2A5M2A3M1A3M"),
    ),
    Reference(
        "1:2 striped",
        "baseline of Composer, arXiv 2510.00379, table 2",
        "one attention, two MLPs, repeated; ends in a whole unit",
        repeat("AMM"),
    ),
    Reference(
        "sandwich",
        "Press, Smith & Levy 2020, arXiv 1911.03864: k = 6 of 32 sublayers at either end",
        "the same share of bread",
        sandwich,
    ),
    Reference(
        "Jamba 1:7",
        "Lieber et al. 2024, arXiv 2403.19887: one attention to seven Mamba, an MLP after each",
        "blocks of 8 mixers, attention in place 4 from 0, an MLP after each; ends in a whole unit",
        repeat("SMSMSMSMAMSMSMSM"),
    ),
    Reference(
        "Qwen3-Next 3:1",
        "Qwen3-Next-80B-A3B: three gated-DeltaNet blocks to one attention block, each with an MLP",
        "S stands for the gated delta rule: both are recurrences with a matrix state",
        repeat("SMSMSMAM"),
    ),
)


def reference_patterns(space: PatternSpace) -> dict[str, tuple[str, Reference]]:
    """Name -> (pattern, reference) for every reference that the space can spell."""
    made = {reference.name: (reference.make(space.depth), reference) for reference in REFERENCES}
    return {name: entry for name, entry in made.items() if entry[0] in space}


def named_candidates(space: Space) -> dict[str, tuple[str, str]]:
    """Name -> (candidate, source) of what a space has by name: published patterns, or the scripts
    that a task gives."""
    if isinstance(space, PatternSpace):
        found = reference_patterns(space)
        return {name: (pattern, one.source) for name, (pattern, one) in found.items()}
    if isinstance(space, CodeSpace):
        return {name: (one, "the task's") for name, one in space.known_candidates().items()}
    return {}


@searcher("references")
class References:
    """Asks each reference once, then stops: how a comparison scores them like anything else."""

    def __init__(self, space: Space, rng: np.random.Generator) -> None:
        self._left = [
            Proposal(pattern, "reference", (), {"name": name, "source": source})
            for name, (pattern, source) in named_candidates(space).items()
        ]

    def ask(self, n: int) -> list[Proposal]:
        batch, self._left = self._left[:n], self._left[n:]
        return batch

    def tell(self, trials: Sequence[Trial]) -> None: ...
