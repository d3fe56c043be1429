"""The embedded agent, its teacher and classical searchers on families of landscapes held out.

Five families (`agents/scribe/held_out_functions.py`) that no lesson and no judged landscape has; by
default 20 seeds, each a landscape of its own with noise of 0, 0.1 or 0.33 standard deviations; 100
trials; the same initial design for all. Regret is the best score known (by many climbs, or by any
searcher) minus the true score of the pattern with the best noisy score. p values: exact one-sided
Wilcoxon signed-rank test, by seed.

    python -m nasarena.experiments.measure.searchers.held_out [--save] [--seeds=20] [--trials=100] \
      [--depth=16] [--workers=2] [--model=FOLDER] [--beside FOLDER ...] [tpe scribe ...]

Other embedded agents play `--beside` the model, by the names of their folders, with p against it.
`--families=tables ngrams ...` plays fresh functions of families that lessons have: what is to be
chosen is chosen there. Finished runs are kept in the cache folder, so an interrupted measurement
goes on.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.agents.scribe.card import MODEL_DIR, prompt_options
from nasarena.agents.scribe.held_out_functions import HELD_OUT, best_known, draw_function
from nasarena.agents.scribe.landscapes import TRAINED
from nasarena.agents.scribe.local import ScribeClient
from nasarena.experiments.execution.pool import News, Report, results
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.measure.record import record
from nasarena.experiments.measure.searchers.narrow_teacher import NARROW
from nasarena.experiments.measure.separation import p_better
from nasarena.experiments.settings.registry import load_searcher
from nasarena.search.budget import Budget
from nasarena.search.hashes import config_hash
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.machine import cache_folder
from nasarena.search.proxy import Direction, Proxy, Split, TrialSeed
from nasarena.search.retraining import best_patterns
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import build_searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

AGENT = "agent-sequential"
# What runs under which name: a searcher and its options.
ENTRANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("random", {}),
    "evolution": ("evolution", {}),
    "tpe": ("tpe", {}),
    "ngram-thompson": ("ngram-thompson", {}),
    "teacher": ("teacher", {}),
    **{name: (name, {}) for name in NARROW},
    "scribe": (AGENT, {}),
    "scribe, shuffled scores": (AGENT, {"control": "shuffled_scores"}),
}
BARS = ("random", "tpe", "scribe")  # against whom p values are printed


class HeldOut(Proxy):
    """A held-out function as a proxy; a training costs one trial."""

    metric = "value"
    direction: Direction = "max"
    score_range = (-np.inf, np.inf)

    def __init__(self, family: str, space: PatternSpace, seed: int) -> None:
        self.name, self.space = family, space
        self.drawn = draw_function(family, space, seed)
        self.version = config_hash({"family": family, "seed": seed, "space": str(space)})

    def true_score(self, pattern: str) -> float:
        """The score without noise."""
        return float(self.drawn.function(np.array([self.space.digits(pattern)]))[0])

    def cost(self, pattern: str) -> Cost:
        return Cost(1, 1, 1.0)

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        return [self._outcome(*each) for each in zip(patterns, seeds, strict=True)]

    def _outcome(self, pattern: str, seed: TrialSeed) -> Outcome:
        noise = stream(seed.run, "held-out noise", pattern, seed.replicate).standard_normal()
        score = self.true_score(pattern) + self.drawn.noise * float(noise)
        return Outcome("ok", score, self.cost(pattern))


@dataclass(frozen=True)
class Run:
    """A task for a worker: one entrant on one landscape.

    `model` is the embedded agent's folder, `lines` how many scored lines it is shown (None: as the
    model is meant to), `label` what it is called where several models play.
    """

    family: str
    entrant: str
    seed: int
    num_trials: int
    depth: int
    model: str
    lines: int | None = None
    label: str = ""

    @property
    def name(self) -> str:
        """What its row is called."""
        return self.label or self.entrant

    def __call__(self, report: Report) -> float:
        """True score of the pattern with the best noisy score."""
        proxy = HeldOut(self.family, PatternSpace("AMS", self.depth), self.seed)
        name, options = ENTRANTS[self.entrant]
        spec = NARROW.get(name) or load_searcher(name)
        if spec.uses_llm:
            options = {**self._prompt(), **options}
        llm = ScribeClient(Path(self.model)) if spec.uses_llm else None
        make = partial(build_searcher, spec, proxy.space)
        given: dict[str, Any] = {"options": options, "num_trials": self.num_trials, "llm": llm}
        settings = LoopSettings(self.seed, Budget("trials", self.num_trials), finalists=0)
        with tempfile.TemporaryDirectory() as path, RunFolder(Path(path) / "run", {}, {}) as run:
            trials = run_to_end(run, lambda rng: make(rng, **given), proxy, settings)
        return proxy.true_score(best_patterns(trials, 1)[0])

    @property
    def key(self) -> str:
        """What the result depends on: of the model weights and prompt, not where they lie."""
        is_agent = ENTRANTS[self.entrant][0] == AGENT
        client = ScribeClient(Path(self.model)) if is_agent else None
        revision = client.revision if client else ""
        lines = self._prompt().get("lines") if client else None
        revision += f"-{lines}-lines" if lines else ""
        place = (self.family, self.entrant, self.seed, self.num_trials, self.depth, revision)
        return json.dumps(place)

    def _prompt(self) -> dict[str, Any]:
        """The options of an agent that asks the model."""
        given = {} if self.lines is None else {"lines": self.lines}
        return {**prompt_options(Path(self.model)), **given}


def scores_of(runs: Sequence[Run], kept: Path, num_workers: int | None) -> dict[Run, float]:
    """The result of every run; those in the file `kept` are not run again."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    text = kept.read_text() if kept.exists() else ""
    whole = [line for line in text.split("\n") if line.endswith("]")]  # the last may be torn
    known: dict[str, float] = dict(json.loads(line) for line in whole)
    missing = [run for run in runs if run.key not in known]
    with kept.open("a") as file:
        if not text.endswith("\n"):
            file.write("\n")

        def keep(news: News) -> None:
            if news.kind == "done":
                known[missing[news.task].key] = news.value
                file.write(json.dumps([missing[news.task].key, news.value]) + "\n")
                file.flush()

        results(missing, LocalPool(num_workers), keep)
    return {run: known[run.key] for run in runs}


def rows_of(scores: Mapping[Run, float]) -> list[dict[str, Any]]:
    """A row for each family and entrant."""
    families = list(dict.fromkeys(run.family for run in scores))
    return [row for family in families for row in _family_rows(family, scores)]


def _family_rows(family: str, scores: Mapping[Run, float]) -> list[dict[str, Any]]:
    here = {(run.name, run.seed): score for run, score in scores.items() if run.family == family}
    entrants = list(dict.fromkeys(entrant for entrant, _ in here))
    seeds = sorted({seed for _, seed in here})
    depth = next(iter(scores)).depth
    best = [
        max(_best_known(family, depth, seed), *(here[one, seed] for one in entrants))
        for seed in seeds
    ]
    regrets = {
        one: np.array(best) - np.array([here[one, seed] for seed in seeds]) for one in entrants
    }
    rows = []
    for one in entrants:
        row: dict[str, Any] = {"family": family, "searcher": one}
        row["median_regret"] = float(np.median(regrets[one]))
        row["mean_regret"] = float(np.mean(regrets[one]))
        for other in BARS:
            if other in regrets and other != one:
                differ = (regrets[one] != regrets[other]).any()
                row[f"p_below_{other}"] = p_better(regrets[one], regrets[other]) if differ else None
        rows.append(row)
    return rows


def summary_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The bars: the worst family counts. Regret relative to TPE's, and p against random."""
    of = {(row["family"], row["searcher"]): row for row in rows}
    families = list(dict.fromkeys(row["family"] for row in rows))
    agent = [of[family, "scribe"] for family in families if (family, "scribe") in of]
    if not agent or (families[0], "tpe") not in of:
        return {}
    ratios = {
        row["family"]: row["median_regret"] / (of[row["family"], "tpe"]["median_regret"] or 1e-9)
        for row in agent
    }
    p_values = [row["p_below_random"] for row in agent]
    return {
        **{f"regret_to_tpe_{family}": ratio for family, ratio in ratios.items()},
        "worst_regret_to_tpe": max(ratios.values()),
        "worst_p_against_random": max(1.0 if p is None else p for p in p_values),
    }


def _best_known(family: str, depth: int, seed: int) -> float:
    drawn = draw_function(family, PatternSpace("AMS", depth), seed)
    return best_known(drawn, stream(seed, "climbs", family))


def main() -> None:
    parser = argparse.ArgumentParser(description="Searches on families held out of all lessons.")
    parser.add_argument("entrants", nargs="*", metavar="ENTRANT", help=f"of {', '.join(ENTRANTS)}")
    for name, default in (("seeds", 20), ("trials", 100), ("depth", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument(
        "--families", nargs="+", choices=[*HELD_OUT, *TRAINED], default=list(HELD_OUT)
    )
    parser.add_argument("--model", type=Path, default=MODEL_DIR, help="the embedded agent's folder")
    parser.add_argument("--beside", nargs="+", type=Path, default=[], help="more such folders")
    parser.add_argument("--lines", type=int, help="of its prompt; by default the model's own")
    parser.add_argument("--workers", type=int, help="processes; one a core by default")
    parser.add_argument("--save", action="store_true", help="into docs/measurements")
    given = parser.parse_args()
    if unknown := set(given.entrants) - set(ENTRANTS):
        parser.error(f"expected entrants of {', '.join(ENTRANTS)}, got {', '.join(unknown)}")
    others = [one.resolve() for one in given.beside]
    names = [one.name for one in others]
    if len({*names, *ENTRANTS}) < len(names) + len(ENTRANTS):
        parser.error(f"folders beside the model need names of their own, got {', '.join(names)}")
    task = partial(Run, num_trials=given.trials, depth=given.depth, lines=given.lines)
    model = str(given.model.resolve())
    runs = []
    for family, seed in product(given.families, range(given.seeds)):
        for entrant in dict.fromkeys(["random", *(given.entrants or ENTRANTS)]):
            runs.append(task(family, entrant, seed, model=model))
        runs += [task(family, "scribe", seed, model=str(one), label=one.name) for one in others]
    rows = rows_of(scores_of(runs, cache_folder() / "held_out.jsonl", given.workers))
    name = "_".join(["held_out", *names])
    record(name, rows, summary_of(rows), argv=sys.argv[1:], module="searchers.held_out")


if __name__ == "__main__":
    main()
