"""From one run's record to rows of tables: its trials, its re-trainings, its totals.

A row is a plain dictionary; `tables.py` puts the rows of all runs together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import numpy as np
import pandas as pd

from nasarena.search.fidelity import Payments, comparable
from nasarena.search.incumbent import takes_over
from nasarena.search.run_folder import RunRecord
from nasarena.search.trial import Trial


@dataclass(frozen=True, slots=True)
class Meter:
    """A way to count what a run has used: its unit in words, and its label on an axis."""

    unit: str
    label: str

    def amount(self, value: float) -> str:
        """A number of this unit in words, as `893.9 GFLOPs`; whole below 10,000."""
        step = max(0, int(log10(value)) // 3) if value >= 1e4 else 0
        prefix = "" if step == 0 else " kMGTPEZY"[step]
        return f"{value / 1000**step:.4g} {prefix}{self.unit}"


# By the name of the cumulative column of a trial's row; the first four are budget units.
METERS = {
    "trials": Meter("trials", "patterns trained (trials)"),
    "flops": Meter("FLOPs", "training FLOPs charged"),
    "tokens": Meter("tokens", "training tokens charged"),
    "device_seconds": Meter("device seconds", "device seconds charged (cost model)"),
    "measured_seconds": Meter("seconds", "seconds measured, searcher and training"),
}

RUN_COLUMNS = (
    "searcher seed reason budget_aware uses_llm spent num_trials num_trained num_failed "
    "num_duplicates num_invalid best_search search_of_finals final final_of_best "
    "final_of_recommended num_finals num_finals_failed "
    "searcher_seconds training_seconds llm_calls llm_tokens"
).split()
TRIAL_COLUMNS = (
    "searcher seed index pattern status score fidelity best_so_far incumbent provenance replicate "
    "parents duplicate_of name note price spent trials flops tokens device_seconds "
    "measured_seconds training_seconds"
).split()
CONTROL_COLUMNS = [*RUN_COLUMNS, "control", "real"]
FINAL_COLUMNS = "searcher seed pattern replicate status score search_score named_by".split()
FINALISTS, BEST, RECOMMENDED = "finalists", "best", "recommended"  # who names what is trained again
CHOICE_COLUMNS = "searcher seed pattern named_by".split()
REFERENCE_COLUMNS = "name pattern seed score final trainings".split()


def trial_rows(record: RunRecord) -> list[dict[str, Any]]:
    """Settled trials with running totals; free trials repeat the totals before them."""
    asked_seconds = _ask_seconds(record)
    used = dict.fromkeys(METERS, 0.0)
    best, spent, rows = None, 0.0, []
    incumbent = None
    paid = Payments()
    for event in record.of_kind("settled"):
        trial = Trial.from_json(event["trial"])
        seconds = float(event.get("measured", {}).get("s", 0.0))
        used["trials"] += _training_share(trial, paid)
        used["flops"] += trial.cost.flops
        used["tokens"] += trial.cost.tokens
        used["device_seconds"] += trial.cost.device_seconds
        used["measured_seconds"] += seconds + asked_seconds.get(trial.index, 0.0)
        if takes_over(trial, best):
            best, incumbent = trial.score, trial.pattern
        price, spent = event["spent"] - spent, event["spent"]
        rows.append(
            _describe(trial)
            | {
                "best_so_far": float("nan") if best is None else best,
                "incumbent": incumbent,
                "price": price,
                "spent": spent,
                "training_seconds": seconds,
                **used,
            }
        )
    return rows


def _describe(trial: Trial) -> dict[str, Any]:
    """What a row says of the trial alone."""
    return {
        "index": trial.index,
        "pattern": trial.pattern,
        "status": trial.status,
        "score": trial.score,
        "fidelity": trial.fidelity,
        "provenance": trial.provenance,
        "replicate": trial.replicate,
        "parents": " ".join(map(str, trial.parents)),
        "duplicate_of": trial.duplicate_of,
        "name": trial.details.get("name", ""),
        "note": trial.note,
    }


def _training_share(trial: Trial, paid: Payments) -> float:
    """How much of a full training this trial was: the increment where a part was trained before."""
    if trial.status not in ("ok", "failed"):
        return 0.0
    _, reached = paid.next(trial.pattern, trial.fidelity)
    paid.pay(trial.pattern, trial.replicate, trial.fidelity)
    return trial.fidelity - reached


def _ask_seconds(record: RunRecord) -> dict[int, float]:
    """Seconds the searcher took, by the index of the first trial that they were for."""
    return {
        event["first"]: float(
            event["measured"].get("ask_s", 0) + event["measured"].get("tell_s", 0)
        )
        for event in record.of_kind("asked")
    }


def final_rows(record: RunRecord) -> list[dict[str, Any]]:
    """Re-trainings, each with the best search score of its pattern."""
    search_scores: dict[str, float] = {}
    for trial in comparable(record.trials()):
        assert trial.score is not None
        best = max(trial.score, search_scores.get(trial.pattern, trial.score))
        search_scores[trial.pattern] = best
    named_by = _named_by(record)
    return [
        {
            "pattern": event["pattern"],
            "replicate": event["replicate"],
            "status": event["outcome"]["status"],
            "score": event["outcome"]["score"],
            "search_score": search_scores.get(event["pattern"]),
            "named_by": named_by.get(event["pattern"], FINALISTS),
        }
        for event in record.of_kind("final")
    ]


def choice_rows(record: RunRecord) -> list[dict[str, str]]:
    """A pattern and who named it, by the event `chosen`.

    Records from before there was one have finalists alone: what was trained again.
    """
    chosen = [
        {"pattern": pattern, "named_by": name}
        for event in record.of_kind("chosen")
        for name in (FINALISTS, BEST, RECOMMENDED)
        for pattern in event[name]
    ]
    again = dict.fromkeys(event["pattern"] for event in record.of_kind("final"))
    return chosen or [{"pattern": pattern, "named_by": FINALISTS} for pattern in again]


def _named_by(record: RunRecord) -> dict[str, str]:
    """Who named each pattern, all of them in one text."""
    found: dict[str, list[str]] = {}
    for row in choice_rows(record):
        found.setdefault(row["pattern"], []).append(row["named_by"])
    return {pattern: " ".join(names) for pattern, names in found.items()}


def finals_of(finals: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """The re-trainings of patterns that were named by `name`."""
    return [row for row in finals if name in row["named_by"].split()]


def valid_retrainings(finals: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The re-trainings that a final score is the mean of: those that succeeded.

    Of a pattern of which more than half diverged none counts: it trains by luck alone.
    """
    succeeded: dict[str, list[bool]] = {}
    for row in finals:
        succeeded.setdefault(row["pattern"], []).append(row["score"] is not None)
    sound = {pattern for pattern, found in succeeded.items() if 2 * sum(found) >= len(found)}
    return [row for row in finals if row["score"] is not None and row["pattern"] in sound]


def totals(
    record: RunRecord, trials: Sequence[Mapping[str, Any]], finals: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a run comes to; `final` is the mean over the `valid_retrainings` of its finalists."""
    end = record.events[-1]
    status = pd.Series([row["status"] for row in trials], dtype=object).value_counts()
    decisive = finals_of(finals, FINALISTS)
    retrained = pd.DataFrame(decisive, columns=["score", "search_score"], dtype=float)
    llm = end.get("llm", {})
    searcher = record.config["searcher"]
    return {
        "reason": end.get("reason", ""),
        "budget_aware": bool(searcher.get("budget_aware", False)),
        "uses_llm": bool(searcher.get("uses_llm", False)),
        "spent": float(end["spent"]),
        "num_trials": len(trials),
        "num_trained": int(status.get("ok", 0) + status.get("failed", 0)),
        "num_failed": int(status.get("failed", 0)),
        "num_duplicates": int(status.get("duplicate", 0)),
        "num_invalid": int(status.get("invalid", 0)),
        "best_search": trials[-1]["best_so_far"] if trials else float("nan"),
        "search_of_finals": retrained["search_score"].mean(),
        "final": _mean_final(decisive),
        "final_of_best": _mean_final(finals_of(finals, BEST)),
        "final_of_recommended": _mean_final(finals_of(finals, RECOMMENDED)),
        "num_finals": len(decisive),
        "num_finals_failed": int(retrained["score"].isna().sum()),
        "searcher_seconds": sum(_ask_seconds(record).values()),
        "training_seconds": sum(row["training_seconds"] for row in trials),
        "llm_calls": llm.get("calls", 0),
        "llm_tokens": llm.get("prompt_tokens", 0) + llm.get("completion_tokens", 0),
    }


def _mean_final(finals: Sequence[Mapping[str, Any]]) -> float:
    judged = [row["score"] for row in valid_retrainings(finals)]
    return float(np.mean(judged)) if judged else float("nan")


def reference_rows(record: RunRecord) -> list[dict[str, Any]]:
    """The hand-made patterns that a run scored, with the mean of their re-trainings."""
    judged = valid_retrainings(final_rows(record))
    finals = pd.DataFrame(judged, columns=["pattern", "score"])
    held_out = finals.astype({"score": float}).groupby("pattern")["score"]
    means, counts = held_out.mean(), held_out.count()
    return [
        {
            "name": trial.details.get("name", trial.pattern),
            "pattern": trial.pattern,
            "seed": record.config["loop"]["seed"],
            "score": trial.score,
            "final": means.get(trial.pattern),
            "trainings": counts.get(trial.pattern, 0),
        }
        for trial in record.trials()
    ]
