"""The rows of a comparison of language models, and how they compare.

A row is a searcher over all landscapes and seeds: the normalized regret of what each run handed in
where the truth is known, else its final score. Those without a language model come first, then
each model with its agents, a control behind its agent: the same agent with something withheld.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from nasarena.figures.results.analysis import Analysis, analyze
from nasarena.figures.results.rows import FINALISTS, choice_rows
from nasarena.figures.stats.intervals import Floats, Interval, interval
from nasarena.figures.stats.multiple import Comparison, compare_pairs, compare_to
from nasarena.figures.suite.results import is_suite, read_suite
from nasarena.search.errors import NasArenaError
from nasarena.search.incumbent import best_first
from nasarena.search.run_config import BASELINE, Config, control_of, is_reference
from nasarena.search.run_folder import RunRecord
from nasarena.search.seeding import stream

CLASSICAL = "no language model"
WITHHELD = {
    "shuffled_scores": "scores shuffled",
    "anonymous_letters": "letters anonymous",
    "no_history": "no history",
    "permuted_letters": "letters permuted",
    "seeded": "hand-made patterns first",
}
Parts = Mapping[str, Analysis]


@dataclass(frozen=True)
class Row:
    """A searcher: which model it asks, what is withheld from it, and its value in every block,
    `(seeds, landscapes)`; lower is better where it is a regret."""

    name: str
    model: str
    control: str
    values: Floats = field(repr=False)

    @property
    def title(self) -> str:
        """As the figure calls it."""
        return (
            f"{self.name}, {WITHHELD.get(self.control, self.control)}"
            if self.control
            else self.name
        )


@dataclass(frozen=True)
class Chart:
    """All rows by label, in the order in which they are drawn; `missing` lack runs."""

    rows: Mapping[str, Row]
    landscapes: Sequence[str]
    axis: str
    ground: str
    is_regret: bool
    seeds: Sequence[int]
    missing: Sequence[str] = ()

    def interval(self, name: str) -> Interval:
        """Interquartile mean of a row over all blocks; a regret is never below 0."""
        found = interval(self.rows[name].values, stream(0, "bootstrap", name, "language models"))
        low = float(np.maximum(found.low, 0.0)) if self.is_regret else found.low
        return Interval(found.estimate, low, found.high)

    @cached_property
    def against_random(self) -> dict[str, Comparison]:
        """Every row against random search over all blocks; a positive difference is better.

        Corrected group by group, as the reports of its parts are: among the searchers without a
        model, and among one model's. Over all rows of two models ten seeds could show nothing.
        """
        found: dict[str, Comparison] = {}
        for model in self._models:
            scores = {
                name: self.scores[name]
                for name, row in self.rows.items()
                if row.model == model or name == BASELINE
            }
            found |= {pair.first: pair for pair in compare_to(scores, BASELINE)}
        return found

    @cached_property
    def against_agents(self) -> list[Comparison]:
        """The agent of each control against the control, over all blocks; a positive difference
        is what it loses without what was withheld. Corrected for these alone, model by model."""
        found: list[Comparison] = []
        for model in self._models:
            of_model = {name: row for name, row in self.rows.items() if row.model == model}
            agents = {row.name: name for name, row in of_model.items() if not row.control}
            pairs = [
                (agents[row.name], name)
                for name, row in of_model.items()
                if row.control and row.name in agents
            ]
            found += compare_pairs(pairs, self.scores)
        return found

    @property
    def _models(self) -> list[str]:
        return list(dict.fromkeys(row.model for row in self.rows.values()))

    @property
    def scores(self) -> dict[str, Floats]:
        """Every row's values over all blocks, of which higher are better."""
        sign = -1.0 if self.is_regret else 1.0
        return {name: sign * row.values.ravel() for name, row in self.rows.items()}


def read_parts(folder: Path) -> Parts:
    """A comparison, or those of all landscapes, by the landscape's name."""
    if is_suite(folder):
        return {each.name: each.analysis for each in read_suite(folder).landscapes}
    analysis = analyze(folder)
    return {str(analysis.runs[0].record.config["proxy"]["name"]): analysis}


def units_of(parts: Parts) -> dict[str, float]:
    """What regrets are divided by, by landscape: that of the best of as many uniform patterns."""
    known = {name: analysis.tables.benchmark for name, analysis in parts.items()}
    return {
        name: one.difficulty.random_regret if one and one.difficulty else 1.0
        for name, one in known.items()
    }


def chart_of(
    folder: Path, parts: Parts | None = None, units: Mapping[str, float] | None = None
) -> Chart:
    """The rows of a comparison, `parts` where it was read already.

    Regrets are in `units`, by default the comparison's own, which depend on its budget. Raises
    NasArenaError for one without random search on the seeds of the others, and for units of other
    landscapes.
    """
    parts = parts or read_parts(folder)
    units = units or units_of(parts)
    if set(units) != set(parts):
        raise NasArenaError(f"{folder} has other landscapes: {', '.join(parts)}")
    first = next(iter(parts.values()))
    grounds = [_values(analysis, units[name]) for name, analysis in parts.items()]
    configs = _configs(parts)
    seeds = _common_seeds(parts)
    rows, missing = {}, []
    for name in _order(configs):
        if all(set(seeds) <= set(values.get(name, {})) for values in grounds):
            blocks = np.array([[values[name][seed] for values in grounds] for seed in seeds])
            rows[name] = _row(configs[name], blocks)
        else:
            missing.append(name)
    if BASELINE not in rows:
        raise NasArenaError(f"{folder} has no runs of random search to compare with")
    is_regret = first.exact is not None
    where = f"{len(parts)} landscapes" if len(parts) > 1 else first.tables.ground
    score = first.standings.score_name + first.tables.unit_in_brackets
    return Chart(
        rows,
        list(parts),
        "normalized regret (lower is better; 1: the best of as many uniform patterns)"
        if is_regret
        else f"{score} (higher is better)",
        f"{where}, {len(seeds)} seeds",
        is_regret,
        seeds,
        missing,
    )


def _common_seeds(parts: Parts) -> list[int]:
    """Those of the reports: of the largest block of searchers that all have the same seeds."""
    return sorted(set.intersection(*(set(analysis.tables.seeds) for analysis in parts.values())))


def _configs(parts: Parts) -> dict[str, Config]:
    """The settings of one run of each searcher, by label; no hand-made patterns."""
    return {
        run.searcher: run.record.config
        for analysis in parts.values()
        for run in analysis.runs
        if not is_reference(run.record.config)
    }


def _row(config: Config, values: Floats) -> Row:
    searcher = config["searcher"]
    name = str(searcher["name"]).removeprefix("agent-")
    return Row(name, _model(config), _control(config), values)


def _model(config: Config) -> str:
    return str((config.get("llm") or {}).get("model") or CLASSICAL)


def _control(config: Config) -> str:
    own = str(config["searcher"].get("options", {}).get("control") or "none")
    return control_of(config) or ("" if own == "none" else own)


def _order(configs: Mapping[str, Config]) -> list[str]:
    """Classical searchers, then model by model its agents, each control behind its agent."""
    kinds = list(dict.fromkeys([CLASSICAL, *sorted(map(_model, configs.values()))]))

    def place(name: str) -> tuple[int, str, bool, str]:
        config = configs[name]
        own = str(config["searcher"]["name"])
        return kinds.index(_model(config)), own, bool(_control(config)), name

    return sorted(configs, key=place)


def _values(analysis: Analysis, unit: float) -> dict[str, dict[int, float]]:
    """What decides of every finished run, by label and seed, controls among them."""
    known, found = analysis.tables.benchmark, dict[str, dict[int, float]]()
    for run in analysis.runs:
        record = run.record
        if record.state != "finished" or is_reference(record.config):
            continue
        if known is None:
            value = _final_score(record)
        else:
            scores = [known.scores.get(pattern, np.nan) for pattern in _handed_in(record)]
            value = (known.best - float(np.mean(scores))) / unit
        if np.isfinite(value):
            found.setdefault(run.searcher, {})[run.seed] = value
    return found


def _handed_in(record: RunRecord) -> list[str]:
    """The finalists, else the best observed."""
    named = [row["pattern"] for row in choice_rows(record) if row["named_by"] == FINALISTS]
    return named or [one.pattern for one in best_first(record.trials())[:1]]


def _final_score(record: RunRecord) -> float:
    """The mean over the trainings of the finalists, else the best search score."""
    handed_in = set(_handed_in(record))
    finals = [event for event in record.of_kind("final") if event["pattern"] in handed_in]
    scores = [event["outcome"]["score"] for event in finals]
    scored = [float(score) for score in scores if score is not None]
    if scored:
        return float(np.mean(scored))
    best = best_first(record.trials())
    return float("nan") if not best or best[0].score is None else float(best[0].score)
