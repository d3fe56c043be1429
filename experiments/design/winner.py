"""The winner of a comparison of code: which it is, and what is written of its attribution."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from math import isnan
from pathlib import Path
from statistics import fmean

from nasarena.experiments.design.attribution import Attribution, Effect
from nasarena.experiments.design.finals import final_scores
from nasarena.experiments.design.tables import write_csv
from nasarena.figures.stats.intervals import Interval
from nasarena.search.candidates.protocol import CodeSpace
from nasarena.search.candidates.syntax_tree import program_hash
from nasarena.search.run_config import is_reference
from nasarena.search.run_folder import RunRecord
from nasarena.search.untrusted.drafts import replace_text
from nasarena.search.untrusted.one_line import one_line

JSON, CSV = "attribution.json", "attribution.csv"


def best_finalist(records: Iterable[RunRecord], space: CodeSpace, script: str) -> str | None:
    """The candidate other than the script of highest mean over its trainings on held-out data.

    It may have been lucky there: what it owes to its edits is found on other seeds.
    """
    scores: dict[str, list[float]] = {}
    for record in records:
        if not is_reference(record.header["config"]):
            for one, known in final_scores(record).items():
                scores.setdefault(one, []).extend(known)
    given = space.identity(script)
    found = {
        one: fmean(known) for one, known in scores.items() if known and space.identity(one) != given
    }
    return max(found, key=lambda one: (found[one], one)) if found else None


def lines(attribution: Attribution) -> list[list[str]]:
    """A head and a line for each effect, as text."""
    head = ["edit", "way", "effect", "low", "high", "verdict", "together with", "seeds"]
    return [head, *(_line(attribution, effect) for effect in attribution.effects)]


def _line(attribution: Attribution, effect: Effect) -> list[str]:
    question = effect.question
    numbers = [f"{number:+.4f}" for number in (effect.mean, effect.low, effect.high)]
    known = [number if effect.num_seeds >= 3 else "" for number in numbers]
    return [
        _label(question.edit, attribution.parts), question.way, *known, effect.verdict,
        " ".join(question.along), str(effect.num_seeds),
    ]  # fmt: skip


def _label(name: str, parts: Mapping[str, str]) -> str:
    """An edit with its value; of a hunk the first line that it brings or takes."""
    text = parts.get(name, name)
    if "\n" not in text:
        return text
    changed = [line.strip() for line in text.splitlines()[1:] if line[1:].strip()]
    brought = [line for line in changed if line.startswith("+")]
    return f"{name}: {one_line((brought or changed or [''])[0])[:60]}".rstrip(": ")


def share_in_words(share: Interval) -> str:
    """A sentence on the known improvement."""
    if isnan(share.low):
        return "What is known of the task is not shown to be an improvement on these seeds."
    return (
        f"The winner has {share.estimate:.0%} of the known improvement "
        f"({share.low:.0%} to {share.high:.0%})."
    )


def write_attribution(folder: Path, attribution: Attribution) -> None:
    """`attribution.json` and `attribution.csv` in the folder of the comparison."""
    found = asdict(attribution)
    for effect in found["effects"]:
        for key in ("better", "worse"):
            effect["question"][key] = _short(effect["question"][key])
    replace_text(folder / JSON, json.dumps(found, indent=1) + "\n")
    head, *rows = lines(attribution)
    write_csv(folder / CSV, head, rows)


def _short(candidate: str) -> str:
    """A list of edits as it is; a program by its hash, for its hunks are in `parts`."""
    return program_hash(candidate) if "\n" in candidate else candidate
