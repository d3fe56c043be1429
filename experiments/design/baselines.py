"""What a task has by name, trained on some seeds and scored on held-out data: a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from rich.console import Console

from nasarena.experiments.commands.evaluate import score_patterns
from nasarena.experiments.design.tables import make_table, write_csv
from nasarena.experiments.settings.config import CompareConfig
from nasarena.figures.stats.intervals import student_quantile
from nasarena.search.candidates.protocol import CodeSpace
from nasarena.search.trial import Outcome

CSV = "baselines.csv"
HEAD = ("baseline", "mean", "low", "high", "sd", "seeds", "failed")


def train_baselines(config: CompareConfig, console: Console) -> int:
    """Train, write `baselines.csv` and show it; 1 where a training failed."""
    assert isinstance(config.space, CodeSpace)
    folder = Path(config.folder) / (config.name or f"{config.proxy.name}-baselines")
    known = config.space.known_candidates()
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    outcomes = score_patterns(
        list(known.values()), seeds, config.proxy, config.space, config.cache, config.workers,
        console, "held_out",
    )  # fmt: skip
    rows = baseline_rows(dict(zip(known, outcomes, strict=True)))
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / CSV, HEAD, rows)
    title = f"{config.proxy.name}, held-out data; 95 % intervals over seeds"
    console.print(make_table(title, HEAD, rows, HEAD[1:]))
    for note in dict.fromkeys(one.note for row in outcomes for one in row if one.note):
        console.print(f"failed: {note}", highlight=False, markup=False)
    return int(any(one.status == "failed" for row in outcomes for one in row))


def baseline_rows(outcomes: Mapping[str, Sequence[Outcome]]) -> list[list[str]]:
    """A line for each baseline as in HEAD, best first; Student's interval of the mean."""
    scored = {
        name: [one.score for one in row if one.score is not None] for name, row in outcomes.items()
    }
    order = sorted(scored, key=lambda name: -fmean(scored[name]) if scored[name] else float("inf"))
    return [_row(name, scored[name], len(outcomes[name])) for name in order]


def _row(name: str, scores: Sequence[float], count: int) -> list[str]:
    numbers = ["", "", "", ""]
    if scores:
        numbers[0] = f"{fmean(scores):.4f}"
    if len(scores) > 1:
        sd = stdev(scores)
        half = student_quantile(len(scores) - 1) * sd / len(scores) ** 0.5
        numbers[1:] = [f"{fmean(scores) + sign * half:.4f}" for sign in (-1, 1)] + [f"{sd:.4f}"]
    return [name, *numbers, str(len(scores)), str(count - len(scores))]
