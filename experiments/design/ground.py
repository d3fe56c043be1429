"""From the settings of `nasarena design` to those of a comparison, which does the rest."""

from dataclasses import dataclass, replace
from typing import Any

from nasarena.experiments.settings.choices import ProxyConfig, choose_proxy
from nasarena.experiments.settings.config import (
    BudgetConfig,
    CompareConfig,
    LoopConfig,
    SearcherConfig,
)
from nasarena.experiments.settings.design_settings import DesignConfig
from nasarena.experiments.settings.registry import EDIT_SEARCHERS
from nasarena.search.candidates.protocol import CodeSpace

PREFIX = "edits:"
# Who only asks a space for its samples and moves, and so works on any.
ON_ANY_SPACE = ("random", "local-search", "evolution", "genetic")
# Optuna's Gaussian process works too, when it is named: it thinks longer than a training takes.
ON_EDITS = (*ON_ANY_SPACE, "tpe", "cma-es", "nevergrad", "botorch")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a comparison is, and how long a training is (None: as the task has it)."""

    seeds: int
    trials: int
    seconds: float | None
    finalists: int


SIZES = {"full": Size(5, 24, None, 2), "smoke": Size(2, 8, 0.1, 1)}


def space_of(config: DesignConfig) -> CodeSpace:
    """What is searched."""
    from nasarena.proxies.autoresearch.catalogue import edit_space, program_space

    return edit_space() if config.mode == "edits" else program_space()


def proxy_of(config: DesignConfig) -> ProxyConfig:
    """What scores a candidate."""
    is_code = config.mode == "code"
    seconds = config.seconds or SIZES[config.scale].seconds
    options: dict[str, Any] = {
        "clock": config.clock or ("wall" if is_code else "modelled"),
        "isolation": "sandbox" if is_code else "fork",
    }
    if seconds is not None:
        options["amount"] = seconds
    return choose_proxy(config.task, options, "task")


def comparison_settings(config: DesignConfig) -> CompareConfig:
    """The comparison of these settings. The script as it is, and a plain one, are its references.

    Raises InvalidSetting for what cannot work.
    """
    size = SIZES[config.scale]
    trials = config.trials or size.trials
    return CompareConfig(
        proxy=proxy_of(config),
        space=space_of(config),
        budget=BudgetConfig(unit="trials", amount=trials),
        loop=LoopConfig(
            initial_design=config.initial_design,
            finalists=size.finalists,
            final_replicates=2,  # of which the report takes its noise floor
            finalists_by="score",
        ),
        searchers=_searchers(config),
        seeds=config.seeds or size.seeds,
        first_seed=config.first_seed,
        references=True,
        name=config.name,
        folder=config.folder,
        workers=config.workers,
        cache=config.cache,
        retry_failed=config.retry_failed,
        overwrite=config.overwrite,
        report=config.report,
    )


def _searchers(config: DesignConfig) -> tuple[SearcherConfig, ...]:
    """Those that were named or all; of a library the form of it that works on edits."""
    every = ON_EDITS if config.mode == "edits" else ON_ANY_SPACE
    given = config.searchers or tuple(SearcherConfig(name) for name in every)
    if config.mode == "code":
        return given
    return tuple(
        replace(one, name=PREFIX + one.name, label=one.label or one.name)
        if PREFIX + one.name in EDIT_SEARCHERS
        else one
        for one in given
    )
