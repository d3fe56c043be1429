"""What a language model brings to a search: each model's agents and controls beside the others.

Reads one comparison, or one over landscapes. A row is a searcher; those without a language model
come first, then each model with its agents, then the same agent with something withheld. What the
agent loses by that, it had from there: scores, letters, history. On a benchmark the axis is the
normalized regret of what each run handed in, else the final score.

    python -m nasarena.figures.language_models runs/NAME docs/figures/language-models.png
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasarena.figures.plots.style import INK, MUTED, headline, house_style, new_figure
from nasarena.figures.results.analysis import Analysis, analyze
from nasarena.figures.results.rows import FINALISTS, choice_rows
from nasarena.figures.stats.intervals import Floats, Interval, interval
from nasarena.figures.stats.multiple import Comparison, compare_to
from nasarena.figures.suite.results import is_suite, read_suite
from nasarena.search.errors import NasArenaError
from nasarena.search.incumbent import best_first
from nasarena.search.run_config import BASELINE, Config, control_of, is_reference
from nasarena.search.run_folder import RunRecord
from nasarena.search.seeding import stream

TITLE = "What a language model brings to this search"
CLASSICAL = "no language model"
WITHHELD = {
    "shuffled_scores": "scores shuffled",
    "anonymous_letters": "letters anonymous",
    "no_history": "no history",
    "permuted_letters": "letters permuted",
    "seeded": "told hand-made patterns first",
}
_COLORS = ("#4a4a4a", "#0173b2", "#de8f05", "#029e73", "#cc78bc")
_ROW_INCHES = 0.26
Parts = Mapping[str, Analysis]


@dataclass(frozen=True)
class Row:
    """A searcher: which model it asks, what is withheld from it, and its value in every block,
    `(seeds, grounds)`; lower is better where it is a regret."""

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
        """Every row against random search over all blocks; a positive difference is better."""
        sign = -1.0 if self.is_regret else 1.0
        scores = {name: sign * row.values.ravel() for name, row in self.rows.items()}
        return {pair.first: pair for pair in compare_to(scores, BASELINE)}


def read_parts(folder: Path) -> Parts:
    """A comparison, or those of all landscapes, by name."""
    if is_suite(folder):
        return {each.name: each.analysis for each in read_suite(folder).landscapes}
    return {folder.resolve().name: analyze(folder)}


def chart_of(folder: Path, parts: Parts | None = None) -> Chart:
    """The rows of a comparison, `parts` where it was read already.

    Raises NasArenaError for one without random search.
    """
    parts = parts or read_parts(folder)
    first = next(iter(parts.values()))
    grounds = [_values(analysis) for analysis in parts.values()]
    configs: dict[str, Config] = {}
    for analysis in parts.values():
        found = [
            (run.searcher, run.record.config)
            for run in analysis.runs
            if not is_reference(run.record.config)
        ]
        configs |= dict(found)
    if not all(BASELINE in values for values in grounds):
        raise NasArenaError(f"{folder} has no runs of random search to compare with")
    # Those of the report: the largest block of searchers that all have the same seeds.
    seeds = sorted(set.intersection(*(set(analysis.tables.seeds) for analysis in parts.values())))
    rows, missing = {}, []
    for name in _order(configs):
        if all(set(seeds) <= set(values.get(name, {})) for values in grounds):
            blocks = np.array([[values[name][seed] for values in grounds] for seed in seeds])
            rows[name] = _row(configs[name], blocks)
        else:
            missing.append(name)
    is_regret = first.exact is not None
    where = f"{len(parts)} landscapes" if len(parts) > 1 else first.tables.ground
    score = first.standings.score_name + first.tables.unit_in_brackets
    return Chart(
        rows,
        "normalized regret (lower is better; 1: the best of as many uniform patterns)"
        if is_regret
        else f"{score} (higher is better)",
        f"{where}, {len(seeds)} seeds",
        is_regret,
        seeds,
        missing,
    )


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


def _values(analysis: Analysis) -> dict[str, dict[int, float]]:
    """What decides of every finished run, by label and seed, controls among them."""
    known, found = analysis.tables.benchmark, dict[str, dict[int, float]]()
    for run in analysis.runs:
        record = run.record
        if record.state != "finished" or is_reference(record.config):
            continue
        if known is None:
            value = _final_score(record)
        else:
            unit = known.difficulty.random_regret if known.difficulty else 1.0
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


def draw(chart: Chart) -> Figure:
    """The figure: groups of rows with intervals; random search's interval is a band."""
    groups = list(dict.fromkeys(row.model for row in chart.rows.values()))
    places = _places(chart, groups)
    num_rows = max(places.values(), default=0.0) + 1
    with house_style():
        figure = new_figure(7.6, 1.9 + _ROW_INCHES * num_rows)
        headline(figure, TITLE, _detail(chart), chart.ground)
        axes = figure.subplots()
        band = chart.interval(BASELINE)
        axes.axvspan(band.low, band.high, color="#eeeeee", lw=0, zorder=0)
        axes.axvline(band.estimate, color=MUTED, lw=0.8, zorder=1)
        against = chart.against_random
        for name, row in chart.rows.items():
            color = _COLORS[groups.index(row.model) % len(_COLORS)]
            _draw_row(axes, places[name], name, row, color, chart, against.get(name))
        for group in groups:
            first = min(places[name] for name, row in chart.rows.items() if row.model == group)
            axes.annotate(group, (0, first - 0.95), xycoords=("axes fraction", "data"),
                          xytext=(4, 0), textcoords="offset points", va="center",
                          fontsize=8, fontweight="bold", color=INK)  # fmt: skip
        axes.set_yticks(list(places.values()), [row.title for row in chart.rows.values()])
        for tick, row in zip(axes.get_yticklabels(), chart.rows.values(), strict=True):
            tick.set_color(MUTED if row.control else INK)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(num_rows - 0.4, -0.6)
        if chart.is_regret:
            axes.set_xlim(left=0)
        axes.grid(axis="x")
        axes.set_xlabel(chart.axis)
    return figure


def _places(chart: Chart, groups: Sequence[str]) -> dict[str, float]:
    """The height of every row; a group has a line for its name before it."""
    places, at = {}, 0.0
    for group in groups:
        at += 1
        for name in [name for name, row in chart.rows.items() if row.model == group]:
            places[name] = at
            at += 1
        at += 0.3
    return {name: places[name] for name in chart.rows}


def _draw_row(
    axes: Axes, at: float, name: str, row: Row, color: str, chart: Chart, pair: Comparison | None
) -> None:
    found = chart.interval(name)
    faint = 0.55 if row.control else 1.0
    if not np.isnan(found.low):
        axes.plot([found.low, found.high], [at, at], color=color, lw=2, alpha=faint)
    is_shown = pair is not None and pair.is_significant
    marker, size = ("D", 5) if row.control else ("o", 6.5)
    axes.plot(found.estimate, at, marker, ms=size, color=color, alpha=faint, mew=1.2,
              mfc=color if is_shown else "white")  # fmt: skip
    better = pair is not None and pair.favours_first
    says = (
        f"  {'better' if better else 'worse'}, p = {pair.p_holm:.1g}" if is_shown and pair else ""
    )
    axes.annotate(f"{found.estimate:.3f}{says}", (1.01, at), xycoords=("axes fraction", "data"),
                  va="center", fontsize=7, color=MUTED, annotation_clip=False)  # fmt: skip


def _detail(chart: Chart) -> str:
    blocks = next(iter(chart.rows.values())).values.size
    left_out = (
        f" Not shown, for want of finished runs: {', '.join(chart.missing)}."
        if chart.missing
        else ""
    )
    return (
        f"Marks and bars: interquartile mean over {blocks} paired runs with its 95 % interval. "
        f"Filled, with p: distinguishable from random search (exact paired test, Holm's "
        f"correction, 0.05), whose own interval is the grey band. Diamonds: controls, the same "
        f"agent with something withheld.{left_out}"
    )


def main(arguments: Sequence[str]) -> None:
    """Draw the comparison in a folder into a file."""
    if len(arguments) != 2:
        raise SystemExit("give the folder of a comparison, then the file to draw into")
    folder, file = map(Path, arguments)
    with matplotlib.rc_context({"axes.unicode_minus": False}):
        draw(chart_of(folder)).savefig(file, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1:])
