"""Winners of a benchmark: what it promised of them, and which were trained for real afterwards.

A winner is a pattern that a run handed in for its final score. The promise is its true score in the
benchmark. Where the comparison names a `final_proxy`, final scores are real trainings on that one,
with fresh seeds on held-out data; without it they come from the benchmark as well, and none of the
winners was trained.
"""

from dataclasses import dataclass

from nasarena.figures.results.benchmark import Benchmark
from nasarena.figures.results.tables import Tables


@dataclass(frozen=True, slots=True)
class Winner:
    """A pattern that `searchers` handed in, each at least once.

    `promised`: true score in the benchmark; `on_record`: real trainings behind that; `real`: mean
    of the `num_real` real trainings that succeeded afterwards, NaN without any.
    """

    pattern: str
    searchers: tuple[str, ...]
    promised: float
    rank: int | None
    on_record: int
    real: float
    num_real: int
    num_failed: int


def winners(tables: Tables, known: Benchmark) -> list[Winner]:
    """Every winner once, the best promise first."""
    is_real = tables.final_proxy is not None
    found = []
    for key, rows in tables.finals.groupby("pattern"):
        pattern = str(key)
        if pattern not in known.scores:
            continue
        distinct = rows.drop_duplicates(["seed", "replicate"])  # the same training, asked twice
        scored = distinct.loc[(distinct["status"] == "ok") & is_real, "score"].to_numpy()
        found.append(
            Winner(
                pattern=pattern,
                searchers=tuple(sorted(rows["searcher"].unique())),
                promised=known.scores[pattern],
                rank=known.ranks.get(pattern),
                on_record=(known.trainings or {}).get(pattern, 0),
                real=float(scored.mean()) if len(scored) else float("nan"),
                num_real=len(scored),
                num_failed=len(distinct) - len(scored) if is_real else 0,
            )
        )
    return sorted(found, key=lambda each: (-each.promised, each.pattern))
