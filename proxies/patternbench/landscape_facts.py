"""What is known of a landscape of PatternBench as a whole, read from its `landscape.json`.

The optimum and the anchors of normalized regret take a pass over 43 million scores: the fit makes
it once (`experiments/patternbench/difficulty.py`), so a comparison need not.
"""

import json
from dataclasses import dataclass, field
from math import log2
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.search.errors import ProxyFailed

FACTS = "landscape.json"
VERSION = 2


@dataclass(frozen=True, slots=True)
class LandscapeFacts:
    """Of one landscape and the space of A, M and S.

    `noise` is the standard deviation of one training of the optimum, `share_within_noise` the share
    of the space whose true score is not further than that below the optimum's. `icc` is that of one
    training over uniform patterns, `elite_icc` the same among the best that were found, which are
    `elite_patterns` with `elite_seeds` trainings or more each; None: too few to say.
    Of `orders` of patterns published at scale, `orders_agreeing` have the sign of true scores here.
    `random_regret` holds the expected exact regret of the best of n uniform patterns, by n.
    """

    optimum: str
    best: float
    noise: float
    share_within_noise: float
    icc: float | None
    elite_icc: float | None
    elite_patterns: int
    elite_seeds: int
    orders: int
    orders_agreeing: int
    random_regret: dict[int, float] = field(repr=False)

    def regret_of_random(self, num_patterns: float) -> float:
        """Expected regret of the best of so many uniform patterns, which an oracle picks.

        Linear in the logarithm of the number between the powers of two that were worked out.
        """
        draws = sorted(self.random_regret)
        regrets = [self.random_regret[draw] for draw in draws]
        place = log2(max(1.0, num_patterns))
        return float(np.interp(place, [log2(draw) for draw in draws], regrets))


def read_facts(data: Path, files: str) -> LandscapeFacts | None:
    """The facts in the folder `data`, whose rows and surrogate have the hash `files`.

    None where there are none. Raises ProxyFailed for those of another version or of other files.
    """
    path = data / FACTS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] == VERSION and content["files"] == files:
            return _facts(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProxyFailed(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    raise ProxyFailed(
        f"{path} belongs to another version of the rows or of nasarena; renew it with "
        f"python -m nasarena.experiments.patternbench.difficulty data={data}"
    )


def _facts(content: dict[str, Any]) -> LandscapeFacts:
    return LandscapeFacts(
        optimum=str(content["optimum"]["pattern"]),
        best=float(content["optimum"]["score"]),
        noise=float(content["noise"]),
        share_within_noise=float(content["share_within_noise"]),
        icc=content["icc"],
        elite_icc=content["elite_icc"],
        elite_patterns=int(content["elite_patterns"]),
        elite_seeds=int(content["elite_seeds"]),
        orders=int(content["orders"]),
        orders_agreeing=int(content["orders_agreeing"]),
        random_regret={int(draws): float(r) for draws, r in content["random_regret"].items()},
    )
