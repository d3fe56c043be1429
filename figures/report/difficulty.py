"""How hard a landscape is, in a sentence of the verdict."""

import numpy as np

from nasarena.figures.results.benchmark import Difficulty
from nasarena.figures.stats.multiple import Comparison


def difficulty_in_words(name: str, hard: Difficulty, against_random: list[Comparison]) -> str:
    """Of the landscape `name`; evolution's effect is taken from the comparison at hand."""
    share = f"{100 * hard.share_within_noise:.2g} % of all patterns"
    words = (
        f"{name}: {share} lie within the noise of one training ({hard.noise:.4f}) of the optimum; "
        f"the intraclass correlation of one training is {_number(hard.icc)} over uniform patterns "
        f"and {_number(hard.elite_icc)} among {hard.elite_patterns} of the best"
    )
    effects = {pair.first: pair.effect for pair in against_random}
    if "evolution" in effects:
        words += f"; evolution's effect over random search here is {effects['evolution']:.2f}"
    if hard.orders:
        found = f"it has {hard.orders_agreeing} of {hard.orders}"
        words += f"; of the orders of patterns published at scale {found}"
    return f"{words}."


def _number(value: float) -> str:
    return "not known" if np.isnan(value) else f"{value:.2f}"
