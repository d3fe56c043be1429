"""`nasarena check FILE:NAME`: the conformance kit, then the searcher beside the baselines.

`nasarena check proxy=FILE:NAME` puts the contract of proxies to a proxy instead.

The second part is an ordinary comparison on the additive landscape with random search and
evolution: the p-value is of the one-sided Wilcoxon test on paired true scores of the best pattern.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from nasarena.experiments.commands.check_proxy import examine_proxy
from nasarena.experiments.commands.conformance import Finding, Kit
from nasarena.experiments.commands.one_comparison import report_failures, run_missing
from nasarena.experiments.comparison.plan import Comparison, plan_comparison
from nasarena.experiments.comparison.resolved_searcher import NO_OBJECTS, Entrant, resolve_searcher
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.provenance import command_line
from nasarena.experiments.settings.choices import choose_proxy
from nasarena.experiments.settings.commands import check_settings
from nasarena.experiments.settings.config import (
    BudgetConfig,
    CheckConfig,
    CompareConfig,
    LoopConfig,
    SearcherConfig,
)
from nasarena.proxies.landscape import Landscape
from nasarena.proxies.landscapes import additive
from nasarena.search.errors import InvalidSetting
from nasarena.search.loop import BUDGET_SPENT
from nasarena.search.machine import num_cores
from nasarena.search.retraining import best_patterns
from nasarena.search.run_config import BASELINES
from nasarena.search.searcher import SearcherSpec
from nasarena.search.space import PatternSpace
from nasarena.search.untrusted.one_line import one_line

P_VALUE = 0.01
_COMPARISON_S = 20.0  # what the searcher's runs beside the baselines may take
_BESIDE = BASELINES[:2]  # a third would take a third of the time
_NOISE = 0.1
_FEW_EARLY = 0.1  # of the runs


def check(arguments: Sequence[str]) -> int:
    """0 where every question is answered well, else 1."""
    places = [argument for argument in arguments if "=" not in argument]
    if not places and any(argument.startswith("proxy=") for argument in arguments):
        return _check_proxy(arguments)
    if len(places) != 1:
        raise InvalidSetting(
            f"one searcher is expected, as my_file.py:my_searcher or a name, got {len(places)}; "
            f"or a proxy, as proxy=my_file.py:my_proxy"
        )
    config = check_settings([argument for argument in arguments if "=" in argument])
    examination = Examination(places[0], config, command_line(["check", *arguments]))
    console = make_console()
    passed = [_show(finding, console) for finding in examination.findings()]
    if examination.folder is None:  # it cannot run at all
        return 1
    drawn = examination.folder / "figures" / "anytime.png"
    console.print(f"beside {' and '.join(_BESIDE)}: {drawn}", soft_wrap=True)
    console.print(f"{sum(passed)} of {len(passed)} passed")
    return 0 if all(passed) else 1


class Examination:
    """All questions to one searcher; `folder` is the comparison beside the baselines, once run.

    `own` is the searcher where it is a Python object, else `name` says where it is found.
    """

    def __init__(
        self, name: str, config: CheckConfig, command: str, own: SearcherSpec | None = None
    ) -> None:
        self._searcher = SearcherConfig(name, config.options)
        self._objects = {name: own} if own else NO_OBJECTS
        self._entrant = resolve_searcher(self._searcher, objects=self._objects)
        self._config, self._command = config, command
        self.folder: Path | None = None

    def findings(self) -> Iterator[Finding]:
        """Answers as they come; the first one alone where the searcher cannot run at all."""
        kit = Kit(self._entrant.spec(), self._config.options)
        num_answers = 0
        for finding in kit.findings():
            num_answers += 1
            yield finding
        if num_answers > 1:
            yield from self._beside_baselines(*_affordable(kit.trial_s, self._config))

    def _beside_baselines(self, num_seeds: int, num_trials: int) -> Iterator[Finding]:
        """Whether its runs use what they are given, and whether they beat random search."""
        from nasarena.figures.comparison import write_all

        settings = _settings(self._searcher, self._entrant, num_seeds, num_trials, self._config)
        comparison = plan_comparison(settings, self._command, self._objects)
        workers = self._config.workers
        troubles = run_missing(comparison, self._command, Console(quiet=True), workers, True)
        report_failures(troubles)
        # Three of all figures: the answer is promised within a minute.
        write_all(comparison.folder, self._command, only=("ranking", "regret", "anytime"))
        self.folder = comparison.folder
        landscape = additive(PatternSpace(), noise=_NOISE)
        own = _true_scores(comparison, self._entrant.label, landscape)
        random = _true_scores(comparison, "random", landscape)
        if len(own) < num_seeds:
            yield Finding("beats random search", False, "not all of its runs finished")
            return
        yield _spends_its_budget(comparison, self._entrant.label)
        p = one_sided_p(own, random)
        words = f"p = {p:.2g} on {num_seeds} paired seeds x {num_trials} trials"
        yield Finding("beats random search", p < P_VALUE, words)


def _spends_its_budget(comparison: Comparison, label: str) -> Finding:
    """A run that stops early wastes what the others of its comparison search with; a few may."""
    records = [
        record
        for cell in comparison.cells
        if cell.entrant.label == label and (record := comparison.records.of(cell.path))
    ]
    ends = [next(record.of_kind("searched")) for record in records]
    early = [end for end in ends if not end["reason"].startswith(BUDGET_SPENT)]
    if not early:
        return Finding("spends its budget", True)
    least = min(end["spent"] for end in early) / comparison.budget.amount
    words = (
        f"{len(early)} of {len(ends)} runs stopped early ({early[0]['reason']}), one with "
        f"{least:.0%} of its budget spent"
    )
    return Finding("spends its budget", len(early) <= _FEW_EARLY * len(ends), words)


def _check_proxy(arguments: Sequence[str]) -> int:
    console = make_console()
    passed = [_show(finding, console, 58) for finding in examine_proxy(arguments)]
    console.print(f"{sum(passed)} of {len(passed)} passed")
    return 0 if all(passed) else 1


def _show(finding: Finding, console: Console, width: int = 26) -> bool:
    mark = "[green]ok  [/green]" if finding.passed else "[red]FAIL[/red]"
    console.print(mark, end=" ")
    words = one_line(finding.words)
    console.print(f"{finding.question:{width}}{words}", markup=False, soft_wrap=True)
    return finding.passed


def _affordable(trial_s: float, config: CheckConfig) -> tuple[int, int]:
    """Seeds and trials that fit the time: fewer for a slow searcher, never too few to tell."""
    affordable = _COMPARISON_S * min(num_cores(), config.workers or num_cores()) / trial_s
    if affordable >= config.seeds * config.trials:
        return config.seeds, config.trials
    num_seeds = min(config.seeds, 10)
    return num_seeds, min(config.trials, max(40, int(affordable / num_seeds)))


def _settings(
    searcher: SearcherConfig, entrant: Entrant, num_seeds: int, num_trials: int, config: CheckConfig
) -> CompareConfig:
    others = [SearcherConfig(name, {}) for name in _BESIDE if name != entrant.name]
    # The folder's name changes with the searcher's file, so that an edited one starts afresh.
    suffix = f"-{entrant.source}" if entrant.source else ""
    return CompareConfig(
        searchers=(searcher, *others),
        seeds=num_seeds,
        first_seed=0,
        proxy=choose_proxy("additive", {"noise": _NOISE}),
        final_proxy=None,
        space=PatternSpace(),
        budget=BudgetConfig("trials", num_trials, None, False),
        loop=LoopConfig(4, 1, "reuse", 100, 60.0, 1, 1),
        references=False,
        name=f"check-{entrant.name}{suffix}-{num_seeds}x{num_trials}",
        folder=config.folder,
        workers=config.workers,
        cache=False,
        retry_failed=True,
        report=True,
    )


def _true_scores(comparison: Comparison, label: str, landscape: Landscape) -> list[float]:
    """True score of the best pattern of each finished run, by seed."""
    scores = []
    for cell in comparison.cells:
        record = comparison.records.of(cell.path)
        if cell.entrant.label == label and record and record.state == "finished":
            best = best_patterns(record.trials(), 1)
            scores += [landscape.true_score(pattern) for pattern in best]
    return scores


def one_sided_p(first: Sequence[float], second: Sequence[float]) -> float:
    """p of the Wilcoxon signed-rank test that `first` is larger than `second`, pair by pair."""
    from scipy.stats import wilcoxon

    differences = [one - other for one, other in zip(first, second, strict=True)]
    if not any(differences):
        return 1.0
    return float(wilcoxon(differences, alternative="greater", method="approx").pvalue)
