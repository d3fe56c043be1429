"""Which form of prompt helps a language model: on synthetic landscapes that judge nobody.

The sequential agent is asked in many forms, each other than the first in one thing. A run begins
with 16 random patterns, so that the first prompt is as full as the last, and makes 12 proposals;
its landscapes are those on which searchers' settings are chosen. All runs share one server.
`proposals` is the mean true score of what was proposed, in standard deviations of all patterns: 0
is a uniform pattern's. It tells forms apart long before `regret` does, that of the best pattern
found, in units of the best of as many uniform ones. Tokens and seconds are those of a proposal with
its repeats.

    python -m nasarena.experiments.measure.prompts [--save] [--model=smollm2-135m] [--seeds=1]
        [--workers=16] [FORM ...]

(5 minutes on two cores for SmolLM2, 30 for Qwen2.5-Coder; runs lie in runs/prompts-MODEL, and the
same command goes on with them; more seeds add to them)
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from nasarena.experiments.comparison.llm import Access
from nasarena.experiments.comparison.llm_hours import announce_hours
from nasarena.experiments.comparison.plan import Comparison, plan_comparison
from nasarena.experiments.comparison.run_spec import RunSpec, search_cell
from nasarena.experiments.comparison.shared_model import (
    cells_that_ask,
    open_shared_access,
    with_model,
)
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.pool import Pool, Report, results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.record import read_option, record
from nasarena.experiments.measure.searchers.searcher_settings import (
    FAMILIES,
    build_landscape,
    landscape_settings,
)
from nasarena.experiments.settings.commands import compare_settings
from nasarena.experiments.settings.config import CompareConfig
from nasarena.figures.results.proposal_shares import proposal_shares
from nasarena.search.errors import SearcherFailed
from nasarena.search.incumbent import best_first
from nasarena.search.run_folder import read_run
from nasarena.search.trial import LlmCost, Trial

DESIGN, NUM_PROPOSALS = 16, 12
NUM_TRIALS = DESIGN + NUM_PROPOSALS
_STUCK = 10  # repeats in a row after which a run ends: it would go on for ever
BASE: Mapping[str, Any] = {
    "prompt": "brief",
    "memory": "top-k",
    "memory_trials": 16,
    "memory_tokens": 2000,
    "order": "best_last",
}
# What each form has instead.
FORMS: Mapping[str, Mapping[str, Any]] = {
    "brief": {},
    "best-first": {"order": "best_first"},
    "by-time": {"order": "time"},
    "most-recent": {"memory": "recent", "order": "time"},
    "4-trials": {"memory_trials": 4},
    "all-trials": {"memory_trials": NUM_TRIALS},
    "raw-scores": {"scores": "raw"},
    "differences": {"scores": "difference"},
    "run-lengths": {"notation": "runs"},
    "rationale-before": {"rationale": "before"},
    "rationale-after": {"rationale": "after"},
    "example": {"example": True},
    "temperature-0.3": {"temperature": 0.3},
    "temperature-1.2": {"temperature": 1.2},
    "full": {"prompt": "full"},
    "shuffled-scores": {"control": "shuffled_scores"},
    "no-history": {"control": "no_history"},
}
Blocks = Sequence[tuple[str, int]]


def measure(names: Sequence[str], model: str, llm: Mapping[str, Any]) -> None:
    """Run what is missing, print, and keep if asked to."""
    folder = Path("runs") / f"prompts-{model}"
    blocks = [(family, seed) for seed in range(read_option("seeds", 1)) for family in FAMILIES]
    configs = [settings(names, block, folder, llm) for block in blocks]
    run_forms(configs, folder, make_console(), LocalPool(configs[0].workers))
    rows = [row(name, blocks, folder) for name in names]
    usable = [one for one in rows if one["proposals"] is not None]
    best = max(usable, key=lambda one: float(one["proposals"]), default={})
    summary = {
        "model": model,
        "runs": len(names) * len(blocks),
        "best_form": best.get("form"),
        "best_proposals": best.get("proposals"),
        "least_valid_share": min(one["valid"] for one in rows),
    }
    record(f"prompts-{model}", rows, summary, module="prompts")


def settings(
    names: Sequence[str], block: tuple[str, int], folder: Path, llm: Mapping[str, Any]
) -> CompareConfig:
    """The comparison of forms on one landscape."""
    family, seed = block
    return compare_settings(
        searchers=[
            {"name": "agent-sequential", "label": name, "options": {**BASE, **FORMS[name]}}
            for name in names
        ],
        proxy={"name": family, **landscape_settings(family, seed)},
        budget={"unit": "trials", "amount": NUM_TRIALS},
        loop={"initial_design": DESIGN, "finalists": 0, "max_duplicates": _STUCK},
        seeds=1,
        first_seed=seed,
        references=False,
        workers=read_option("workers", 16),
        folder=str(folder),
        name=f"{family}-{seed}",
        llm=llm,
    )


def run_forms(configs: Sequence[CompareConfig], folder: Path, console: Console, pool: Pool) -> None:
    """Search every cell that is not searched yet, all of them at once with one model."""
    plans = [plan_comparison(config, "measure.prompts") for config in configs]
    with open_shared_access(plans, configs[0], folder, console) as access:
        if access is None:
            return
        announce_hours(plans, configs[0], console, access)
        tasks = [
            Play(cell)
            for config, plan in zip(configs, plans, strict=True)
            for cell in _cells(plan, config, console, access)
        ]
        done = 0

        def watch(news: Any) -> None:
            nonlocal done
            if news.kind == "done":
                done += 1
                console.print(f"{done} of {len(tasks)} runs", highlight=False)

        results(tasks, pool, watch)


def _cells(
    plan: Comparison, config: CompareConfig, console: Console, access: Access
) -> list[RunSpec]:
    with with_model(plan, config, console, access) as comparison:
        return cells_that_ask(comparison, retry_failed=False)


@dataclass(frozen=True)
class Play:
    """A run, as a worker does it. One whose replies were no patterns has failed, and counts."""

    cell: RunSpec

    def __call__(self, report: Report) -> None:
        with suppress(SearcherFailed):
            search_cell(self.cell, report)


def row(name: str, blocks: Blocks, folder: Path) -> dict[str, Any]:
    """What a form did on all landscapes."""
    proposals, regrets, scores = list[Trial](), list[float](), list[float]()
    for family, seed in blocks:
        landscape, unit = build_landscape(family, seed, NUM_TRIALS)
        trials = read_run(folder / f"{family}-{seed}" / name / f"seed-{seed}").trials()
        own = [trial for trial in trials if trial.provenance != "initial_design"]
        proposals += own
        regrets.append(landscape.regret(best_first(trials)[0].pattern) / unit)
        valid = [landscape.true_score(one.pattern) for one in own if one.status != "invalid"]
        scores += [float(np.mean(valid))] if valid else []
    count, cost = len(proposals), sum((one.llm or LlmCost() for one in proposals), LlmCost())

    shares = proposal_shares(proposals)
    error = float(np.std(scores, ddof=1)) / len(scores) ** 0.5 if len(scores) > 1 else None
    return {
        "form": name,
        "valid": shares["well_formed_share"],
        "repaired": shares["repaired_share"],
        "resampled": shares["resampled_share"],
        "duplicates": shares["duplicate_share"],
        "proposals": float(np.mean(scores)) if scores else None,
        "standard_error": error,
        "regret": float(np.mean(regrets)),
        "tokens_read": cost.prompt_tokens / count,
        "tokens_cached": cost.cached_tokens / count,
        "tokens_written": cost.completion_tokens / count,
        "seconds": cost.seconds / count,
    }


def main(words: Sequence[str]) -> None:
    """Read the command line and measure."""
    given = [word.removeprefix("--model=") for word in words if word.startswith("--model=")]
    model = given[-1] if given else "smollm2-135m"
    names = [word for word in words if not word.startswith("--")] or list(FORMS)
    unknown = [name for name in names if name not in FORMS]
    if unknown:
        raise SystemExit(f"no form is called {unknown[0]!r}; there are {', '.join(FORMS)}")
    llm = {"name": "vllm", "model": model, "timeout_s": 1800.0}
    measure(names, Path(model).name, llm)


if __name__ == "__main__":
    main(sys.argv[1:])
