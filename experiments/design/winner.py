"""The winner of a comparison of edits taken apart: found, attributed, and written beside it."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from nasarena.experiments.design.attribution import Attribution, Effect
from nasarena.search.candidates.edit_space import DEFAULT
from nasarena.search.run_config import is_reference
from nasarena.search.run_folder import RunRecord
from nasarena.search.untrusted.drafts import replace_text

JSON, CSV = "attribution.json", "attribution.csv"


def best_finalist(records: Iterable[RunRecord]) -> str | None:
    """The candidate with edits of highest mean over its trainings on held-out data.

    It may have been lucky there: what it owes to its edits is found on other seeds.
    """
    scores: dict[str, list[float]] = {}
    for record in records:
        if is_reference(record.header["config"]):
            continue
        for event in record.of_kind("final"):
            if event["outcome"]["score"] is not None:
                scores.setdefault(event["pattern"], []).append(event["outcome"]["score"])
    found = {one: fmean(known) for one, known in scores.items() if one != DEFAULT}
    return max(found, key=lambda one: (found[one], one)) if found else None


def lines(attribution: Attribution) -> list[list[str]]:
    """A head and a line for each effect, as text."""
    head = ["edit", "way", "effect", "low", "high", "verdict", "together with", "seeds"]
    return [head, *(_line(attribution, effect) for effect in attribution.effects)]


def _line(attribution: Attribution, effect: Effect) -> list[str]:
    question = effect.question
    values = dict(pair.split("=") for pair in attribution.winner.split(" "))
    numbers = [f"{number:+.4f}" for number in (effect.mean, effect.low, effect.high)]
    name = f"{question.edit}={values[question.edit]}" if question.edit in values else question.edit
    return [
        name, question.way, *numbers, effect.verdict,
        " ".join(question.along), str(effect.num_seeds),
    ]  # fmt: skip


def write_attribution(folder: Path, attribution: Attribution) -> None:
    """`attribution.json` and `attribution.csv` in the folder of the comparison."""
    text = json.dumps(asdict(attribution), indent=1)
    replace_text(folder / JSON, text + "\n")
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(lines(attribution))
    replace_text(folder / CSV, table.getvalue())
