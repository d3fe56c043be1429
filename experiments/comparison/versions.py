"""Edit, compare, again: each version of a searcher has a label of its own in its comparison.

A searcher whose source or options have changed since its runs were recorded is not the one that
they are of. It goes by the next free label (`mine`, `mine-2`, `mine-3` ...), and what was recorded
stays beside it; `overwrite=true` takes the place of the old runs instead.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from nasarena.experiments.comparison.resolved_searcher import Entrant
from nasarena.search.untrusted.bounded_read import read_bounded


def number_versions(entrants: Sequence[Entrant], folder: Path) -> list[Entrant]:
    """The searchers under labels where `folder` holds runs of this very version, or none."""
    taken = {entrant.label for entrant in entrants}
    numbered = []
    for entrant in entrants:
        version = entrant
        for number in count(2):
            if _are_of(_read_searchers(folder / version.label), version):
                break
            version = replace(entrant, label=f"{entrant.label}-{number}")
            while version.label in taken:
                version = replace(version, label=f"{version.label}-{number}")
        taken.add(version.label)
        numbered.append(version)
    return numbered


def _read_searchers(folder: Path) -> list[Any]:
    """What the headers of the runs of a label say of the searcher."""
    found = []
    for header in sorted(folder.glob("seed-*/run.json")):
        try:
            found.append(json.loads(read_bounded(header))["config"]["searcher"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue  # whoever opens the run says what is wrong with it
    return found


def _are_of(recorded: Iterable[Any], entrant: Entrant) -> bool:
    wanted = entrant.config()
    return all(one == wanted for one in recorded)
