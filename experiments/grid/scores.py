"""What landscapes and proxies say of a grid's patterns: does a small ranking hold?"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import KnownProxy, TrialSeed
from nasarena.search.space import PatternSpace

COLUMNS = ("label", "scorer", "score")  # as figures read it; higher is better
_TRAININGS = 2


def known_proxy(name: str, space: PatternSpace, setting: str) -> KnownProxy:
    """A landscape by name. Raises InvalidSetting for a proxy that knows no true scores."""
    proxy = build_proxy(choose_proxy(name, {}, setting), space, False)
    if not isinstance(proxy, KnownProxy):
        raise InvalidSetting(
            f"{setting} must know true scores, as patternbench-quick does, got {name}"
        )
    return proxy


def score_table(scorers: Sequence[str], patterns: Mapping[str, str]) -> str:
    """Scores as text, a line for each scorer and label.

    A landscape says its true score; a trained proxy the mean of its trainings on run seeds 0 and 1,
    from the evaluation cache where they were made before. Patterns outside the landscapes' own
    space, of 16 letters A, M and S, are left out, and so are those whose training failed.
    """
    space = PatternSpace()
    known = {label: pattern for label, pattern in patterns.items() if pattern in space}
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name in scorers:
        writer.writerows((label, name, repr(score)) for label, score in _scores(name, known, space))
    return lines.getvalue()


def _scores(
    name: str, patterns: Mapping[str, str], space: PatternSpace
) -> Iterator[tuple[str, float]]:
    choose_proxy(name, {}, "scores")  # refuses a name in words about this setting
    proxy = build_proxy(evaluate_settings(proxy=name).proxy, space, True)
    for label, pattern in patterns.items():
        if isinstance(proxy, KnownProxy):
            yield label, proxy.true_score(pattern)
            continue
        seeds = [TrialSeed(seed) for seed in range(_TRAININGS)]
        found = [one.score for one in proxy.evaluate([pattern] * _TRAININGS, seeds, "search")]
        if None not in found:
            yield label, fmean(score for score in found if score is not None)
