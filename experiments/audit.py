"""`nasarena audit`: how far a proxy can be trusted, before a comparison is built on it.

Random patterns, each trained on several seeds. Two questions: how much of the variance of a score
is due to the pattern rather than the seed (ICC(1), Shrout & Fleiss 1979), and do two seeds rank
the patterns the same way (mean Kendall tau-b and Spearman rho over pairs of seeds).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from nasarena.experiments.config import AuditConfig, audit_config
from nasarena.experiments.console import made_console
from nasarena.experiments.evaluate import scored
from nasarena.experiments.scoring import built_proxy
from nasarena.figures.stats.agreement import icc1, rank_agreement
from nasarena.search.errors import ProxyFailed
from nasarena.search.seeding import stream


@dataclass(frozen=True, slots=True)
class Audit:
    """What the scores of `(num_patterns, num_seeds)` say about the proxy that made them.

    `sd_pattern` and `sd_seed` are the parts of a score's standard deviation; `top_overlap` is the
    share of one seed's best quarter that is in another seed's best quarter too, mean over pairs.
    """

    num_patterns: int
    num_seeds: int
    icc: float
    sd_pattern: float
    sd_seed: float
    kendall_tau: float
    spearman_rho: float
    top_overlap: float


def audited(scores_PK: NDArray[np.float64]) -> Audit:
    """The audit of a matrix of scores without gaps; see `Audit`."""
    num_patterns, num_seeds = scores_PK.shape
    within = scores_PK.var(axis=1, ddof=1).mean()
    between = max(0.0, scores_PK.mean(axis=1).var(ddof=1) - within / num_seeds)
    pairs = list(combinations(scores_PK.T, 2))
    taus, rhos = zip(*[rank_agreement(first, second) for first, second in pairs], strict=True)
    size = max(1, num_patterns // 4)
    overlaps = [len(_best(first, size) & _best(second, size)) / size for first, second in pairs]
    return Audit(
        num_patterns=num_patterns,
        num_seeds=num_seeds,
        icc=icc1(scores_PK),
        sd_pattern=float(np.sqrt(between)),
        sd_seed=float(np.sqrt(within)),
        kendall_tau=float(np.mean(taus)),
        spearman_rho=float(np.mean(rhos)),
        top_overlap=float(np.mean(overlaps)),
    )


def _best(scores: NDArray[np.float64], size: int) -> set[int]:
    best: list[int] = np.argsort(-scores, kind="stable")[:size].tolist()
    return set(best)


def audit(arguments: Sequence[str]) -> int:
    """0 where the proxy passes, 1 where its ICC is below the threshold."""
    config = audit_config(arguments)
    proxy = built_proxy(config.proxy, config.space, config.cache)
    rng = stream(config.first_seed, "audit")
    patterns = [proxy.space.sample(rng) for _ in range(config.patterns)]
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    console = made_console()
    outcomes = scored(
        patterns, seeds, config.proxy, config.space, config.cache, config.workers, console
    )
    rows = [[outcome.score for outcome in row] for row in outcomes]
    whole = [row for row in rows if None not in row]
    if len(whole) < 3:
        raise ProxyFailed(
            f"only {len(whole)} of {len(rows)} patterns could be trained on all seeds, at least 3 "
            f"are needed; the last failure: {outcomes[-1][-1].note or 'none'}"
        )
    result = audited(np.array(whole, dtype=np.float64))
    _show(result, config, len(rows) - len(whole), console)
    return 0 if result.icc >= config.threshold else 1


def _show(result: Audit, config: AuditConfig, num_failed: int, console: Console) -> None:
    table = Table(title=f"audit of {config.proxy.name}", box=None, show_header=False)
    failed = f", {num_failed} more failed on a seed" if num_failed else ""
    lines = {
        "patterns x seeds": f"{result.num_patterns} x {result.num_seeds}{failed}",
        "sd due to the pattern": f"{result.sd_pattern:.4f}",
        "sd due to the seed": f"{result.sd_seed:.4f}",
        "intraclass correlation": f"{result.icc:.3f} (threshold {config.threshold:g})",
        "Kendall tau-b between seeds": f"{result.kendall_tau:.3f}",
        "Spearman rho between seeds": f"{result.spearman_rho:.3f}",
        "best quarter shared by two seeds": f"{result.top_overlap:.0%}",
    }
    for name, text in lines.items():
        table.add_row(name, text)
    console.print(table)
    console.print(_verdict(result, config.threshold))


def _verdict(result: Audit, threshold: float) -> str:
    share = f"{max(0.0, result.icc):.0%} of the variance of a score is due to the pattern"
    if result.icc >= threshold:
        return f"Trustworthy: {share}; one training tells patterns apart."
    if result.icc >= 0.5:
        return f"Noisy: {share}; a searcher often follows the seed. Train longer or average seeds."
    return f"Not to be trusted: {share}; the best score of a search is mostly luck."
