"""report.html: one self-contained file, opened without a network, under five megabytes.

Tables, verdict and fairness list are plain HTML; trials and figures travel compressed and are
unpacked by the page's own script. Text of agents and users is never markup: the template escapes
it, the script writes it as text nodes, and the policy in the head lets this one script run alone.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from nasarena.figures.plots.style import looks
from nasarena.figures.report.benchmark import benchmark_part
from nasarena.figures.report.chains import chains
from nasarena.figures.report.conclusion import Conclusion
from nasarena.figures.report.controls import controls
from nasarena.figures.report.curves import pack_curves
from nasarena.figures.report.figures import data_url, pack_figures
from nasarena.figures.report.literature import literature_part
from nasarena.figures.report.strips import curse_strips, score_strips
from nasarena.figures.report.trials import pack_trials
from nasarena.figures.report.verdict import num_leading
from nasarena.figures.results.paired_controls import SEEDED, in_words
from nasarena.figures.results.tables import Tables

_SCRIPTS = "data zoom filters explorer plot curves notebooks".split()
_PAGE = Path(__file__).parent / "page"


def render(conclusion: Conclusion) -> str:
    """The text of report.html."""
    analysis, table = conclusion.analysis, conclusion.table
    tables, standing = analysis.tables, analysis.standings
    drawings = conclusion.drawings if standing.places else []
    behind_letters, seeded = analysis.letter_controls, analysis.seeded_controls
    style, script = read_page("report.css"), "\n".join(read_page(f"{name}.js") for name in _SCRIPTS)
    template = environment_of("nasarena.figures.report").get_template("report.html.jinja")
    return template.render(
        conclusion=conclusion,
        leading=num_leading(analysis),
        tables=tables,
        standing=standing,
        searchers=table[table["kind"] == "searcher"].to_dict("records"),
        columns=_numbers(table),
        references=table[table["kind"] == "reference"].to_dict("records"),
        times=[
            (name, time.expected / tables.budget, time.at_least / tables.budget, time)
            for name, time in analysis.running_times.items()
        ],
        scores=score_strips(analysis),
        curse=curse_strips(analysis),
        benchmark=benchmark_part(analysis),
        controls=controls(analysis),
        letter_words=in_words(behind_letters) if behind_letters else "",
        head_starts=analysis.agents_against_seeded,
        seeded_words=in_words(seeded, SEEDED) if seeded else "",
        literature=literature_part(analysis),
        chains=chains(analysis),
        figures=pack_figures(drawings),
        first_figure=data_url(drawings[0]) if drawings else "",
        curves=pack_curves(analysis, {drawing.png.stem for drawing in drawings}),
        trials=pack_trials(analysis, _colors(tables)),
        settings=[(key, list(flatten(value))) for key, value in tables.condition.items() if value],
        provenance=_provenance([run.record.header for run in analysis.runs]),
        style=style,
        script=script,
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
    )


def read_page(name: str) -> str:
    """A file of the page, as text."""
    return (_PAGE / name).read_text(encoding="utf-8")


def _numbers(table: pd.DataFrame) -> list[str]:
    """Columns of the table that hold numbers of searchers."""
    own = table[table["kind"] == "searcher"].drop(columns=["kind", "name", "reason"])
    return list(own.columns[own.notna().any()])


def _colors(tables: Tables) -> dict[str, str]:
    """The colours that the figures use."""
    return {name: look.color for name, look in looks(tables.searchers).items()}


def environment_of(package: str) -> Environment:
    """What renders the pages of a package: every value is escaped, and none may be missing.

    What all pages have in common lies in the folder of this file.
    """
    shared = PackageLoader("nasarena.figures.report", "page")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "page"), shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    return environment


def _number(value: float, form: str = ".4f") -> str:
    """A number as it is printed, nothing where there is none (NaN is unequal to itself)."""
    return "" if value != value else format(value, form)


def policy_hash(text: str) -> str:
    """What a content security policy calls this very text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _provenance(headers: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, int]]]]:
    """What the headers of the runs say: for each key its values, with how many runs say so."""
    lines = []
    for key in sorted({key for header in headers for key in header} - {"config", "config_hash"}):
        values = [_readable(header[key]) for header in headers if key in header]
        lines.append((key, [(value, values.count(value)) for value in dict.fromkeys(values)]))
    return lines


def flatten(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as (dotted name, value) in order; what is not set is left out."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    elif value is not None:
        yield prefix, _readable(value)


def _readable(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_readable(item)}" for key, item in value.items())
    return f"{value:.6g}" if isinstance(value, float) else str(value)
