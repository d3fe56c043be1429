"""What landscapes say of a grid's patterns, for the question whether a small ranking holds."""

import csv
import io
from collections.abc import Mapping, Sequence

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import KnownProxy
from nasarena.search.space import PatternSpace

COLUMNS = ("label", "scorer", "score")  # as figures read it; higher is better


def known_proxy(name: str, space: PatternSpace, setting: str) -> KnownProxy:
    """A landscape by name. Raises InvalidSetting for a proxy that knows no true scores."""
    proxy = build_proxy(choose_proxy(name, {}, setting), space, False)
    if not isinstance(proxy, KnownProxy):
        raise InvalidSetting(
            f"{setting} must know true scores, as patternbench-quick does, got {name}"
        )
    return proxy


def score_table(landscapes: Sequence[str], patterns: Mapping[str, str]) -> str:
    """True scores as text, a line for each landscape and label.

    Patterns outside the landscapes' own space, of 16 letters A, M and S, are left out.
    """
    space = PatternSpace()
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name in landscapes:
        proxy = known_proxy(name, space, "scores")
        writer.writerows(
            (label, name, repr(proxy.true_score(pattern)))
            for label, pattern in patterns.items()
            if pattern in space
        )
    return lines.getvalue()
