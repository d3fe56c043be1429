"""From the settings of `nasarena design` to those of a comparison, which does the rest."""

from dataclasses import dataclass, replace
from pathlib import Path
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
from nasarena.search.candidates.edit_space import DEFAULT
from nasarena.search.candidates.protocol import CodeSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.untrusted.bounded_read import read_bounded

PREFIX = "edits:"
# Who only asks a space for its samples and moves, and so works on any.
ON_ANY_SPACE = ("random", "local-search", "evolution", "genetic")
# Optuna's Gaussian process works too, when it is named: it thinks longer than a training takes.
ON_EDITS = (*ON_ANY_SPACE, "tpe", "cma-es", "nevergrad", "botorch")
# A training of an encoder takes three times as long: with five a table is there in some 12 minutes.
ON_ENCODERS = ("random", "evolution", "tpe", "cma-es", "botorch")
AUTORESEARCH = "autoresearch"


@dataclass(frozen=True, slots=True)
class Size:
    """How large a comparison is, and how long a training is (None: as the task has it)."""

    seeds: int
    trials: int
    seconds: float | None
    finalists: int


SIZES = {"full": Size(5, 24, None, 2), "smoke": Size(2, 8, 0.1, 1)}
# One finalist: nobody chooses by the test split.
LRA_SIZES = {"full": Size(3, 16, None, 1), "smoke": Size(2, 6, 0.1, 1)}


def size_of(config: DesignConfig) -> Size:
    """How large a comparison of this task and scale is."""
    return (SIZES if config.task == AUTORESEARCH else LRA_SIZES)[config.scale]


def space_of(config: DesignConfig) -> CodeSpace:
    """What is searched. Raises InvalidSetting for a setting of another task."""
    if config.task == AUTORESEARCH:
        from nasarena.proxies.autoresearch.catalogue import edit_space, program_space

        for name in ("variant", "size", "data"):
            if getattr(config, name) is not None:
                raise InvalidSetting(f"{name} is a setting of the tasks lra-*: choose one too")
        if config.framework != "torch":
            raise InvalidSetting("framework is a setting of the tasks lra-*: choose one too")
        return edit_space() if config.mode == "edits" else program_space()
    from nasarena.proxies.lra import catalogue, programs

    given = config.task, config.variant or "fixed", config.size or "cpu"
    if config.mode == "code":
        return programs.program_space(*given, config.framework)
    if config.framework != "torch":
        raise InvalidSetting(
            "framework=flax is for mode=code: the catalogue of edits is of PyTorch"
        )
    return catalogue.edit_space(*given)


def script_of(config: DesignConfig) -> str:
    """The candidate that everybody is told first: the script as it is given."""
    if config.mode == "edits":
        return DEFAULT
    return next(iter(space_of(config).known_candidates().values()))


def best_of(config: DesignConfig) -> str:
    """The best candidate that is known of the task; empty where none is."""
    if config.task != AUTORESEARCH:
        return ""
    from nasarena.proxies.autoresearch.best_known import best_known

    return best_known(config.mode)


def read_winner(config: DesignConfig) -> str:
    """The candidate that the setting `winner` gives: edits themselves, or a program's file.

    Raises InvalidSetting for a file that cannot be read, InvalidPattern for what is no candidate.
    """
    winner = config.winner or ""
    if config.mode == "code":
        try:
            winner = read_bounded(Path(winner)).decode()
        except (OSError, ValueError) as error:
            raise InvalidSetting(
                f"with mode=code, winner must be the file of a program, got {winner[:80]!r}"
            ) from error
    return space_of(config).validate(winner)


def proxy_of(config: DesignConfig) -> ProxyConfig:
    """What scores a candidate."""
    is_code = config.mode == "code"
    seconds = config.seconds or size_of(config).seconds
    options: dict[str, Any] = {"clock": config.clock or ("wall" if is_code else "modelled")}
    if config.task == AUTORESEARCH:
        options["isolation"] = "sandbox" if is_code else "fork"
    else:
        options |= {"variant": config.variant or "fixed", "size": config.size or "cpu"}
        options["data"] = config.data
    if seconds is not None:
        options["amount"] = seconds
    return choose_proxy(config.task, options, "task")


def comparison_settings(config: DesignConfig) -> CompareConfig:
    """The comparison of these settings. What the task has by name are its references: the script
    as it is, a plain one, baselines.

    Raises InvalidSetting for what cannot work.
    """
    size = size_of(config)
    return CompareConfig(
        proxy=proxy_of(config),
        space=space_of(config),
        budget=BudgetConfig(unit="trials", amount=config.trials or size.trials),
        loop=LoopConfig(
            initial_design=config.initial_design,
            finalists=size.finalists,
            final_replicates=2,  # of which the report takes its noise floor
            finalists_by="score",
            ask_timeout_s=3600.0,  # a language model on a CPU writes at a program for minutes
        ),
        searchers=_searchers(config),
        llm=config.llm,
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
    every: tuple[str, ...] = ON_EDITS if config.task == AUTORESEARCH else ON_ENCODERS
    every = every if config.mode == "edits" else ON_ANY_SPACE
    given = config.searchers or tuple(SearcherConfig(name) for name in every)
    if config.mode == "code":
        return given
    return tuple(
        replace(one, name=PREFIX + one.name, label=one.label or one.name)
        if PREFIX + one.name in EDIT_SEARCHERS
        else one
        for one in given
    )
