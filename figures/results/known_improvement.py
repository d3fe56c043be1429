"""Which share of the known improvement the searchers recovered, from `known.json` of a comparison.

0 is the script as it is given, 1 the best candidate that was known before, and more than 1 a new
best. `nasarena design` trains both on the seeds of the runs, on held-out data, and writes the file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.ratio import ratio_of_means
from nasarena.search.untrusted.bounded_read import read_bounded

FILE_NAME = "known.json"
IN_WORDS = (
    "0 is the script as it is given, 1 the best candidate that was known before the run, more than "
    "1 a new best; both were trained on the same seeds and held-out data, charged to nobody. 95 % "
    "intervals by Fieller's theorem; none (nan) where these seeds do not show that there is "
    "anything to recover."
)


@dataclass(frozen=True, slots=True)
class KnownImprovement:
    """Scores by seed of the script and of the best candidate known; failures are left out."""

    script: dict[int, float]
    best: dict[int, float]

    @property
    def in_words(self) -> str:
        """What a share means, for readers of a table."""
        return IN_WORDS

    def share(self, seeds: Sequence[int], scores: Sequence[float]) -> Interval:
        """What the runs of a searcher recovered; NaN where nothing is known to recover.

        Fieller's interval of the ratio of means over the seeds that all three have.
        """
        own = dict(zip(seeds, scores, strict=True))
        common = [s for s in own if s in self.script and s in self.best and own[s] == own[s]]
        reached = [own[seed] - self.script[seed] for seed in common]
        return ratio_of_means(reached, [self.best[s] - self.script[s] for s in common])


def read_known(folder: Path, proxy_version: str | None) -> KnownImprovement | None:
    """What lies in the folder; None without a readable file of this version of the proxy."""
    try:
        found = json.loads(read_bounded(folder / FILE_NAME))
        if found["proxy_version"] != proxy_version:
            return None
        by_name = {
            name: {
                int(seed): float(score)
                for seed, score in zip(found["seeds"], found[name], strict=True)
                if score is not None
            }
            for name in ("script", "best")
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return KnownImprovement(by_name["script"], by_name["best"])
