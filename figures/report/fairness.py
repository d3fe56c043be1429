"""The fairness list: each claim of an equal fight, checked against what was recorded.

Nothing is ticked because the harness promises it. A point is `yes`, `no`, or `unknown` where the
runs do not say enough; `detail` holds the numbers.
"""

from dataclasses import dataclass
from typing import Any, Literal

from nasarena.figures.results.analysis import Analysis
from nasarena.figures.results.rows import METERS
from nasarena.figures.results.tables import Tables

Answer = Literal["yes", "no", "unknown"]
# Sums of seconds carry rounding, as in the ledger.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the list."""

    claim: str
    answer: Answer
    detail: str

    @property
    def mark(self) -> str:
        return {"yes": "[x]", "no": "[ ]", "unknown": "[?]"}[self.answer]


def fairness(analysis: Analysis) -> list[Point]:
    """All points, in the order they are printed; empty where no run could be compared."""
    tables = analysis.tables
    if tables.runs.empty:
        return []
    return [
        _same_ground(tables),
        _cap(tables),
        _budget_use(tables),
        _initial_design(tables),
        _landscape(tables),
        _same_loop(tables),
        _seeds(tables),
        _retraining(tables),
        _waste(tables),
        _searcher_cost(tables),
        _budget_aware(tables),
        _same_code(tables),
    ]


def _same_ground(tables: Tables) -> Point:
    proxy = tables.condition["proxy"]
    detail = (
        f"proxy {proxy['name']}, version {proxy.get('version', 'not recorded')}; "
        f"{tables.space_in_words or 'space not recorded'}"
    )
    known: Answer = "yes" if "version" in proxy else "unknown"
    return Point("Same proxy version and same space", known, detail)


def _cap(tables: Tables) -> Point:
    budget = tables.condition["budget"]
    over = tables.runs[tables.runs["spent"] > budget["amount"] * (1 + _ROUNDING)]
    detail = f"{METERS[tables.unit].amount(budget['amount'])}; "
    detail += "no run spent more" if over.empty else f"{count_noun(len(over), 'run')} spent more"
    return Point("Same budget and cap", "yes" if over.empty else "no", detail)


def _budget_use(tables: Tables) -> Point:
    """Equal to within one trial: what is left must not have paid for the dearest trial seen."""
    amount = tables.budget
    left = amount - tables.runs["spent"]
    dearest = float(tables.trials["price"].max())
    stopped = tables.runs[left > dearest * (1 + _ROUNDING)]
    detail = f"at most {left.max() / amount:.1%} left unspent"
    if not stopped.empty:
        names = sorted(stopped["searcher"].unique())
        detail += f"; {count_noun(len(stopped), 'run')} stopped early: {', '.join(names)}"
    return Point("Budgets spent to within one trial", "no" if len(stopped) else "yes", detail)


def _initial_design(tables: Tables) -> Point:
    first = tables.trials[tables.trials["provenance"] == "initial_design"]
    wanted = tables.condition["loop"].get("initial_design")
    if first.empty:
        answer: Answer = "yes" if wanted == 0 else "unknown"
        return Point("Same initial design for each seed", answer, "none was asked for")
    designs = first.groupby(["seed", "searcher"])["pattern"].agg(tuple)
    kinds = designs.groupby("seed").nunique()
    complete = len(designs) == len(tables.runs)
    answer = "yes" if complete and (kinds == 1).all() else "no"
    return Point(
        "Same initial design for each seed", answer, f"{designs.map(len).max()} random patterns"
    )


def _landscape(tables: Tables) -> Point:
    """The same pattern, seed, replicate and fidelity must score the same, whoever asked."""
    claim = "Same score for the same pattern and seed, whoever asks"
    scored = tables.trials[tables.trials["status"] == "ok"]
    groups = scored.groupby(["seed", "pattern", "replicate", "fidelity"])
    shared = groups["searcher"].nunique() > 1
    if not shared.any():
        return Point(claim, "unknown", "no pattern was trained by two searchers")
    differing = int((groups["score"].nunique()[shared] > 1).sum())
    detail = f"{int(shared.sum())} trainings shared by searchers, {differing} differ"
    return Point(claim, "no" if differing else "yes", detail)


def _same_loop(tables: Tables) -> Point:
    loop: dict[str, Any] = dict(tables.condition["loop"])
    detail = ", ".join(f"{key} {value}" for key, value in sorted(loop.items()))
    return Point("Same rules for duplicates, failures, batches", "yes", detail)


def _seeds(tables: Tables) -> Point:
    detail = f"{count_noun(len(tables.searchers), 'searcher')} on {tables.seeds_in_words}"
    if tables.excluded:
        detail += f"; {count_noun(len(tables.excluded), 'run')} excluded"
    return Point("Paired seeds only, no run left out in silence", "yes", detail)


def _retraining(tables: Tables) -> Point:
    claim = "Winners re-trained with fresh seeds on held-out data"
    if tables.is_synthetic:
        claim = "Winners scored again with fresh noise"
    counts, failed = tables.runs["num_finals"], int(tables.runs["num_finals_failed"].sum())
    if (counts == 0).all():
        return Point(claim, "no", "no run was re-trained: its scores are search scores")
    most = f" to {counts.max()}" if counts.max() > counts.min() else ""
    judge = tables.final_proxy
    where = f" on {judge}" if judge else ""
    detail = f"{counts.min()}{most} re-trainings per run{where}, {failed} failed"
    return Point(claim, "yes" if counts.min() > 0 and not failed else "no", detail)


def _waste(tables: Tables) -> Point:
    totals = tables.runs[["num_failed", "num_duplicates", "num_invalid", "num_trials"]].sum()
    detail = (
        f"of {totals['num_trials']} proposals {totals['num_failed']} failed (charged in full), "
        f"{totals['num_duplicates']} were duplicates and {totals['num_invalid']} invalid"
    )
    return Point("Failures, duplicates and invalid proposals counted", "yes", detail)


def _searcher_cost(tables: Tables) -> Point:
    seconds = tables.runs.groupby("searcher")["searcher_seconds"].mean()
    dearest = str(seconds.idxmax())
    detail = f"dearest: {dearest} with {seconds.max():.3g} s per run"
    if tables.runs["uses_llm"].any():
        charged = tables.condition["budget"].get("charge_llm")
        detail += "; language models " + ("charged to the budget" if charged else "not charged")
    return Point("The searchers' own cost is shown", "yes", detail)


def _budget_aware(tables: Tables) -> Point:
    names = sorted(tables.runs.loc[tables.runs["budget_aware"], "searcher"].unique())
    detail = f"told the budget: {', '.join(names)}" if names else "no searcher was told the budget"
    return Point("Budget-aware searchers are marked", "yes", detail)


def _same_code(tables: Tables) -> Point:
    """All runs from one commit, with the same packages, on the same hardware."""
    claim = "Same code, packages and hardware"
    keys = [key for key in ("commit", "packages", "hardware") if _values(tables, key)]
    if not keys:
        return Point(claim, "unknown", "not recorded")
    differing = [key for key in keys if len(_values(tables, key)) > 1]
    if differing:
        return Point(claim, "no", f"runs differ in {', '.join(differing)}")
    return Point(claim, "yes", ", ".join(f"one {key} record" for key in keys))


def _values(tables: Tables, key: str) -> set[str]:
    return {repr(header[key]) for header in tables.provenance if key in header}


def count_noun(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
