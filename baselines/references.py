"""Hand-made patterns that people use, with their source and how they come to our depth.

Every comparison scores them too: a searcher that cannot beat what is printed in a model card has
found nothing. Letters: A attention, M MLP, S Mamba-2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nasarena.search.notation import expand, from_nemotron
from nasarena.search.searcher import searcher
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

NEMOTRON_H_8B = "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-"
NEMOTRON_NANO_2_9B = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-"


@dataclass(frozen=True, slots=True)
class Reference:
    """A named pattern: `make(depth)` spells it, `source` says whose it is, `rule` how it scales."""

    name: str
    source: str
    rule: str
    make: Callable[[int], str]


def repeat(unit: str) -> Callable[[int], str]:
    """The unit again and again, cut off at the depth."""
    return lambda depth: (unit * (depth // len(unit) + 1))[:depth]


def sample_evenly(pattern: str) -> Callable[[int], str]:
    """Layers of a longer pattern at evenly spaced places, the first and the last among them.

    Rare kinds must survive the shortening: where a kind would vanish, the sampled layer nearest to
    its first place takes it.
    """

    def shorten(depth: int) -> str:
        places = np.linspace(0, len(pattern) - 1, depth).round().astype(int)
        letters = [pattern[place] for place in places]
        for kind in dict.fromkeys(pattern):
            if kind not in letters:
                letters[int(np.abs(places - pattern.index(kind)).argmin())] = kind
        return "".join(letters)

    return shorten


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
        "layers at evenly spaced places; no kind may vanish",
        sample_evenly(from_nemotron(NEMOTRON_H_8B)),
    ),
    Reference(
        "Nemotron Nano 2",
        "hybrid_override_pattern of Nemotron Nano 2 9B, 56 layers, 27 Mamba-2, 25 MLP, 4 attention",
        "layers at evenly spaced places; no kind may vanish",
        sample_evenly(from_nemotron(NEMOTRON_NANO_2_9B)),
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
        "one attention, two MLPs, repeated",
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
        "blocks of 8 mixers, attention in place 4 from 0, an MLP after each; cut at the depth",
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


@searcher("references")
class References:
    """Asks each reference once, then stops: how a comparison scores them like anything else."""

    def __init__(self, space: PatternSpace, rng: np.random.Generator) -> None:
        self._left = [
            Proposal(pattern, "reference", (), {"name": name, "source": reference.source})
            for name, (pattern, reference) in reference_patterns(space).items()
        ]

    def ask(self, n: int) -> list[Proposal]:
        batch, self._left = self._left[:n], self._left[n:]
        return batch

    def tell(self, trials: Sequence[Trial]) -> None: ...
