"""Normalized score and rate of valid runs, by the formula of AIRS-Bench (arXiv 2602.06855).

With phi(s) = -log10 |s - s_opt|, a score s is worth (phi(s) - phi(s_min)) / (phi(s_ref) -
phi(s_min)): 0 for the worst run that was seen, 1 for the reference, above 1 beyond it. There the
reference is the published state of the art; here it is the best baseline of the same comparison,
trained as long, and the worst run is that of any searcher or baseline. A run without a valid result
is worth 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from statistics import fmean

from rich.table import Table

from nasarena.experiments.design.finals import final_scores
from nasarena.experiments.design.tables import make_table, write_csv
from nasarena.search.run_config import is_reference, label
from nasarena.search.run_folder import RunRecord

CSV = "normalized.csv"
HEAD = ("searcher", "held-out score", "normalized score", "valid runs", "runs")
_NEAREST = 1e-4  # to the optimum; closer counts as this close


@dataclass(frozen=True, slots=True)
class Standing:
    """Means over the runs of a searcher or baseline; `score` is None where no run was valid."""

    name: str
    score: float | None
    normalized: float
    num_valid: int
    num_runs: int


def normalize(score: float, worst: float, reference: float, optimum: float = 1.0) -> float:
    """See above; nan where reference and worst run are alike."""
    low, high, own = (
        -log10(max(abs(one - optimum), _NEAREST)) for one in (worst, reference, score)
    )
    return (own - low) / (high - low) if high != low else float("nan")


def standings(runs: Mapping[str, Sequence[float | None]], baselines: set[str]) -> list[Standing]:
    """Of the held-out score of each run, by searcher or baseline; best first.

    `runs` maps a name to the score of each run, None for one without; `baselines` are names.
    """
    known = {name: [one for one in row if one is not None] for name, row in runs.items()}
    every = [one for row in known.values() for one in row]
    references = [fmean(known[name]) for name in baselines if known.get(name)]
    found = []
    for name, row in runs.items():
        if not every or not references:
            worth = [float("nan")]
        else:
            worth = [
                0.0 if one is None else normalize(one, min(every), max(references)) for one in row
            ]
        mean = fmean(known[name]) if known[name] else None
        found.append(Standing(name, mean, fmean(worth), len(known[name]), len(row)))
    return sorted(found, key=lambda one: (one.score is None, -(one.score or 0.0), one.name))


def runs_of(
    records: Iterable[RunRecord], known: Mapping[str, str]
) -> tuple[dict[str, list[float | None]], set[str]]:
    """The held-out score of each run by searcher or baseline, and which names are baselines.

    A score is the mean over the trainings of the run's finalist; `known` names candidates.
    """
    names = {candidate: name for name, candidate in known.items()}
    runs: dict[str, list[float | None]] = {}
    for record in records:
        config = record.header["config"]
        finals = final_scores(record)
        means = {one: fmean(row) if row else None for one, row in finals.items()}
        if is_reference(config):
            for candidate, mean in means.items():
                runs.setdefault(names.get(candidate, candidate), []).append(mean)
        else:
            best = [mean for mean in means.values() if mean is not None]
            runs.setdefault(label(config), []).append(max(best) if best else None)
    return runs, set(names.values())


def write_standings(folder: Path, found: Sequence[Standing]) -> Table:
    """Write `normalized.csv` in the folder of a comparison; the same as a table."""
    rows = [_cells(one) for one in found]
    write_csv(folder / CSV, HEAD, rows)
    return make_table("normalized: 0 the worst run, 1 the best baseline", HEAD, rows, HEAD[1:])


def _cells(one: Standing) -> list[str]:
    score = "" if one.score is None else f"{one.score:.4f}"
    rate = f"{100 * one.num_valid / one.num_runs:.0f} %" if one.num_runs else ""
    return [one.name, score, f"{one.normalized:.3f}", rate, str(one.num_runs)]
