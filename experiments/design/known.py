"""The known improvement of a task, measured beside a comparison: the script and the best known.

Both are trained on the seeds of the runs and on held-out data, once each, charged to nobody. From
`known.json` the report says how much of the improvement each searcher has recovered.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from nasarena.experiments.design.attribution import Score
from nasarena.figures.results.known_improvement import FILE_NAME
from nasarena.search.trial import Outcome
from nasarena.search.untrusted.drafts import replace_text

LEAST_SEEDS = 3  # fewer show no improvement, whatever they score


def write_known(
    folder: Path, pair: tuple[str, str], seeds: Sequence[int], score: Score, proxy_version: str
) -> None:
    """`known.json` in the folder of a comparison, with a score (or null) for each seed.

    `pair` is the script as it is given, and the best candidate known.
    """
    if len(seeds) < LEAST_SEEDS:
        return
    of_script, of_best = score(pair, seeds)
    found = {
        "proxy_version": proxy_version,
        "candidate": pair[1],
        "seeds": list(seeds),
        "script": _scores(of_script),
        "best": _scores(of_best),
    }
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / FILE_NAME, json.dumps(found, indent=1) + "\n")


def _scores(row: Sequence[Outcome]) -> list[float | None]:
    return [outcome.score for outcome in row]
