"""Winners of a benchmark: what it promised of them, and which were trained for real afterwards.

A winner is a pattern that a run handed in for its final score. The promise is its true score in the
benchmark. Where the comparison names a `final_proxy`, final scores are real trainings on that one,
with fresh seeds on held-out data; without it they come from the benchmark as well, and none of the
winners was trained.
"""

from dataclasses import dataclass

import numpy as np

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


def winners(frames: Tables, known: Benchmark) -> list[Winner]:
    """Every winner once, the best promise first."""
    is_real = final_proxy_name(frames) is not None
    found = []
    for key, rows in frames.finals.groupby("pattern"):
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


def final_proxy_name(frames: Tables) -> str | None:
    """The proxy that trained the winners for real; None where nobody did."""
    judge = frames.condition.get("final_proxy")
    return None if not judge else str(judge["name"])


def in_words(frames: Tables, known: Benchmark, found: list[Winner]) -> str:
    """Which winners were trained for real, and whether they kept what they had promised."""
    before = sum(each.on_record > 0 for each in found)
    recorded = f"{before} of {len(found)} winners had been trained for {known.proxy} before"
    judge = final_proxy_name(frames)
    if judge is None:
        return (
            f"No winner was trained for real afterwards: final scores are those of {known.proxy} "
            f"too. {recorded}."
        )
    real = [each for each in found if each.num_real]
    words = (
        f"{len(real)} of {len(found)} winners were trained for real afterwards, on {judge} with "
        f"fresh seeds and held-out data: these are the final scores. {recorded}."
    )
    if real:
        gaps = np.array([each.real - each.promised for each in real])
        words += (
            f" On average they scored {gaps.mean():+.4f} against their promise (standard deviation "
            f"{gaps.std():.4f}; search and held-out data differ)."
        )
    return words
